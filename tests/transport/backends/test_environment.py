"""Variables of the environment: read where they are asked for, and named where they would have helped."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from callsavvy_async import Callsavvy, ConfigurationError, ConnectError
from callsavvy_async.transport.backends.environment import find_proxy, proxy_for, unread_variables
from callsavvy_async.wire.failure import FailureKind

URL = "https://api.example/v1"
VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with none of the variables."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("environ", "url", "found"),
    [
        ({}, URL, None),
        ({"HTTPS_PROXY": "http://a:1"}, URL, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:1"}, URL, "https_proxy"),
        ({"HTTPS_PROXY": "", "ALL_PROXY": "http://a:1"}, URL, "ALL_PROXY"),
        ({"HTTP_PROXY": "http://a:1"}, URL, None),
        ({"HTTP_PROXY": "http://a:1"}, "http://api.example/v1", "HTTP_PROXY"),
        ({"HTTP_PROXY": "http://a:1", "REQUEST_METHOD": "POST"}, "http://api.example/v1", None),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "other.example,.example"}, URL, None),
        ({"HTTPS_PROXY": "http://a:1", "no_proxy": "*"}, URL, None),
        ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "other.example"}, URL, "HTTPS_PROXY"),
    ],
)
def test_which_variable_names_the_proxy(environ: dict[str, str], url: str, found: str | None) -> None:
    """As curl has it: by scheme, small letters first, ALL_PROXY last, hosts of NO_PROXY not at all."""
    proxy = find_proxy(url, environ)
    assert (proxy and proxy[0]) == found


def test_a_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """proxy="env" takes it, with or without a scheme; without one in the environment the way is direct."""
    assert proxy_for(URL) is None
    assert "native" in repr(Callsavvy(public_key="p", private_key="q", proxy="env"))
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    assert proxy_for(URL) == "http://proxy.example:3128"
    assert "for the proxy" in repr(Callsavvy(public_key="p", private_key="q", proxy="env"))


def test_a_variable_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named; its value may hold a password and is not shown."""
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:password@proxy.example")
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY is invalid") as caught:
        Callsavvy(public_key="p", private_key="q", proxy="env")
    assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"proxy": "socks5://proxy.example:1080"}, r"pip install 'httpx\[socks\]'"),
        ({"proxy": "socks5://proxy.example:1080", "backend": "aiohttp"}, "SOCKS proxies"),
    ],
)
def test_socks(options: dict[str, str], words: str) -> None:
    """What it needs is told when the client is made, not with the first call."""
    with pytest.raises(ConfigurationError, match=words):
        Callsavvy(public_key="p", private_key="q", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "variable", "words"),
    [
        (FailureKind.CONNECT, "HTTPS_PROXY", "HTTPS_PROXY is set but not read: pass proxy='env'"),
        (FailureKind.TIMEOUT, "ALL_PROXY", "ALL_PROXY is set but not read"),
        (FailureKind.CERTIFICATE, "REQUESTS_CA_BUNDLE", "REQUESTS_CA_BUNDLE is set but not read: pass verify="),
        (FailureKind.CERTIFICATE, "CURL_CA_BUNDLE", "CURL_CA_BUNDLE is set"),
        (FailureKind.BAD_URL, "HTTPS_PROXY", ""),
    ],
)
def test_what_would_have_helped(kind: FailureKind, variable: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that bears on the failure is named, and the setting that reads it."""
    assert unread_variables(kind, URL) == ""
    monkeypatch.setenv(variable, "http://proxy.example:3128")
    assert words in unread_variables(kind, URL)
    assert bool(words) == bool(unread_variables(kind, URL))


@pytest.fixture
def refusing_proxy() -> Iterator[str]:
    """Run a proxy that lets nobody through."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        yield f"http://bob:password@127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.anyio
async def test_the_error_of_a_call(refusing_proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names what was passed over, and nothing once the variable is read; a password never."""
    monkeypatch.setenv("HTTPS_PROXY", refusing_proxy)
    said = []
    for proxy in (None, "env"):
        settings = {"base_url": "https://callsavvy.invalid/v1", "max_retries": 0, "proxy": proxy}
        async with Callsavvy(public_key="p", private_key="q", **settings) as client:  # type: ignore[arg-type]
            with pytest.raises(ConnectError) as caught:
                await client.account.summary()
            said.append(f"{caught.value} {client!r}")
    assert "HTTPS_PROXY is set but not read" in said[0]
    assert "502" in said[1]
    assert "not read" not in said[1]
    assert "password" not in "".join(said)
