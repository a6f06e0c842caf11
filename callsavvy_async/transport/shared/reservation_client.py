"""The background task that exchanges requests with the shared row, so that API requests never wait for it.

A client has one such task per shared limit, even with event loops in several threads. The first request that needs a slot
starts it in its own event loop. It ends with the client, or after `IDLE` seconds without demand. If its event loop ends,
the next request starts it in another one. While the row is unavailable, the task notifies the hooks once, puts the pacer
into standalone mode, and reconnects.
"""

from __future__ import annotations

import anyio
import attrs

from callsavvy_async.policy.shared import SharedPacer
from callsavvy_async.transport.background import spawn
from callsavvy_async.transport.clock import current_time
from callsavvy_async.transport.hooks import Hooks, SharedLimitLost, SharedLimitRestored
from callsavvy_async.transport.loops import CallSoon, reach, running_loop, runs_here
from callsavvy_async.transport.rate_limiter import RateLimiter
from callsavvy_async.transport.shared.reservation_store import Connect, ReservationStore, UnreachableError

IDLE = 30.0
FIRST_RETRY, LONGEST_RETRY = 0.1, 1.0
"""Seconds between two attempts to reach the row; the wait doubles from the first to the longest."""
_TICK = 1e-3


@attrs.define(eq=False)
class _Running:
    """The task in one event loop."""

    loop: object
    call_soon: CallSoon
    woken: anyio.Event = attrs.field(factory=anyio.Event)
    ended: anyio.Event = attrs.field(factory=anyio.Event)
    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    wanted_at: float = 0.0
    is_over: bool = False
    """True once it sends no more requests, although its connection may still be open."""


class ReservationClient:
    """Sends the requests of a pacer to its row, and wakes the rate limiter after each response.

    Args:
        limiter: Rate limiter of `pacer`.
        pacer: Pacer of the shared limit.
        connect: Opens a connection to the row.
        name: Name of the limit, for the hooks.
        hooks: Receive the loss and the return of the row.
    """

    def __init__(self, limiter: RateLimiter, pacer: SharedPacer, connect: Connect, name: str, hooks: Hooks) -> None:
        self._limiter = limiter
        self._pacer = pacer
        self._connect = connect
        self._name = name
        self._hooks = hooks
        self._running: _Running | None = None
        self._lost_at = 0.0
        pacer.wake = self.wake

    def wake(self) -> None:
        """Start the task, or wake it to look for a request."""
        running, (loop, call_soon) = self._running, running_loop()
        if running is None or running.is_over or not self._wake(running, loop):
            running = self._running = _Running(loop, call_soon)
            spawn(self._run(running))
        running.wanted_at = current_time()

    async def aclose(self) -> None:
        """Stop the task and close its connection, if it runs in this event loop."""
        running = self._running
        if running is not None and runs_here(running.loop):
            running.is_over = True
            running.scope.cancel()
            with anyio.CancelScope(shield=True):
                await running.ended.wait()
            self._limiter.look_again()  # waiting requests start the task again

    @staticmethod
    def _wake(running: _Running, loop: object) -> bool:
        """Wake the task in its event loop; return False if that loop is closed."""
        if running.loop is loop:
            running.woken.set()
            return True
        return reach(running.call_soon, lambda: running.woken.set())  # noqa: PLW0108 - `woken` changes

    async def _run(self, running: _Running) -> None:
        retry = FIRST_RETRY
        try:
            with running.scope:
                while True:
                    try:
                        await self._serve_connected(running)
                    except Exception as error:  # noqa: BLE001 - requests continue whatever fails here
                        if running.is_over:  # an error while closing is harmless
                            return
                        retry = min(2.0 * retry, LONGEST_RETRY) if self._pacer.is_standalone else FIRST_RETRY
                        self._lose(str(error) if isinstance(error, UnreachableError) else repr(error))
                        await anyio.sleep(retry)
                        if self._is_idle(running, current_time()):
                            return
                    except BaseExceptionGroup as group:  # an error in one group with a cancellation
                        if (cancelled := group.split(Exception)[1]) is not None:
                            raise cancelled from None
                    if running.is_over:
                        return
        finally:
            running.is_over = True
            running.ended.set()
            self._limiter.look_again_everywhere()  # requests that wait in other event loops start the task again

    async def _serve_connected(self, running: _Running) -> None:
        async with self._connect() as row:
            try:
                await self._serve(row, running)
            except anyio.get_cancelled_exc_class():
                running.is_over = True  # even if closing the connection raises another error
                raise

    async def _serve(self, row: ReservationStore, running: _Running) -> None:
        """Send the pacer's requests until there is no demand for `IDLE` seconds."""
        pacer, limiter = self._pacer, self._limiter
        while not running.is_over:
            now = current_time()
            with limiter.lock:
                request = pacer.next_request(now, limiter.waiting)
            if request is not None:
                state = await row.execute(request)
                was_standalone, received_at = pacer.is_standalone, current_time()
                with limiter.lock:
                    pacer.on_response(request, state, sent_at=now, received_at=received_at)
                if was_standalone:
                    self._hooks(SharedLimitRestored(self._name, received_at - self._lost_at, pacer.processes))
                limiter.look_again()
                continue
            if self._is_idle(running, now):
                running.is_over = True
                return
            with anyio.move_on_after(min(max(pacer.look_in(now, limiter.waiting), _TICK), IDLE)):
                await running.woken.wait()
            running.woken = anyio.Event()

    def _is_idle(self, running: _Running, now: float) -> bool:
        return now - running.wanted_at >= IDLE and not self._limiter.waiting

    def _lose(self, reason: str) -> None:
        pacer, now = self._pacer, current_time()
        first = not pacer.is_standalone
        with self._limiter.lock:
            pacer.on_disconnect(now)
        if first:
            self._lost_at = now
            self._hooks(SharedLimitLost(self._name, pacer.snapshot(now).rate or 0.0, pacer.processes, reason))
        self._limiter.look_again()
