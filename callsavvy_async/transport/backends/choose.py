"""Choose the backend of a client. HTTP libraries are imported only when they are chosen."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Literal, cast

import attrs

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.settings import FROM_ENVIRONMENT, check_settings
from callsavvy_async.transport.backends.auto import AutoBackend
from callsavvy_async.transport.backends.backend import Backend
from callsavvy_async.transport.backends.environment import proxy_for
from callsavvy_async.transport.backends.proof import Borrowed
from callsavvy_async.transport.native.trust import Verify

if TYPE_CHECKING:
    import aiohttp
    import httpx
    import httpx2

BackendName = Literal["auto", "native", "httpx", "httpx2", "aiohttp"]


@attrs.frozen
class Brought:
    """A client, a transport or a session of the user, at most one of them. The SDK never closes it."""

    http_client: httpx.AsyncClient | httpx2.AsyncClient | None = None
    transport: httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport | None = None
    session: aiohttp.ClientSession | None = None


def choose_backend(
    backend: BackendName | Backend = "auto",
    brought: Brought = Brought(),
    *,
    verify: Verify = True,
    proxy: str | None = None,
    base_url: str = "",
) -> Backend:
    """Create the backend that the settings of a client describe; see `Callsavvy`.

    Raises:
        ConfigurationError: A setting is invalid, contradicts another one, or needs a package that is not installed.
    """
    check_settings(**attrs.asdict(brought, recurse=False), backend=backend, verify=verify, proxy=proxy)
    _refuse_combinations(backend, brought, others=verify is not True or proxy is not None)
    if not isinstance(backend, str):
        return backend
    if brought.http_client is not None or brought.transport is not None:
        return _borrow_httpx(brought, backend)
    if brought.session is not None:
        return _borrow_session(brought.session, backend)
    if backend not in _MAKERS:
        raise ConfigurationError(
            f"backend is {backend!r}; it must be one of {', '.join(_MAKERS)}, or a Backend object."
        )
    return _MAKERS[backend](verify=verify, proxy=proxy_for(base_url) if proxy == FROM_ENVIRONMENT else proxy)


def _refuse_combinations(backend: BackendName | Backend, brought: Brought, *, others: bool) -> None:
    """Refuse two objects that send, or one with other settings of the transport."""
    given = [] if isinstance(backend, str) else ["backend="]
    given += [f"{name}=" for name, value in attrs.asdict(brought, recurse=False).items() if value is not None]
    if len(given) > 1 or (given and others):
        raise ConfigurationError(
            f"{' and '.join(given)} cannot be combined with TLS, proxy or other transport settings; pass one of them alone."
        )


# The functions below import libraries when needed: each import costs more than this whole package.


def goes_directly(chosen: Backend, backend: BackendName | Backend, proxy: str | None) -> bool:
    """Return True if a chosen backend uses neither a proxy nor the proxy variables of the environment."""
    return isinstance(backend, str) and proxy is None and not isinstance(chosen, Borrowed)


def _auto(*, verify: Verify, proxy: str | None) -> Backend:
    over = partial(_over, verify=verify, proxy=proxy)
    if proxy is not None:
        return AutoBackend(_httpx(verify=verify, proxy=proxy, why="for the proxy"), over, library="httpx")
    if find_spec("httptools") is None:
        return AutoBackend(_httpx(verify=verify, why="since httptools is not installed"), over, library="httpx")
    return AutoBackend(_native(verify=verify), over)


def _over(library: str, *, verify: Verify, proxy: str | None) -> Backend:
    """Create the backend of a library."""
    if library == "aiohttp":
        return _aiohttp(verify=verify, proxy=proxy)
    return _httpx(verify=verify, proxy=proxy, library=library)


def _native(*, verify: Verify, proxy: str | None = None) -> Backend:
    if proxy is not None:
        raise ConfigurationError("backend='native' does not support proxies; pass backend='httpx', or omit backend=.")
    _need("native", "httptools", "httptools")
    from callsavvy_async.transport.native.backend import NativeBackend  # noqa: PLC0415

    return NativeBackend(verify=verify)


def _httpx(*, verify: Verify, proxy: str | None = None, why: str = "", library: str = "httpx") -> Backend:
    _need(library, library, library)
    if _is_socks(proxy) and find_spec("socksio") is None:
        raise ConfigurationError("a SOCKS proxy needs socksio: pip install 'httpx[socks]'")
    from callsavvy_async.transport.backends.httpx import HttpxBackend  # noqa: PLC0415

    return HttpxBackend(verify=verify, proxy=proxy, why=why, library=import_module(library))


def _aiohttp(*, verify: Verify, proxy: str | None) -> Backend:
    _need("aiohttp", "aiohttp", "callsavvy-async[aiohttp]")
    if _is_socks(proxy):
        raise ConfigurationError("backend='aiohttp' does not support SOCKS proxies; pass backend='httpx'.")
    from callsavvy_async.transport.backends.aiohttp import AiohttpBackend  # noqa: PLC0415

    return AiohttpBackend(verify=verify, proxy=proxy)


_MAKERS: Mapping[str, Callable[..., Backend]] = {
    "auto": _auto,
    "native": _native,
    "httpx": _httpx,
    "httpx2": partial(_httpx, library="httpx2"),
    "aiohttp": _aiohttp,
}


def _borrow_httpx(brought: Brought, backend: BackendName) -> Backend:
    if backend not in {"auto", "httpx", "httpx2"}:
        raise ConfigurationError(f"http_client= and transport= are httpx's; backend={backend!r} cannot use them.")
    from callsavvy_async.transport.backends.httpx_borrowed import BorrowedClient, BorrowedTransport  # noqa: PLC0415

    if brought.http_client is not None:
        return BorrowedClient(cast("httpx.AsyncClient", brought.http_client), _library_of(brought.http_client))
    return BorrowedTransport(cast("httpx.AsyncBaseTransport", brought.transport), _library_of(brought.transport))


def _library_of(sender: object) -> ModuleType:
    """Return the library of an object, httpx or httpx2."""
    packages = (kind.__module__.partition(".")[0] for kind in sender.__class__.__mro__)
    return sys.modules[next(package for package in packages if package in {"httpx", "httpx2"})]


def _borrow_session(session: aiohttp.ClientSession, backend: BackendName) -> Backend:
    if backend not in {"auto", "aiohttp"}:
        raise ConfigurationError(f"session= is aiohttp's; backend={backend!r} cannot use it.")
    from callsavvy_async.transport.backends.aiohttp import BorrowedSession  # noqa: PLC0415

    return BorrowedSession(session)


def _is_socks(proxy: str | None) -> bool:
    return proxy is not None and proxy.startswith("socks")


def _need(backend: str, package: str, requirement: str) -> None:
    if find_spec(package) is None:
        raise ConfigurationError(f"backend={backend!r} needs {package}: pip install '{requirement}'")
