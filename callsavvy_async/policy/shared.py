"""The pacer of processes that share a limit: together they send at one rate.

Theory.
1.  One controller. The rate controller and the gate are stored in a row that all processes read (`reservation_protocol`).
    Each process holds a replica and follows the row's counts, so all replicas are the same.
2.  Reservations. Each process reserves slots in blocks, ahead of time, at the controller's rate, and starts a request at
    each of its slots. A request itself never waits for the row.
3.  One verdict. After a 429 or a probe, a process cancels its slots and reads the row. If another process has already
    shut the gate, the 429 is late and teaches nothing. Otherwise it writes the changed controller to the row, or starts
    over if another process was faster. So the first 429 counts once for all. The others look every `LOOK` seconds.
4.  Probes. While the gate is shut, each process reserves one slot, `PATIENCE` apart, the first when the gate opens. These
    are the probes. The verdict on the first probe changes the controller and so cancels the rest; without a verdict,
    the next process probes.
5.  Own limits. Each process limits its own requests in flight, and reserves only as many slots as it can serve. While
    the row is unavailable, it continues in standalone mode (`standalone`).
Quantities
    LOOK       s           time between two looks at the row, while the process might send
    SELDOM     s           the same while its next slot is farther away
    AHEAD      s           of the whole rate that all processes together reserve ahead
    LOW        s           before the last slot, when a process reserves again
    PATIENCE   s           after a probe without a verdict, when another process probes
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import count

import attrs

from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.concurrency_controller import ConcurrencyController
from callsavvy_async.policy.controller_replica import UNKNOWN, ControllerReplica
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.fixed import FIRST_PAUSE
from callsavvy_async.policy.gate import Gate
from callsavvy_async.policy.pacer import MAX_IN_FLIGHT, PacerSnapshot
from callsavvy_async.policy.rate_controller import CATCH_UP, RateController
from callsavvy_async.policy.reservation_protocol import Replace, Reserve, RowRequest, RowState
from callsavvy_async.policy.reservations import Reservations
from callsavvy_async.policy.standalone import OUT_OF_REACH, STANDALONE, Standalone

LOOK, SELDOM = 0.15, 1.0
AHEAD = 0.5
LOW = 0.1
PATIENCE = 1.0
_VERSIONS = count()


@attrs.define(kw_only=True, on_setattr=attrs.setters.NO_OP)
class SharedPacer:
    """Share a limit with other processes. The caller carries what `next_request` returns to the row.

    Args:
        max_in_flight: Maximum number of this process's requests in flight.
        block: Maximum number of slots in a reservation.
        share: Requests per second of this process if it has never reached the row.
        known: Rate and burst of a configured limit; None to find the limit.
        new_version: Returns a text that no other process returns, such as a random one.
    """

    max_in_flight: int = MAX_IN_FLIGHT
    block: int = 10
    share: float = 1.0
    known: tuple[float, int] | None = None
    new_version: Callable[[], str] = attrs.field(default=lambda: str(next(_VERSIONS)), repr=False)
    wake: Callable[[], None] = attrs.field(default=lambda: None, init=False, repr=False)
    """Called when `next_request` may have a request."""

    _local: Adaptive = attrs.field(init=False, repr=False)
    """Counts this process's requests, and judges them with the controllers of the replica."""
    _replica: ControllerReplica = attrs.field(factory=ControllerReplica, init=False, repr=False)
    _reservations: Reservations = attrs.field(factory=Reservations, init=False, repr=False)
    _standalone: Standalone = attrs.field(factory=Standalone, init=False, repr=False)
    _read_at: float = attrs.field(default=-math.inf, init=False, repr=False)
    _pending: list[tuple[Permit, Feedback]] = attrs.field(factory=list, init=False, repr=False)
    """Outcomes that may move the gate and are not in the row yet."""
    _judged: int = attrs.field(default=0, init=False, repr=False)
    """Number of pending outcomes already reflected in the proposed controller."""
    _pending_at: float = attrs.field(default=-math.inf, init=False, repr=False)
    _suspended: bool = attrs.field(default=False, init=False, repr=False)
    """True while new slots are invalid, until the pending outcomes are judged."""
    _cancelled: int = attrs.field(default=0, init=False, repr=False)
    _proposed: bool = attrs.field(default=False, init=False, repr=False)
    """True if the replica is to replace the row's controller."""
    _paused_at: float = attrs.field(default=-math.inf, init=False, repr=False)
    _not_before: float = attrs.field(default=-math.inf, init=False, repr=False)
    """End of a pause that holds here, whatever the row says."""

    def __attrs_post_init__(self) -> None:
        self._local, concurrency = Adaptive(max_in_flight=self.max_in_flight), ConcurrencyController()
        if self.known is not None:
            rate, _ = self.known
            self._replica.rate = RateController(estimated_limit=rate, rate=rate, started=True, fixed=True)
            concurrency = ConcurrencyController(limit=math.inf)
        self._local.use(self._replica.rate, self._replica.gate, concurrency)

    def delay(self, now: float) -> float:
        """See `Pacer.delay`."""
        if self._local.in_flight >= self._local.allowed(now):
            return math.inf
        alone = self._standalone.pacer
        wait = self._reservations.delay(now) if alone is None else alone.delay(now)
        if self._reservations.last - now < LOW:
            self.wake()
        return max(wait, self._not_before - now) if now >= self._paused_at else wait  # the clock was set back

    def sent(self, now: float) -> Permit:
        """See `Pacer.sent`."""
        if (alone := self._standalone.pacer) is not None:
            alone.sent(now)
            return attrs.evolve(self._local.sent(now, reserved=True), episode=STANDALONE)
        self._reservations.take(probe=self._replica.gate.shut)
        return self._local.sent(now, reserved=True)

    def done(self, now: float, permit: Permit, feedback: Feedback) -> None:
        """See `Pacer.done`."""
        self._local.done(now, permit, feedback, judge=False)
        if permit.probe or feedback.signal is Signal.RATE_LIMITED:
            self._store(now, permit, feedback)
        if permit.episode == STANDALONE and (alone := self._standalone.pacer) is not None:
            alone.done(now, permit, feedback)

    def snapshot(self, now: float) -> PacerSnapshot:
        """See `Pacer.snapshot`. Rates cover all processes; in standalone mode, only this one."""
        local, pacer = self._local.snapshot(now), self._standalone.pacer
        shared = attrs.evolve(local, shut_for=max(local.shut_for, self._not_before - now))
        if self.known:
            shared = attrs.evolve(shared, learned_in_flight=None)
        if pacer is None:
            why = "fixed rate" if self.known and local.why == "learned rate" else local.why
            return attrs.evolve(shared, why=f"{why}, shared", processes=self.processes)
        alone = pacer.snapshot(now)
        shut_for = max(shared.shut_for, alone.shut_for)
        return attrs.evolve(shared, rate=alone.rate, learned_rate=alone.rate, shut_for=shut_for, why=OUT_OF_REACH)

    def restore(self, learned: Mapping[str, object]) -> None:
        """See `Pacer.restore`. The row's controller takes precedence."""
        if self.known is None:
            self._local.restore(learned)
            if self._replica.version == UNKNOWN:
                self._replica.begin_with(self._local.controllers[0])
            self._follow()

    @property
    def is_standalone(self) -> bool:
        """True while the row is unavailable."""
        return self._standalone.pacer is not None

    @property
    def processes(self) -> int:
        """Number of processes in the last response of the row, including this one."""
        return max(1, self._standalone.processes)

    def next_request(self, now: float, waiting: int) -> RowRequest | None:
        """Return the next request to the row, or None. Its response goes to `on_response`.

        Args:
            now: Monotonic seconds.
            waiting: Number of requests that wait for their turn.
        """
        version = self._replica.version
        if self._proposed:
            return Replace(version, self.new_version(), *self._replica.write(now))
        if self.is_standalone or version == UNKNOWN or self._pending:
            return Reserve(version)
        if count := self._needed(now, waiting):
            return self._reserve(now, count)
        return None if self.look_in(now, waiting) > 0.0 else Reserve(version, released=self._reservations.release())

    def look_in(self, now: float, waiting: int) -> float:
        """Return the seconds until the next look at the row, if no event comes first; infinity for never."""
        if not waiting and not self._reservations and not self._reservations.expired:
            return math.inf
        gate, since = self._replica.gate, now - self._read_at
        until = gate.opens_at - now if gate.shut else self._reservations.delay(now)
        return max(min(max(LOOK, until - LOOK), SELDOM) - since, 0.0) if since >= 0.0 else 0.0

    def on_response(self, request: RowRequest, row: RowState, *, sent_at: float, received_at: float) -> None:
        """Update the replica and the slots from a response of the row.

        Args:
            request: Request from `next_request`.
            row: State of the row after it.
            sent_at: Time at which the request was sent, in monotonic seconds.
            received_at: Time at which the response arrived, in monotonic seconds.
        """
        replica = self._replica
        self._reservations.move(replica.set_clock(row, sent_at=sent_at, received_at=received_at))
        self._read_at, self._proposed = received_at, False
        if (alone := self._standalone.pacer) is not None:
            self._pause(received_at, alone.snapshot(received_at).shut_for)
            self._standalone.leave(received_at)
        self._standalone.processes = row.processes
        if row.version != replica.version:
            self._proposed = not replica.adopt(received_at, row)
            self._follow()
            self._reservations.start_over(shut_at=replica.rate.shut_at if replica.gate.shut else math.inf)
            self._cancelled = 0
            self._suspended = bool(self._pending)
        replica.count(row)
        if request.version == row.version:
            if isinstance(request, Replace):
                del self._pending[: self._judged]
                self._suspended = bool(self._pending)
            elif request.count:
                self._add_slots(received_at, request)
        self._judged = 0
        if self._pending and sent_at >= self._pending_at:
            self._judge_pending(received_at)

    def on_disconnect(self, now: float) -> None:
        """Continue in standalone mode: the row is unavailable."""
        if any(feedback.signal is Signal.RATE_LIMITED for _, feedback in self._pending):
            self._pause(now, FIRST_PAUSE)
        self._pending.clear()
        self._suspended = self._proposed = False
        if self.is_standalone:
            return
        rate, gate = self._replica.rate, self._replica.gate
        if gate.shut:
            self._pause(now, gate.opens_at - now)
        share_of = rate.estimated_limit if rate.started else rate.rate
        self._standalone.enter(now, rate=share_of, first_share=self.share, max_in_flight=self.max_in_flight)
        self._reservations.cancel()
        self._follow()
        self._replica.forget(now, expired=self._reservations.release())

    def _follow(self) -> None:
        """Use the replica's controllers. In standalone mode there is no gate to probe."""
        self._local.use(self._replica.rate, Gate() if self.is_standalone else self._replica.gate)

    def _store(self, now: float, permit: Permit, feedback: Feedback) -> None:
        """Store the outcome until the row has been read."""
        if feedback.signal is Signal.RATE_LIMITED and feedback.retry_after is not None:
            self._pause(now, feedback.retry_after)
        if permit.episode == STANDALONE or self.is_standalone:
            if feedback.signal is Signal.RATE_LIMITED:
                self._pause(now, FIRST_PAUSE)
            return
        self._pending.append((permit, feedback))
        self._pending_at = now
        if not self._replica.gate.shut or feedback.retry_after is not None:
            self._suspended = True
            self._cancelled += self._reservations.cancel()
        self.wake()

    def _pause(self, now: float, seconds: float) -> None:
        self._paused_at, self._not_before = now, max(self._not_before, now + seconds)

    def _judge_pending(self, now: float) -> None:
        gate, rate = self._replica.gate, self._replica.rate
        before, admitted = (gate.shut, gate.opens_at, gate.episode), rate.admitted
        ahead = 0 if gate.shut else self._replica.reserved_ahead(now) + self._reservations.expired
        rate.reserved(-ahead)  # requests that are not sent if the gate shuts
        for permit, feedback in self._pending:
            probe = permit.probe and gate.shut and permit.episode == gate.episode
            if probe or feedback.signal is Signal.RATE_LIMITED:
                self._local.judge(now, attrs.evolve(permit, probe=probe), feedback)
        self._judged = len(self._pending)
        if before != (gate.shut, gate.opens_at, gate.episode):
            self._proposed = True
        else:
            self._pending.clear()
            withdrawn = admitted - ahead - rate.admitted
            rate.reserved(ahead + withdrawn)  # the row takes them back, and the replica follows it
            self._reservations.expired += self._cancelled + withdrawn
        self._suspended, self._cancelled = False, 0

    def _needed(self, now: float, waiting: int) -> int:
        """Return the number of slots to reserve now."""
        held, allowed = len(self._reservations), self._local.allowed(now)
        free, (_, _, concurrency) = allowed - self._local.in_flight, self._local.controllers
        over = int(allowed * concurrency.turns(self._replica.slot - now))  # until the slots come
        wanted = min(waiting, free + over) - held
        if min(free, wanted) <= 0 or self._reservations.last - now >= LOW:
            return 0
        if self._replica.gate.shut:
            return 0 if held else 1
        return max(1, min(wanted, self.block, int(AHEAD * self._replica.rate.rate / self.processes)))

    def _reserve(self, now: float, count: int) -> Reserve:
        released = self._reservations.release()
        if self._replica.gate.shut:
            return Reserve(self._replica.version, 1, PATIENCE, counted=False, released=released)
        rate, late = self._replica.rate.pace(self._replica.slot)
        interval = 1.0 / (rate * self._standalone.part(now))
        credit = CATCH_UP if self.known is None else (self.known[1] - 1) / self.known[0]
        throttled_for = count * (interval - 1.0 / rate + late)
        return Reserve(self._replica.version, count, interval, credit, released=released, throttled_for=throttled_for)

    def _add_slots(self, now: float, reservation: Reserve) -> None:
        if self._suspended:
            self._cancelled += reservation.count if reservation.counted else 0
            return
        count, interval, counted = reservation.count, reservation.interval, reservation.counted
        first, grace = self._replica.slot - count * interval, max(CATCH_UP, interval)
        self._reservations.add(now, first, interval=interval, count=count, grace=grace, counted=counted)
