"""A discrete-event simulation of processes that share one limit through one row.

Each process has endless work, a clock that is wrong by hours, and a latency of up to two milliseconds to the row.
With `alone`, the same processes run without the row and without coordination.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable

import attrs

from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.feedback import Permit
from callsavvy_async.policy.reservation_protocol import RowRequest, RowState
from callsavvy_async.policy.shared import SharedPacer
from testbed.limiter.ledger import Ledger
from testbed.limiter.servers import Answer, Server
from testbed.limiter.simulation import feedback_on, mild

WORKERS = 64
EPOCH = 1.7e9
TRIP = 0.001


@attrs.define
class Process:
    """One process: its pacer, its clock, and its requests in flight."""

    pacer: SharedPacer | Adaptive
    skew: float
    busy: int = 0
    asking: bool = False
    wakes_at: float = math.inf
    accepted: list[float] = attrs.field(factory=list)
    refused: list[float] = attrs.field(factory=list)


@attrs.define
class Fleet:
    """All processes, the row and the server, in one virtual time."""

    server: Server
    processes: list[Process]
    rng: random.Random
    ledger: Ledger = attrs.field(factory=Ledger)
    reachable: Callable[[float], bool] = lambda _: True
    epoch: float = EPOCH
    arrived: list[float] = attrs.field(factory=list)
    row_requests: int = 0
    _events: list[tuple[float, int, Callable[[float], None]]] = attrs.field(factory=list)
    _order: int = 0

    def run(self, seconds: float) -> None:
        """Run the simulation until this time."""
        for process in self.processes:
            self._at(self.rng.uniform(0.0, 0.1), lambda now, one=process: self._dispatch(now, one))
        while self._events and self._events[0][0] <= seconds:
            at, _, event = heapq.heappop(self._events)
            event(at)

    def accepted_between(self, start: float, end: float) -> int:
        """Return the number of accepted requests in (start, end]."""
        return sum(start < at <= end for process in self.processes for at in process.accepted)

    def refused_between(self, start: float, end: float) -> int:
        """Return the number of 429s in (start, end]."""
        return sum(start < at <= end for process in self.processes for at in process.refused)

    def most_in_a_second(self, start: float, end: float = math.inf) -> int:
        """Return the maximum number of arrivals in any second that ends between the two times."""
        times, most, first = sorted(at for at in self.arrived if at <= end), 0, 0
        for last, at in enumerate(times):
            while times[first] <= at - 1.0:
                first += 1
            most = max(most, last - first + 1) if at > start else most
        return most

    def _at(self, at: float, event: Callable[[float], None]) -> None:
        self._order += 1
        heapq.heappush(self._events, (at, self._order, event))

    def _dispatch(self, now: float, process: Process) -> None:
        pacer, local = process.pacer, now + process.skew
        while process.busy < WORKERS:
            wait = pacer.delay(local)
            if wait > 0.0:
                self._wake(process, now + wait, now)
                break
            process.busy += 1
            permit = pacer.sent(local)
            self._at(now + self.rng.uniform(0.01, 0.04), lambda at, sent=permit: self._arrive(at, process, sent))
        if isinstance(pacer, SharedPacer) and not process.asking:
            self._ask(now, process, pacer)

    def _wake(self, process: Process, at: float, now: float) -> None:
        def wake(at: float) -> None:
            if at >= process.wakes_at:
                process.wakes_at = math.inf
                self._dispatch(at, process)

        if at < process.wakes_at or process.wakes_at < now:
            process.wakes_at = at
            self._at(at, wake)

    def _ask(self, now: float, process: Process, pacer: SharedPacer) -> None:
        waiting = WORKERS - process.busy
        request = pacer.next_request(now + process.skew, waiting)
        if request is None:
            wait = pacer.look_in(now + process.skew, waiting)
            self._wake(process, now + max(wait, 0.001), now)
            return
        process.asking = True
        self.row_requests += 1
        self._at(now + self.rng.uniform(0.0, TRIP), lambda at: self._execute(at, process, pacer, request, now))

    def _execute(self, now: float, process: Process, pacer: SharedPacer, request: RowRequest, sent_at: float) -> None:
        view = None
        if self.reachable(now):
            view = self.ledger.execute(self.epoch + now, str(id(process)), request)
        back = now + (self.rng.uniform(0.0, TRIP) if view else 0.2)
        self._at(back, lambda at: self._received(at, process, pacer, request, view, sent_at=sent_at))

    def _received(
        self,
        now: float,
        process: Process,
        pacer: SharedPacer,
        request: RowRequest,
        view: RowState | None,
        *,
        sent_at: float,
    ) -> None:
        process.asking = False
        if view is None:
            pacer.on_disconnect(now + process.skew)
        else:
            pacer.on_response(request, view, sent_at=sent_at + process.skew, received_at=now + process.skew)
        self._dispatch(now, process)

    def _arrive(self, now: float, process: Process, permit: Permit) -> None:
        self.arrived.append(now)
        answer = self.server.arrive(now, share=1.0, rng=self.rng)
        took = self.rng.uniform(0.02, 0.05) if answer.status == 429 else max(0.01, mild(self.rng, now) - 0.025)
        self._at(now + took, lambda at: self._done(at, process, permit, answer))

    def _done(self, now: float, process: Process, permit: Permit, answer: Answer) -> None:
        process.busy -= 1
        (process.refused if answer.status == 429 else process.accepted).append(now)
        process.pacer.done(now + process.skew, permit, feedback_on(answer))
        self._dispatch(now, process)


def make_fleet(
    server: Server, count: int, *, known: tuple[float, int] | None = None, alone: bool = False, seed: int = 0
) -> Fleet:
    """Make `count` processes, whose clocks are wrong by up to a day."""
    rng = random.Random(seed)
    pacers = [Adaptive() if alone else SharedPacer(known=known) for _ in range(count)]
    return Fleet(server, [Process(pacer, rng.uniform(-1e5, 1e5)) for pacer in pacers], rng)
