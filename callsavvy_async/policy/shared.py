"""The pacer of processes that share one limit: together they behave as one.

Theory. What `Adaptive` has learned of the rate, its rate controller and its gate, is not kept here but in a row (`reservations`)
that all processes read; each holds a copy and follows the row's counts, so all hold the same controller. Slots are reserved in
blocks, ahead of time, at the rate of the controller, and requests start when the slots of their own process come: nothing on
the way of a request asks anybody.

A process that is refused, or whose probe has ended, gives up its slots, reads the row, and judges by *that*: if another
has shut the gate already, the refusal is a late one and says nothing new. If it changes the gate, the changed controller goes
into the row, unless somebody was faster; then it is judged anew. So one refusal cuts once, for all. The others see it
with the next answer, and while they have slots or wait for some they look every `LOOK` seconds.

While the gate is shut, slots are reserved all the same: one each, `PATIENCE` apart, the first when the gate opens. They
are the probes. The verdict on the first changes the controller, and the others are void; without one, the next in line probes.

What is in flight each process counts and limits for itself: that is about its connections. It reserves what they can serve
until the slots come. The clock is the row's. When the row is out of reach, each goes on alone: a little under its share
of the last known rate by the last known number of processes, or at `share` if it has never known. When the row is back,
they return one by one; until all had the time to, those that have take no more than their part of the rate.

Quantities
    LOOK       s           how often a process looks whether the gate has shut, while it might send
    SELDOM     s           the same while its next slot is farther away
    AHEAD      s           of the whole rate are reserved by all processes together
    LOW        s           before the last slot comes, the next are reserved
    PATIENCE   s           after a probe without a verdict, another process probes
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Mapping

import attrs

from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.concurrency_controller import ConcurrencyController
from callsavvy_async.policy.controller_replica import UNKNOWN, ControllerReplica
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.fixed import FIRST_PAUSE, FixedRate
from callsavvy_async.policy.fixed_controller import FixedRateController
from callsavvy_async.policy.pacer import PacerSnapshot
from callsavvy_async.policy.rate_controller import CATCH_UP
from callsavvy_async.policy.reservation_protocol import Replace, Reserve, RowRequest, RowState
from callsavvy_async.policy.reservations import Reservations

LOOK = 0.15
AHEAD = 0.5
SELDOM = 1.0
LOW = 0.1
PATIENCE = 1.0
OUT_OF_REACH = "shared limit out of reach, a share of it"
"""Why requests are held back then."""
STANDALONE = -1
"""The episode of permits that were given out while the row was out of reach."""
SAFETY = 0.95
"""Part of its share that a process uses alone: nobody can tell the others that it was too much."""
RETURN = 3.0
"""Seconds after which all processes have found the row again: longer than they wait between two tries."""


@attrs.define(kw_only=True, on_setattr=attrs.setters.NO_OP)
class SharedPacer(Adaptive):
    """Keep to a limit that other processes use too. Whoever drives it carries what `next_request` returns to the row.

    Args:
        max_in_flight: most requests of this process on their way at a time.
        block: most slots that are reserved at a time.
        share: requests per second when the row has never been reached.
        known: the rate and the burst, if the limit need not be found.
    """

    block: int = 10
    share: float = 1.0
    known: tuple[float, int] | None = None
    wake: Callable[[], None] = attrs.field(default=lambda: None, init=False, repr=False)
    """Called when there may be something to ask."""

    _replica: ControllerReplica = attrs.field(factory=ControllerReplica, init=False, repr=False)
    _reservations: Reservations = attrs.field(factory=Reservations, init=False, repr=False)
    _read_at: float = attrs.field(default=-math.inf, init=False, repr=False)
    _pending: list[tuple[Permit, Feedback]] = attrs.field(factory=list, init=False, repr=False)
    """What moves the gate and is not in the row yet."""
    _judged: int = attrs.field(default=0, init=False, repr=False)
    """How many of the news the controller that is drafted takes into account."""
    _pending_at: float = attrs.field(default=-math.inf, init=False, repr=False)
    _suspended: bool = attrs.field(default=False, init=False, repr=False)
    """Whether slots are void until the news are judged."""
    _cancelled: int = attrs.field(default=0, init=False, repr=False)
    _proposed: bool = attrs.field(default=False, init=False, repr=False)
    """Whether the controller here is one that the row ought to have."""
    _standalone: FixedRate | None = attrs.field(default=None, init=False, repr=False)
    _paused_at: float = attrs.field(default=-math.inf, init=False, repr=False)
    _not_before: float = attrs.field(default=-math.inf, init=False, repr=False)
    """When a pause ends that holds here whatever the row says."""
    _processes: int = attrs.field(default=0, init=False, repr=False)
    _missed: int = attrs.field(default=0, init=False, repr=False)
    """How many processes there were before the row was out of reach."""
    _all_back_at: float = attrs.field(default=-math.inf, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.known is not None:
            rate, _ = self.known
            self._replica.rate = FixedRateController(estimated_limit=rate, rate=rate, started=True)
            self._concurrency = ConcurrencyController(limit=math.inf)
        self._rate, self._gate = self._replica.rate, self._replica.gate

    def delay(self, now: float) -> float:
        """See `Pacer.delay`."""
        if self._in_flight >= self._allowed(now):
            return math.inf
        wait = self._reservations.delay(now) if self._standalone is None else self._standalone.delay(now)
        if self._reservations.last - now < LOW:
            self.wake()
        return max(wait, self._not_before - now) if now >= self._paused_at else wait  # else the clock was set back

    def sent(self, now: float) -> Permit:
        """See `Pacer.sent`."""
        self._in_flight += 1
        self._sent += 1
        self._concurrency.sent(self._in_flight)
        if self._standalone is not None:
            self._standalone.sent(now)
            return Permit(now, self._in_flight, STANDALONE)
        probe = self._gate.shut
        self._reservations.take(probe=probe)
        if probe:
            self._rate.probed(late=now - self._gate.opens_at)
            self._gate.probe_sent()
        return Permit(now, self._in_flight, self._gate.episode, probe)

    def done(self, now: float, permit: Permit, feedback: Feedback) -> None:
        """See `Pacer.done`."""
        super().done(now, permit, feedback)
        if permit.episode == STANDALONE and self._standalone is not None:
            self._standalone.done(now, permit, feedback)

    def snapshot(self, now: float) -> PacerSnapshot:
        """See `Pacer.snapshot`. The rates are those of all processes together, but for those of one that is alone."""
        seen = super().snapshot(now)
        alone = None if self._standalone is None else self._standalone.snapshot(now)
        return attrs.evolve(
            seen,
            rate=seen.rate if alone is None else alone.rate,
            shut_for=max(seen.shut_for, self._not_before - now, 0.0 if alone is None else alone.shut_for),
            learned_rate=seen.learned_rate if alone is None else alone.rate,
            learned_in_flight=seen.learned_in_flight if self.known is None else None,
            processes=self.processes if alone is None else None,
        )

    def restore(self, learned: Mapping[str, object]) -> None:
        """See `Pacer.restore`. What the row has counts for more."""
        if self.known is None:
            super().restore(learned)
            if self._replica.version == UNKNOWN:
                self._replica.begin_with(self._rate)
            self._rate = self._replica.rate

    @property
    def is_standalone(self) -> bool:
        """Whether the row is out of reach."""
        return self._standalone is not None

    @property
    def processes(self) -> int:
        """How many processes shared the limit when the row was last seen, this one included."""
        return max(1, self._processes)

    def next_request(self, now: float, waiting: int) -> RowRequest | None:
        """Return what to ask the row now, if anything; the answer goes to `on_response`.

        Args:
            now: monotonic seconds.
            waiting: how many requests wait for their turn.
        """
        version = self._replica.version
        if self._proposed:
            return Replace(version, secrets.token_hex(8), *self._replica.write(now))
        if self._standalone is not None or version == UNKNOWN or self._pending:
            return Reserve(version)
        if count := self._needed(now, waiting):
            return self._reserve(now, count)
        is_due = self.look_in(now, waiting) <= 0.0
        return Reserve(version, released=self._reservations.release()) if is_due else None

    def look_in(self, now: float, waiting: int) -> float:
        """Return the seconds until there is something to ask, if nothing happens meanwhile; infinity for never."""
        if not waiting and not self._reservations and not self._reservations.expired:
            return math.inf
        until = self._gate.opens_at - now if self._gate.shut else self._reservations.delay(now)
        since = now - self._read_at
        return max(min(max(LOOK, until - LOOK), SELDOM) - since, 0.0) if since >= 0.0 else 0.0

    def on_response(self, request: RowRequest, view: RowState, *, sent_at: float, received_at: float) -> None:
        """Follow the row, as it answered.

        Args:
            request: what `next_request` returned.
            view: the answer.
            sent_at: when the request was sent, in monotonic seconds.
            received_at: when the answer came.
        """
        controller = self._replica
        self._reservations.move(controller.set_clock(view, sent_at=sent_at, received_at=received_at))
        self._read_at, self._proposed = received_at, False
        self._come_back(received_at, view.processes)
        if view.version != controller.version:
            self._proposed = not controller.adopt(received_at, view)
            self._rate, self._gate = controller.rate, controller.gate
            self._reservations.start_over(shut_at=self._rate.shut_at if self._gate.shut else math.inf)
            self._cancelled = 0
            self._suspended = bool(self._pending)
        controller.count(view)
        if request.version == view.version:
            if isinstance(request, Replace):
                del self._pending[: self._judged]
                self._suspended = bool(self._pending)
            elif request.count:
                self._take_in(received_at, request)
        self._judged = 0
        if self._pending and sent_at >= self._pending_at:
            self._judge_pending(received_at)

    def on_disconnect(self, now: float) -> None:
        """Go on alone: the row is out of reach."""
        if any(feedback.signal is Signal.RATE_LIMITED for _, feedback in self._pending):
            self._pause(now, FIRST_PAUSE)
        self._pending.clear()
        self._suspended = self._proposed = False
        if self._standalone is not None:
            return
        if self._gate.shut:
            self._pause(now, self._gate.opens_at - now)
        known = self._rate.estimated_limit if self._rate.started else self._rate.rate
        self._missed = max(self._processes, self._missed if now < self._all_back_at else 0)  # not all may be back
        share = SAFETY * known / self._missed if self._missed else self.share
        self._standalone = FixedRate(share, max_in_flight=self.max_in_flight)
        self._reservations.cancel()
        self._replica.forget(now, expired=self._reservations.release())

    def _judge(self, now: float, permit: Permit, feedback: Feedback) -> None:
        """Put it off until the row has been read."""
        if feedback.signal is Signal.RATE_LIMITED and feedback.retry_after is not None:
            self._pause(now, feedback.retry_after)
        if permit.episode == STANDALONE or self._standalone is not None:
            if feedback.signal is Signal.RATE_LIMITED:
                self._pause(now, FIRST_PAUSE)
            return
        self._pending.append((permit, feedback))
        self._pending_at = now
        if not self._gate.shut or feedback.retry_after is not None:
            self._suspended = True
            self._cancelled += self._reservations.cancel()
        self.wake()

    def _pause(self, now: float, seconds: float) -> None:
        self._paused_at, self._not_before = now, max(self._not_before, now + seconds)

    def _judge_pending(self, now: float) -> None:
        gate, rate = self._gate, self._rate
        before, admitted = (gate.shut, gate.opens_at, gate.episode), rate.admitted
        ahead = 0 if gate.shut else self._replica.reserved_ahead(now) + self._reservations.expired
        rate.reserved(-ahead)  # what will not be sent if the gate shuts
        for permit, feedback in self._pending:
            probe = permit.probe and gate.shut and permit.episode == gate.episode
            if probe or feedback.signal is Signal.RATE_LIMITED:
                super()._judge(now, attrs.evolve(permit, probe=probe), feedback)
        self._judged = len(self._pending)
        if before != (gate.shut, gate.opens_at, gate.episode):
            self._proposed = True
        else:
            self._pending.clear()
            withdrawn = admitted - ahead - rate.admitted
            rate.reserved(ahead + withdrawn)  # the row takes them back, and this copy follows it
            self._reservations.expired += self._cancelled + withdrawn
        self._suspended, self._cancelled = False, 0

    def _come_back(self, now: float, processes: int) -> None:
        if self._standalone is not None:
            self._pause(now, self._standalone.snapshot(now).shut_for)
            self._standalone, self._all_back_at = None, now + RETURN
        self._processes = processes

    def _needed(self, now: float, waiting: int) -> int:
        """Return how many slots to reserve now."""
        held, allowed = len(self._reservations), self._allowed(now)
        free = allowed - self._in_flight
        over = int(allowed * self._concurrency.turns(self._replica.slot - now))  # by the time that the slots come
        wanted = min(waiting, free + over) - held
        if min(free, wanted) <= 0 or self._reservations.last - now >= LOW:
            return 0
        if self._gate.shut:
            return 0 if held else 1
        return max(1, min(wanted, self.block, int(AHEAD * self._rate.rate / self.processes)))

    def _reserve(self, now: float, count: int) -> Reserve:
        released = self._reservations.release()
        if self._gate.shut:
            return Reserve(self._replica.version, 1, PATIENCE, counted=False, released=released)
        rate, late = self._rate.pace(self._replica.slot)
        back = self._processes / self._missed if self._missed and now < self._all_back_at else 1.0
        interval = 1.0 / (rate * min(1.0, back))
        credit = CATCH_UP if self.known is None else (self.known[1] - 1) / self.known[0]
        throttled_for = count * (interval - 1.0 / rate + late)
        return Reserve(self._replica.version, count, interval, credit, released=released, throttled_for=throttled_for)

    def _take_in(self, now: float, reservation: Reserve) -> None:
        if self._suspended:
            self._cancelled += reservation.count if reservation.counted else 0
            return
        count, interval = reservation.count, reservation.interval
        first, grace = self._replica.slot - count * interval, max(CATCH_UP, interval)
        self._reservations.add(now, first, interval=interval, count=count, grace=grace, counted=reservation.counted)

    def _why(self, allowed: int) -> str:
        if self._standalone is not None:
            return OUT_OF_REACH
        why = super()._why(allowed)
        return f"{'fixed rate' if self.known and why == 'learned rate' else why}, shared"
