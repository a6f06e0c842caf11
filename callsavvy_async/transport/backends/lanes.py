"""HTTP/1.1 over lanes: keep-alive connections of our own on asyncio, whose bytes are counted.

Why not a general HTTP client: the API has no idempotency key, so whether a paid request may be repeated hangs on one
question, whether any byte of it left. Only who hands the bytes to the kernel can answer it (`lane`). Why not httpx's
pool: under load it costs thirty times as much, and hands one connection to several requests. A lane carries one request
at a time; so what comes back on it answers that request or nothing, and whatever is odd (a byte too many, a cancelled
exchange, an answer before the request was all read) closes it. Opening another is cheap, a wrong receipt is not.

What is proved, and what is not:

- nothing was handed to the kernel (no connection, TLS failed, no lane came free, the first write was refused): NOT_SENT;
- a lane was closed by the server while it was idle: noticed before writing, by the event loop or by one question to the
  kernel (`Lane.has_news`), and another is taken. A server that closes while the request is on its way cannot be told
  from one that crashed after it acted: that stays UNKNOWN, and a short idle life keeps it rare.

Connections belong to the event loop that opened them and are closed with it, so one client serves several
``asyncio.run()``. On trio there is `callsavvy_async.transport.backends.httpx`.
"""

from __future__ import annotations

import asyncio
import ssl
import weakref
from collections.abc import AsyncGenerator, Coroutine

import attrs

from callsavvy_async.transport.backends.lane_connect import Origin
from callsavvy_async.transport.backends.lane_tls import Trust
from callsavvy_async.transport.backends.lanes_pool import LanePool
from callsavvy_async.transport.backends.per_loop import not_on_asyncio
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse

MAX_LANES = 256
"""Lanes to one server at a time."""
MAX_WAITING = 10_000
"""Exchanges that may wait for a lane."""


@attrs.define(eq=False)
class _LoopLanes:
    """What belongs to one event loop."""

    loop: asyncio.AbstractEventLoop
    pools: dict[tuple[bool, str, int], LanePool] = attrs.field(factory=dict[tuple[bool, str, int], LanePool])
    closer: AsyncGenerator[None, None] | None = None


class LanesBackend:
    """HTTP/1.1 over lanes; see the module.

    Args:
        verify: True for the certificates that httpx trusts, False for any, or an SSLContext.
        max_lanes: lanes to one server at a time.
        max_waiting: exchanges that may wait for one.
    """

    def __init__(
        self,
        *,
        verify: ssl.SSLContext | bool = True,
        max_lanes: int = MAX_LANES,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._trust = Trust(verify)
        self._max_lanes = max_lanes
        self._max_waiting = max_waiting
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopLanes] = weakref.WeakKeyDictionary()
        self._last: _LoopLanes | None = None

    def exchange(
        self, request: HttpRequest, *, timeout: float, max_bytes: int
    ) -> Coroutine[object, object, HttpResponse]:
        """See `Backend.exchange`."""
        target, body = request.target, request.body
        image = b"%b%d\r\n\r\n%b" % (target.head, len(body), body)
        return self.carry((target.secure, target.host, target.port), image, timeout=timeout, max_bytes=max_bytes)

    async def carry(
        self,
        origin: tuple[bool, str, int],
        image: bytes,
        *,
        timeout: float,
        max_bytes: int,
        decode: bool = True,
        head_only: bool = False,
    ) -> HttpResponse:
        """Send any request and read the whole answer; see `Backend.exchange`.

        Args:
            origin: whether TLS is spoken, host and port.
            image: the request as it goes over the wire.
            timeout: seconds for everything.
            max_bytes: largest body that is read.
            decode: whether to undo the content encoding.
            head_only: whether it is a HEAD.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise not_on_asyncio("lanes") from None
        here = self._last
        if here is None or here.loop is not loop:
            here = await self._enter(loop)
        pool = here.pools.get(origin) or self._make_pool(here, origin)
        deadline = loop.time() + timeout
        if timeout <= 0:
            raise ExchangeFailedError(FailureKind.TIMEOUT, sent=False, bytes_sent=0, detail="no time left")
        lane = pool.take() or await pool.acquire(deadline)
        try:
            answer = lane.start(image, deadline, max_bytes, decode=decode, head_only=head_only)
            if deadline < pool.alarm_at:
                pool.watch(deadline)
            response = await answer
        except BaseException:
            lane.close()  # whatever came on it now would be an answer to this request
            raise
        pool.give_back(lane)
        return response

    async def aclose(self) -> None:
        """See `Backend.aclose`."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # trio: no lane was opened there
            return
        here = self._loops.pop(loop, None)
        self._last = None
        if here is not None and here.closer is not None:
            await here.closer.aclose()

    @property
    def is_open(self) -> bool:
        """See `Backend.is_open`."""
        return any(pool.lanes for here in list(self._loops.values()) for pool in here.pools.values())

    def __repr__(self) -> str:
        pools = [pool for here in list(self._loops.values()) for pool in here.pools.values()]
        return f"lanes ({sum(len(pool.lanes) for pool in pools)} open, {sum(len(pool.idle) for pool in pools)} idle)"

    async def _enter(self, loop: asyncio.AbstractEventLoop) -> _LoopLanes:
        here = self._loops.get(loop)
        if here is None:
            for other in [other for other in self._loops if other.is_closed()]:
                del self._loops[other]  # closed without its async generators: its lanes cannot be reached any more
            here = self._loops[loop] = _LoopLanes(loop)
            here.closer = self._close_with_loop(here)
            await here.closer.__anext__()
        self._last = here
        return here

    async def _close_with_loop(self, here: _LoopLanes) -> AsyncGenerator[None, None]:
        # asyncio.run finalises the async generators that are left over; so this closes what nobody closed.
        try:
            yield
        finally:
            self._loops.pop(here.loop, None)
            if self._last is here:
                self._last = None
            for pool in here.pools.values():
                await pool.aclose()

    def _make_pool(self, here: _LoopLanes, origin: tuple[bool, str, int]) -> LanePool:
        pool = here.pools[origin] = LanePool(
            here.loop, Origin(*origin), self._trust, max_lanes=self._max_lanes, max_waiting=self._max_waiting
        )
        return pool
