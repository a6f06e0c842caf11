"""The default backend: native connections if possible, or an HTTP library that a mock or a tracer has patched."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack

from sniffio import thread_local

from callsavvy_async.transport.backends.backend import Backend
from callsavvy_async.transport.backends.mocks import LIBRARIES, find_patch
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse


class AutoBackend:
    """Chooses a backend for each exchange, because a client may be older than its event loop and its mocks.

    Args:
        usual: Backend to use by default.
        over: Creates the backend of a library.
        library: Library of `usual`; None for native connections, which need asyncio.
    """

    def __init__(self, usual: Backend, over: Callable[[str], Backend], *, library: str | None = None) -> None:
        self._usual = usual
        self._over = over
        self._library = library
        self._others: dict[str, Backend] = {}

    def exchange(
        self, request: HttpRequest, *, timeout: float, max_bytes: int
    ) -> Coroutine[object, object, HttpResponse]:
        """See `Backend.exchange`."""
        backend = self._usual
        if thread_local.name not in _ASYNCIO or not sys.modules.keys().isdisjoint(LIBRARIES):
            backend, _ = self._choose()
        return backend.exchange(request, timeout=timeout, max_bytes=max_bytes)

    async def aclose(self) -> None:
        """See `Backend.aclose`."""
        async with AsyncExitStack() as closing:
            for backend in (*self._others.values(), self._usual):
                closing.push_async_callback(backend.aclose)

    @property
    def is_open(self) -> bool:
        """See `Backend.is_open`."""
        return self._usual.is_open or any(backend.is_open for backend in self._others.values())

    def __repr__(self) -> str:
        backend, why = self._choose()
        return f"{backend!r}{why and ', '}{why}"

    def _choose(self) -> tuple[Backend, str]:
        """Return the backend to use now, and the reason if it is not the usual one."""
        on_asyncio = thread_local.name in _ASYNCIO
        patch = find_patch(LIBRARIES if on_asyncio else _ON_TRIO)
        if patch is not None and patch.library != self._library:
            return self._other(patch.library), f"since {patch.where} is patched"
        if not on_asyncio and self._library is None:
            return self._other("httpx"), "since native connections need asyncio"
        return self._usual, ""

    def _other(self, library: str) -> Backend:
        return self._others.get(library) or self._others.setdefault(library, self._over(library))


_ON_TRIO = ("httpx", "httpx2")
_ASYNCIO = frozenset({None, "asyncio"})
"""Values of `sniffio.thread_local` under asyncio. sniffio's function would cost a system call."""
