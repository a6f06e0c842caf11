"""Every setting of a client has its rule, and what breaks it is told when the client is made."""

from __future__ import annotations

import datetime as dt
import inspect
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest

from callsavvy_async import Adaptive, Callsavvy, ConfigurationError, Credentials, FixedRate
from callsavvy_async.campaigns import Journal
from callsavvy_async.settings import RULES

KEYS: dict[str, Any] = {"public_key": "public-key", "private_key": "private-key"}
SETTINGS = [name for name in inspect.signature(Callsavvy.__init__).parameters if name != "self"]


class Foreign:
    """What no setting can be."""


WRONG: list[Any] = [None, "", "secret", b"secret", -1, float("nan"), True, [], {}, {1: 2}, [None], Foreign, Foreign()]
RIGHT: Mapping[str, list[Any]] = {
    "credentials": [None, Credentials("p", "q")],
    "public_key": ["secret"],
    "private_key": ["secret"],
    "base_url": ["https://api.example/v1"],
    "timeout": [1, 0.5, float("inf")],
    "deadline": [None, 300],
    "max_retries": [0, 3],
    "timezone": [None, dt.UTC, zoneinfo.ZoneInfo("Africa/Lagos")],
    "max_response_bytes": [1, 2**30],
    "allow_insecure": [True, False],
    "pacing": [None, Adaptive(), {"sendSMS": FixedRate("1/s")}, {}],
    "rate": [None, "10/s"],
    "burst": [1],
    "max_in_flight": [None, 8],
    "hooks": [[], (print,)],
    "extra": [None, {}, {"beta": 1}],
    "http_client": [None, httpx.AsyncClient(), httpx2.AsyncClient()],
    "transport": [None, httpx.MockTransport(lambda _: httpx.Response(200)), httpx2.AsyncHTTPTransport()],
    "session": [None],
    "backend": ["auto", "native", "httpx", "httpx2", "aiohttp"],
    "verify": [True, False],
    "journal": [None, "sqlite:///sends.db", Journal.open("sqlite:///sends.db")],
    "proxy": [None, "env", "http://proxy.example:3128", "http://user:password@proxy.example"],
}


def make(name: str, value: object) -> Callsavvy:
    keys = {} if name == "credentials" and value is not None else KEYS
    return Callsavvy(**{**keys, name: value})


def test_every_setting_has_its_rule() -> None:
    """What is added to the client is added to the table, and to these tests."""
    assert set(SETTINGS) == set(RULES) == set(RIGHT)


@pytest.mark.parametrize("name", SETTINGS)
def test_what_fits(name: str) -> None:
    """No rule refuses what it says that it takes."""
    for value in RIGHT[name]:
        make(name, value)


@pytest.mark.parametrize("name", SETTINGS)
def test_what_breaks_a_rule(name: str) -> None:
    """The kind decides, and never the truth of a value; the error names the setting, and shows nothing secret."""
    for value in WRONG:
        if any(value is right or (type(value) is type(right) and value == right) for right in RIGHT[name]):
            continue
        with pytest.raises(ConfigurationError) as caught:
            make(name, value)
        assert name in str(caught.value), value
        if RULES[name].private:
            assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["timeout", "verify", "timezone", "public_key", "base_url"])
def test_a_variable_that_is_not_set(name: str) -> None:
    """It reads as None or as "": the error asks for it."""
    for value in (None, "") if name not in {"timezone", "public_key", "base_url"} else ("",):
        with pytest.raises(ConfigurationError, match=f"{name} "):
            make(name, value)
    with pytest.raises(ConfigurationError, match="variable that is not set"):
        make("timeout", None)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("http_client", httpx.Client(), "an instance of httpx.Client; it must be an open httpx.AsyncClient"),
        ("http_client", httpx.AsyncClient, "the class AsyncClient"),
        ("http_client", httpx.AsyncHTTPTransport(), "Give it as transport="),
        ("transport", httpx.HTTPTransport(), "must be an httpx.AsyncBaseTransport"),
        ("transport", httpx2.AsyncClient(), "Give it as http_client="),
        ("session", httpx.AsyncClient(), "Give it as http_client="),
        ("timezone", "Africa/Lagos", r"zoneinfo.ZoneInfo\('Africa/Lagos'\)"),
        ("timeout", dt.timedelta(seconds=3), "a number of seconds above 0"),
        ("timeout", 10**400, "a number of seconds above 0"),
        ("pacing", Adaptive, "the class Adaptive"),
        ("proxy", "proxy.example:3128", "http://proxy.example:3128"),
        ("proxy", "ftp://proxy.example", "the URL of a proxy"),
        ("proxy", "http://[proxy", "the URL of a proxy"),
        ("verify", Path("/nowhere/ca.pem"), "'/nowhere/ca.pem', which cannot be read"),
    ],
)
def test_the_fix_is_named(name: str, value: object, words: str) -> None:
    """What people give by mistake is told by what it is, and where it belongs."""
    with pytest.raises(ConfigurationError, match=words):
        make(name, value)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_was_closed(anyio_backend: str) -> None:
    """A client or a session that is closed can send nothing any more."""
    session = aiohttp.ClientSession()
    make("session", session)
    await session.close()
    client = httpx.AsyncClient()
    await client.aclose()
    for name, value in (("session", session), ("http_client", client)):
        with pytest.raises(ConfigurationError, match=f"{name} is closed"):
            make(name, value)


def test_options_of_a_call_keep_the_same_rules() -> None:
    """`with_options` takes what the client takes."""
    client = make("timeout", 5)
    for options in ({"timeout": "5"}, {"deadline": 0}, {"max_retries": 1.5}, {"extra": ["beta"]}):
        with pytest.raises(ConfigurationError, match=next(iter(options))):
            client.with_options(**options)  # type: ignore[arg-type]
