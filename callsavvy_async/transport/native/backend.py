"""The native backend: HTTP/1.1 over keep-alive connections that count their bytes; see README.md.

Connections belong to the event loop that opened them and close with it. So one client works in several
``asyncio.run()``, in one thread or in many.
"""

from __future__ import annotations

import asyncio
import functools
import threading
import weakref
from collections.abc import AsyncGenerator

import attrs

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.transport.native.connect import Origin
from callsavvy_async.transport.native.pool import ConnectionPool
from callsavvy_async.transport.native.trust import Trust, Verify
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.request_template import RequestTemplate
from callsavvy_async.wire.response import HttpResponse

MAX_CONNECTIONS = 256
"""Maximum number of connections to one server in one event loop."""
MAX_WAITING = 10_000
"""Maximum number of exchanges that wait for a connection."""
_MAX_HEADS = 64
"""Maximum number of cached request heads; more than the API has endpoints."""


def write_head(template: RequestTemplate) -> bytes:
    """Return the request line and header fields (RFC 9112, 2.1), up to the value of ``content-length``, the last one."""
    fields = (f"{name}: {value}" for name, value in template.headers)
    return "\r\n".join((f"POST {template.path} HTTP/1.1", *fields, "content-length: ")).encode("latin-1")


@attrs.define(eq=False)
class _LoopPools:
    """The pools of one event loop."""

    loop: asyncio.AbstractEventLoop
    pools: dict[tuple[bool, str, int], ConnectionPool] = attrs.field(
        factory=dict[tuple[bool, str, int], ConnectionPool]
    )
    closer: AsyncGenerator[None, None] | None = None


class NativeBackend:
    """The native HTTP/1.1 backend; see the module.

    Args:
        verify: See `Verify`.
        max_connections: Maximum number of connections to one server.
        max_waiting: Maximum number of exchanges that wait for one.
    """

    def __init__(
        self,
        *,
        verify: Verify = True,
        max_connections: int = MAX_CONNECTIONS,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._trust = Trust(verify)
        self._max_connections = max_connections
        self._max_waiting = max_waiting
        self._head = functools.lru_cache(_MAX_HEADS)(write_head)
        self._entering = threading.Lock()
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopPools] = weakref.WeakKeyDictionary()
        self._last: _LoopPools | None = None

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        """See `Backend.exchange`."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigurationError(
                "backend='native' runs on asyncio only; on trio, omit backend= or pass backend='httpx'."
            ) from None
        here = self._last
        if here is None or here.loop is not loop:
            here = await self._enter(loop)
        template = request.template
        pool = here.pools.get(template.origin) or self._make_pool(here, template.origin)
        deadline = loop.time() + timeout
        if timeout <= 0:
            raise ExchangeFailedError(FailureKind.TIMEOUT, sent=False, bytes_sent=0, detail="no time left")
        connection = pool.take() or await pool.acquire(deadline)
        try:
            response = connection.send(  # without a local variable for the bytes, which a traceback might show
                b"%b%d\r\n\r\n%b" % (self._head(template), len(request.body), request.body), deadline, max_bytes
            )
            if deadline < pool.alarm_at:
                pool.set_alarm(deadline)
            received = await response
        except BaseException:
            connection.close()  # a late response to this request may still arrive on it
            raise
        pool.release(connection)
        return received

    async def aclose(self) -> None:
        """See `Backend.aclose`."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # trio, where it opens no connections
            return
        here = self._loops.pop(loop, None)
        self._last = None
        if here is not None and here.closer is not None:
            await here.closer.aclose()

    @property
    def is_open(self) -> bool:
        """See `Backend.is_open`."""
        return any(pool.connections for pool in self._pools())

    def __repr__(self) -> str:
        pools = self._pools()
        idle = sum(len(pool.idle) for pool in pools)
        return f"native ({sum(len(pool.connections) for pool in pools)} open, {idle} idle)"

    def _pools(self) -> list[ConnectionPool]:
        with self._entering:
            return [pool for here in self._loops.values() for pool in list(here.pools.values())]

    async def _enter(self, loop: asyncio.AbstractEventLoop) -> _LoopPools:
        here = self._loops.get(loop)
        if here is None:
            here = _LoopPools(loop)
            here.closer = self._close_with_loop(here)
            await anext(here.closer)
            with self._entering:  # other threads enter with their own loops
                for other in [other for other in self._loops if other.is_closed()]:
                    del self._loops[other]  # closed without shutdown_asyncgens: its connections cannot be closed
                self._loops[loop] = here
        self._last = here
        return here

    async def _close_with_loop(self, here: _LoopPools) -> AsyncGenerator[None, None]:
        # asyncio.run finalises open async generators, so this closes the loop's remaining connections.
        try:
            yield
        finally:
            with self._entering:
                self._loops.pop(here.loop, None)
            if self._last is here:
                self._last = None
            for pool in here.pools.values():
                await pool.aclose()

    def _make_pool(self, here: _LoopPools, origin: tuple[bool, str, int]) -> ConnectionPool:
        pool = here.pools[origin] = ConnectionPool(
            here.loop,
            Origin(*origin),
            self._trust,
            max_connections=self._max_connections,
            max_waiting=self._max_waiting,
        )
        return pool
