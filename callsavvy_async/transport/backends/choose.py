"""Choose what carries the requests of a client. httpx and aiohttp are imported only where they are chosen."""

from __future__ import annotations

import ssl
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.transport.backends.auto import AutoBackend
from callsavvy_async.transport.backends.backend import Backend

if TYPE_CHECKING:
    import aiohttp
    import httpx

BackendName = Literal["auto", "native", "httpx", "aiohttp"]


def choose_backend(
    backend: BackendName | Backend = "auto",
    *,
    http_client: httpx.AsyncClient | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    session: aiohttp.ClientSession | None = None,
    verify: ssl.SSLContext | bool = True,
    proxy: str | None = None,
) -> Backend:
    """Make the backend that the settings of a client ask for; see `Callsavvy`.

    Raises:
        ConfigurationError: when they contradict each other, or need something that is not installed.
    """
    own = {
        "backend": None if isinstance(backend, str) else backend,
        "http_client": http_client,
        "transport": transport,
        "session": session,
    }
    given = [f"{name}=" for name, value in own.items() if value is not None]
    if len(given) > 1 or (given and (verify is not True or proxy is not None)):
        raise ConfigurationError(
            f"{' and '.join(given)} would bring TLS and proxy settings of their own; give one of them alone."
        )
    if not isinstance(backend, str):
        return backend
    if http_client is not None:
        return _borrow_httpx(http_client, backend)
    if transport is not None:
        return _borrow_httpx(transport, backend)
    if session is not None:
        return _borrow_session(session, backend)
    if backend not in _MAKERS:
        raise ConfigurationError(
            f"backend is {backend!r}; it is one of {', '.join(_MAKERS)}, or a Backend of your own."
        )
    return _MAKERS[backend](verify=verify, proxy=proxy)


# The imports below are made where they are needed: each costs more than all of this package.


def _auto(*, verify: ssl.SSLContext | bool, proxy: str | None) -> Backend:
    if proxy is not None:
        return _httpx(verify=verify, proxy=proxy, why="for the proxy")
    if find_spec("httptools") is None:
        return _httpx(verify=verify, why="since httptools is not installed")
    return AutoBackend(_native(verify=verify), partial(_httpx, verify=verify))


def _native(*, verify: ssl.SSLContext | bool, proxy: str | None = None) -> Backend:
    if proxy is not None:
        raise ConfigurationError("backend='native' speaks to no proxy; give backend='httpx', or leave backend= out.")
    _need("native", "httptools", "httptools")
    from callsavvy_async.transport.native.backend import NativeBackend  # noqa: PLC0415

    return NativeBackend(verify=verify)


def _httpx(*, verify: ssl.SSLContext | bool, proxy: str | None = None, why: str = "") -> Backend:
    from callsavvy_async.transport.backends.httpx import HttpxBackend  # noqa: PLC0415

    return HttpxBackend(verify=verify, proxy=proxy, why=why)


def _aiohttp(*, verify: ssl.SSLContext | bool, proxy: str | None) -> Backend:
    _need("aiohttp", "aiohttp", "callsavvy-async[aiohttp]")
    from callsavvy_async.transport.backends.aiohttp import AiohttpBackend  # noqa: PLC0415

    return AiohttpBackend(verify=verify, proxy=proxy)


_MAKERS = {"auto": _auto, "native": _native, "httpx": _httpx, "aiohttp": _aiohttp}


def _borrow_httpx(sender: httpx.AsyncClient | httpx.AsyncBaseTransport, backend: BackendName) -> Backend:
    if backend not in {"auto", "httpx"}:
        raise ConfigurationError(f"http_client= and transport= are httpx's; backend={backend!r} cannot use them.")
    from callsavvy_async.transport.backends.httpx import BorrowedBackend  # noqa: PLC0415

    return BorrowedBackend(sender)


def _borrow_session(session: aiohttp.ClientSession, backend: BackendName) -> Backend:
    if backend not in {"auto", "aiohttp"}:
        raise ConfigurationError(f"session= is aiohttp's; backend={backend!r} cannot use it.")
    from callsavvy_async.transport.backends.aiohttp import BorrowedSession  # noqa: PLC0415

    return BorrowedSession(session)


def _need(backend: BackendName, package: str, requirement: str) -> None:
    if find_spec(package) is None:
        raise ConfigurationError(f"backend={backend!r} needs {package}: pip install '{requirement}'")
