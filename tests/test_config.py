"""Settings are checked before anything is opened, and never show a key."""

from __future__ import annotations

import attrs
import pytest

from callsavvy_async.config import BASE_URL, Config, Credentials, RequestSettings, read_environment
from callsavvy_async.errors import ConfigurationError
from callsavvy_async.policy.retry import RetryPolicy
from callsavvy_async.transport.options import apply_options

KEYS = Credentials("public-key", "private-key")


@pytest.mark.parametrize("field", ["public_key", "private_key"])
@pytest.mark.parametrize("key", ["", " ", "a b", "a\n", "a\r\nx: y", "ключ", "\x7f"], ids=repr)
def test_keys_that_no_header_can_carry(field: str, key: str) -> None:
    """A blank or broken key is refused by the field's name, without showing it."""
    with pytest.raises(ConfigurationError, match=field) as caught:
        attrs.evolve(KEYS, **{field: key})
    assert "API & Integration" in str(caught.value)
    if key.strip():
        assert key not in str(caught.value)


def test_keys_are_masked() -> None:
    """Neither credentials nor settings show a key in their repr."""
    for shown in (repr(KEYS), str(KEYS), repr(Config(credentials=KEYS))):
        assert "public-key" not in shown
        assert "private-key" not in shown
        assert "***" in shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.getcallsavvy.com/v1",
        "ftp://api.getcallsavvy.com/v1",
        "https://",
        "https://user:secret@api.getcallsavvy.com/v1",
        "https://api.getcallsavvy.com/v1?key=secret",
        "https://api.getcallsavvy.com/v1#x",
        "https://[broken/v1",
        "https://api.getcallsavvy.com:port/v1",
        "https://api.getcallsavvy.com:99999/v1",
    ],
)
def test_base_urls_that_cannot_work(url: str) -> None:
    """A base URL without scheme or host, or with more than a path, is refused without showing what it hides."""
    with pytest.raises(ConfigurationError, match=r"it must look like https://") as caught:
        Config(credentials=KEYS, base_url=url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://b\u00fccher.example/v1", "https://api.getcallsavvy.com/v 1", "https://a.example/\nv1"]
)
def test_base_urls_that_no_request_line_can_carry(url: str) -> None:
    """A base URL with blanks, control or non-ASCII characters is refused early, and the fix is named."""
    with pytest.raises(ConfigurationError, match="xn--"):
        Config(credentials=KEYS, base_url=url)


@pytest.mark.parametrize("url", ["http://api.example/v1", "http://127.0.0.1.example/v1", "http://localhost.example/v1"])
def test_plain_http(url: str) -> None:
    """Plain http to another host must be asked for."""
    with pytest.raises(ConfigurationError, match="allow_insecure=True"):
        Config(credentials=KEYS, base_url=url)
    assert Config(credentials=KEYS, base_url=url, allow_insecure=True).base_url == url


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9:80", "[::1]", "localhost:8080", "api.localhost"])
def test_loopback(host: str) -> None:
    """Loopback needs no leave; a trailing slash is no part of the URL."""
    assert Config(credentials=KEYS, base_url=f"http://{host}/v1/").base_url == f"http://{host}/v1"


@pytest.mark.parametrize("name", ["timeout", "deadline"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_times_that_make_no_sense(name: str, value: float) -> None:
    """Times are more than nothing."""
    with pytest.raises(ConfigurationError, match=f"{name} is "):
        RequestSettings(**{name: value})


@pytest.mark.parametrize("value", [0, -1])
def test_sizes_that_make_no_sense(value: int) -> None:
    """Sizes are more than nothing."""
    with pytest.raises(ConfigurationError, match="max_response_bytes is "):
        Config(credentials=KEYS, max_response_bytes=value)


def test_no_deadline() -> None:
    """None is no deadline."""
    assert RequestSettings(deadline=None).deadline is None


def test_retries() -> None:
    """None at all are fine, less than none are not."""
    RequestSettings(retry=RetryPolicy(max_retries=0))
    with pytest.raises(ConfigurationError, match="max_retries is -1"):
        RequestSettings(retry=RetryPolicy(max_retries=-1))


def test_extras_show_their_names_only() -> None:
    """The values of undocumented parameters may be anything."""
    shown = repr(Config(credentials=KEYS, request=RequestSettings(extra={"beta": "secret"})))
    assert "beta" in shown
    assert "secret" not in shown


def test_options_are_laid_over() -> None:
    """What a call says wins, what it does not say stays, extras add up."""
    settings = RequestSettings(extra={"a": 1, "b": 1})
    assert apply_options(settings, {}) is settings
    changed = apply_options(settings, {"timeout": 5, "deadline": None, "max_retries": 9, "extra": {"b": 2}})
    assert (changed.timeout, changed.deadline, changed.retry.max_retries) == (5, None, 9)
    assert changed.extra == {"a": 1, "b": 2}
    assert apply_options(changed, {"timeout": 6}) == attrs.evolve(changed, timeout=6)
    with pytest.raises(ConfigurationError, match="timeout is -5"):
        apply_options(settings, {"timeout": -5})


def test_the_environment() -> None:
    """Keys and base URL come from three variables; an empty one counts as not set."""
    environ = {"CALLSAVVY_PUBLIC_KEY": "p", "CALLSAVVY_PRIVATE_KEY": "q"}
    assert read_environment(environ) == (Credentials("p", "q"), BASE_URL)
    assert read_environment({**environ, "CALLSAVVY_BASE_URL": ""})[1] == BASE_URL
    assert read_environment({**environ, "CALLSAVVY_BASE_URL": "https://x/v1"})[1] == "https://x/v1"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "CALLSAVVY_PUBLIC_KEY and CALLSAVVY_PRIVATE_KEY are not set"),
        ({"CALLSAVVY_PUBLIC_KEY": "p", "CALLSAVVY_PRIVATE_KEY": ""}, "CALLSAVVY_PRIVATE_KEY is not set"),
    ],
)
def test_an_environment_without_keys(environ: dict[str, str], words: str) -> None:
    """The variable that is missing is named."""
    with pytest.raises(ConfigurationError, match=words):
        read_environment(environ)
