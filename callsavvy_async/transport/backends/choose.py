"""Choose what carries the requests of a client. httpx and aiohttp are imported only where they are chosen."""

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
    """What users bring to send with. At most one of them; it stays theirs to close."""

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
    """Make the backend that the settings of a client ask for; see `Callsavvy`.

    Raises:
        ConfigurationError: when they cannot be used, contradict each other, or need something that is not installed.
    """
    own = attrs.asdict(brought, recurse=False)
    check_settings(**own, backend=backend, verify=verify, proxy=proxy)
    given = [f"{name}=" for name, value in own.items() if value is not None]
    if not isinstance(backend, str):
        given.insert(0, "backend=")
    if len(given) > 1 or (given and (verify is not True or proxy is not None)):
        raise ConfigurationError(
            f"{' and '.join(given)} would bring TLS and proxy settings of their own; give one of them alone."
        )
    if not isinstance(backend, str):
        return backend
    if brought.http_client is not None or brought.transport is not None:
        return _borrow_httpx(brought, backend)
    if brought.session is not None:
        return _borrow_session(brought.session, backend)
    if backend not in _MAKERS:
        raise ConfigurationError(
            f"backend is {backend!r}; it is one of {', '.join(_MAKERS)}, or a Backend of your own."
        )
    return _MAKERS[backend](verify=verify, proxy=proxy_for(base_url) if proxy == FROM_ENVIRONMENT else proxy)


# The imports below are made where they are needed: each costs more than all of this package.


def goes_directly(chosen: Backend, backend: BackendName | Backend, proxy: str | None) -> bool:
    """Whether a backend that was chosen asks neither a proxy nor the environment for the way."""
    return isinstance(backend, str) and proxy is None and not isinstance(chosen, Borrowed)


def _auto(*, verify: Verify, proxy: str | None) -> Backend:
    over = partial(_over, verify=verify, proxy=proxy)
    if proxy is not None:
        return AutoBackend(_httpx(verify=verify, proxy=proxy, why="for the proxy"), over, library="httpx")
    if find_spec("httptools") is None:
        return AutoBackend(_httpx(verify=verify, why="since httptools is not installed"), over, library="httpx")
    return AutoBackend(_native(verify=verify), over)


def _over(library: str, *, verify: Verify, proxy: str | None) -> Backend:
    """Make the backend that sends over a library."""
    if library == "aiohttp":
        return _aiohttp(verify=verify, proxy=proxy)
    return _httpx(verify=verify, proxy=proxy, library=library)


def _native(*, verify: Verify, proxy: str | None = None) -> Backend:
    if proxy is not None:
        raise ConfigurationError("backend='native' speaks to no proxy; give backend='httpx', or leave backend= out.")
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
        raise ConfigurationError("backend='aiohttp' speaks to no SOCKS proxy; give backend='httpx'.")
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
    from callsavvy_async.transport.backends.httpx import BorrowedClient, BorrowedTransport  # noqa: PLC0415

    if brought.http_client is not None:
        return BorrowedClient(cast("httpx.AsyncClient", brought.http_client), _library_of(brought.http_client))
    return BorrowedTransport(cast("httpx.AsyncBaseTransport", brought.transport), _library_of(brought.transport))


def _library_of(sender: object) -> ModuleType:
    """Return the library, httpx or httpx2, whose object this is."""
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
