"""The one task of a client that asks the row, so that no call has to.

It runs while there is demand, in no task group of anybody's, and ends with the client or after `IDLE` seconds without
demand; the next call that needs a slot starts it again, in whatever event loop that request runs. Event loops that run at
once, in threads of their own, have one of it together; when its loop ends, another takes it over. When the row is out of
reach it says so once, lets the pacer go on alone, and tries again until the row is back.
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
"""Seconds between two tries to reach the row: they double."""
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
    """Whether it asks no more, though its connection may still be open."""


class ReservationClient:
    """Carries the requests of a pacer to its row, and tells the limiter when there is an answer.

    Args:
        limiter: whose pacer is `pacer`.
        pacer: asks.
        connect: opens the row.
        name: of the limit, for who listens.
        hooks: who listens.
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
        """Look whether there is something to ask."""
        running, (loop, call_soon) = self._running, running_loop()
        if running is None or running.is_over or not self._wake(running, loop):
            running = self._running = _Running(loop, call_soon)
            spawn(self._run(running))
        running.wanted_at = current_time()

    async def aclose(self) -> None:
        """Stop asking, and close the connection, in this event loop."""
        running = self._running
        if running is not None and runs_here(running.loop):
            running.is_over = True
            running.scope.cancel()
            with anyio.CancelScope(shield=True):
                await running.ended.wait()
            self._limiter.look_again()  # requests that still wait would never hear of a slot: they begin it anew

    @staticmethod
    def _wake(running: _Running, loop: object) -> bool:
        """Wake the task in its event loop; return whether that still runs."""
        if running.loop is loop:
            running.woken.set()
            return True
        return reach(running.call_soon, lambda: running.woken.set())  # noqa: PLW0108 - the event of that moment

    async def _run(self, running: _Running) -> None:
        retry = FIRST_RETRY
        try:
            with running.scope:
                while True:
                    try:
                        async with self._connect() as row:
                            try:
                                await self._serve(row, running)
                            except anyio.get_cancelled_exc_class():
                                running.is_over = True  # also if an error of the connection takes this one's place
                                raise
                    except Exception as error:  # noqa: BLE001 - whatever it is, requests go on, and it is told
                        if running.is_over:  # nothing is lost by how a connection ends that nobody needs
                            return
                        retry = min(2.0 * retry, LONGEST_RETRY) if self._pacer.is_standalone else FIRST_RETRY
                        self._lose(str(error) if isinstance(error, UnreachableError) else repr(error))
                        await anyio.sleep(retry)
                        if self._is_idle(running, current_time()):
                            return
                    except BaseExceptionGroup as group:  # the same, in one group with a cancellation
                        if (cancelled := group.split(Exception)[1]) is not None:
                            raise cancelled from None
                    if running.is_over:
                        return
        finally:
            running.is_over = True
            running.ended.set()
            self._limiter.look_again_everywhere()  # where requests wait in other event loops, they begin it anew

    async def _serve(self, row: ReservationStore, running: _Running) -> None:
        """Ask whatever there is to ask, until nobody has wanted anything for long."""
        pacer, limiter = self._pacer, self._limiter
        while not running.is_over:
            now = current_time()
            with limiter.lock:
                request = pacer.next_request(now, limiter.waiting)
            if request is not None:
                view = await row.execute(request)
                was_alone, received_at = pacer.is_standalone, current_time()
                with limiter.lock:
                    pacer.on_response(request, view, sent_at=now, received_at=received_at)
                if was_alone:
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
