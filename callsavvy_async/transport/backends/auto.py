"""The default: native connections where they can run and nothing is in httpx's way, httpx everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine

from sniffio import thread_local

from callsavvy_async.transport.backends.backend import Backend
from callsavvy_async.transport.backends.mocks import find_patch
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse


class AutoBackend:
    """Decides anew for every exchange: a client may be made before its event loop runs, and before a mock is set up.

    Args:
        native: for asyncio.
        make_httpx: makes the backend for the rest, once it is needed.
    """

    def __init__(self, native: Backend, make_httpx: Callable[[], Backend]) -> None:
        self._native = native
        self._make_httpx = make_httpx
        self._httpx: Backend | None = None

    def exchange(
        self, request: HttpRequest, *, timeout: float, max_bytes: int
    ) -> Coroutine[object, object, HttpResponse]:
        """See `Backend.exchange`."""
        patchable = "httpx" in sys.modules or "httpcore" in sys.modules
        hindered = (patchable or thread_local.name not in _ASYNCIO) and _why_not_native() is not None
        backend = self._over_httpx() if hindered else self._native
        return backend.exchange(request, timeout=timeout, max_bytes=max_bytes)

    async def aclose(self) -> None:
        """See `Backend.aclose`."""
        try:
            await self._native.aclose()
        finally:
            if self._httpx is not None:
                await self._httpx.aclose()

    @property
    def is_open(self) -> bool:
        """See `Backend.is_open`."""
        return self._native.is_open or (self._httpx is not None and self._httpx.is_open)

    def __repr__(self) -> str:
        why = _why_not_native()
        return repr(self._native) if why is None else f"{self._over_httpx()!r}, {why}"

    def _over_httpx(self) -> Backend:
        if self._httpx is None:
            self._httpx = self._make_httpx()
        return self._httpx


_ASYNCIO = frozenset({None, "asyncio"})
"""What stands in `sniffio.thread_local` while asyncio runs; to ask sniffio itself would cost a system call."""


def _why_not_native() -> str | None:
    patch = find_patch()
    if patch is not None:
        return f"since {patch} is patched"
    return None if thread_local.name in _ASYNCIO else "since native connections need asyncio"
