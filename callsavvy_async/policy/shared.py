"""The pacer of processes that share one limit: together they behave as one.

Theory. What `Adaptive` has learned of the rate, its rate law and its gate, is not kept here but in a row (`bookings`)
that all processes read; each holds a copy and follows the row's counts, so all hold the same law. Slots are booked in
blocks, ahead of time, at the rate of the law, and requests start when the slots of their own process come: nothing on
the way of a call asks anybody.

A process that is refused, or whose probe has ended, gives up its slots, reads the row, and judges by *that*: if another
has shut the gate already, the refusal is a late one and says nothing new. If it changes the gate, the changed law goes
into the row, unless somebody was faster; then it is judged anew. So one refusal cuts once, for all. The others see it
with the next answer, and while they have slots or wait for some they look every `LOOK` seconds.

While the gate is shut, slots are booked all the same: one each, `PATIENCE` apart, the first when the gate opens. They
are the probes. The verdict on the first changes the law, and the others are void; without one, the next in line probes.

What is in flight each process counts and limits for itself: that is about its connections. It books what they can serve
until the slots come. The clock is the row's. When the row is out of reach, each goes on alone: a little under its share
of the last known rate by the last known number of processes, or at `share` if it has never known. When the row is back,
they return one by one; until all had the time to, those that have take no more than their part of the rate.

Quantities
    LOOK       s           how often a process looks whether the gate has shut, while it might send
    SELDOM     s           the same while its next slot is farther away
    AHEAD      s           of the whole rate are booked by all processes together
    LOW        s           before the last slot comes, the next are booked
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
from callsavvy_async.policy.pacer import Snapshot
from callsavvy_async.policy.rate_controller import CATCH_UP
from callsavvy_async.policy.reservation_protocol import Booking, Change, Question, View
from callsavvy_async.policy.reservations import Reservations

LOOK = 0.15
AHEAD = 0.5
SELDOM = 1.0
LOW = 0.1
PATIENCE = 1.0
OUT_OF_REACH = "shared limit out of reach, a share of it"
"""Why requests are held back then."""
ALONE = -1
"""The episode of permits that were given out while the row was out of reach."""
SAFETY = 0.95
"""Part of its share that a process uses alone: nobody can tell the others that it was too much."""
RETURN = 3.0
"""Seconds after which all processes have found the row again: longer than they wait between two tries."""


@attrs.define(kw_only=True, on_setattr=attrs.setters.NO_OP)
class SharedPacer(Adaptive):
    """Keep to a limit that other processes use too. Whoever drives it carries what `ask` returns to the row.

    Args:
        max_in_flight: most requests of this process on their way at a time.
        block: most slots that are booked at a time.
        share: requests per second when the row has never been reached.
        known: the rate and the burst, if the limit need not be found.
    """

    block: int = 10
    share: float = 1.0
    known: tuple[float, int] | None = None
    wake: Callable[[], None] = attrs.field(default=lambda: None, init=False, repr=False)
    """Called when there may be something to ask."""

    _law: ControllerReplica = attrs.field(factory=ControllerReplica, init=False, repr=False)
    _stock: Reservations = attrs.field(factory=Reservations, init=False, repr=False)
    _heard_at: float = attrs.field(default=-math.inf, init=False, repr=False)
    _news: list[tuple[Permit, Feedback]] = attrs.field(factory=list, init=False, repr=False)
    """What moves the gate and is not in the row yet."""
    _judged: int = attrs.field(default=0, init=False, repr=False)
    """How many of the news the law that is drafted takes into account."""
    _news_at: float = attrs.field(default=-math.inf, init=False, repr=False)
    _halted: bool = attrs.field(default=False, init=False, repr=False)
    """Whether slots are void until the news are judged."""
    _voided: int = attrs.field(default=0, init=False, repr=False)
    _draft: bool = attrs.field(default=False, init=False, repr=False)
    """Whether the law here is one that the row ought to have."""
    _alone: FixedRate | None = attrs.field(default=None, init=False, repr=False)
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
            self._law.rate = FixedRateController(belief=rate, rate=rate, started=True)
            self._concurrency = ConcurrencyController(limit=math.inf)
        self._rate, self._gate = self._law.rate, self._law.gate

    def delay(self, now: float) -> float:
        """See `Pacer.delay`."""
        if self._in_flight >= self._allowed(now):
            return math.inf
        wait = self._stock.delay(now) if self._alone is None else self._alone.delay(now)
        if self._stock.last - now < LOW:
            self.wake()
        return max(wait, self._not_before - now) if now >= self._paused_at else wait  # else the clock was set back

    def sent(self, now: float) -> Permit:
        """See `Pacer.sent`."""
        self._in_flight += 1
        self._sent += 1
        self._concurrency.sent(self._in_flight)
        if self._alone is not None:
            self._alone.sent(now)
            return Permit(now, self._in_flight, ALONE)
        probe = self._gate.shut
        self._stock.take(probe=probe)
        if probe:
            self._rate.probed(late=now - self._gate.opens_at)
            self._gate.probe_sent()
        return Permit(now, self._in_flight, self._gate.episode, probe)

    def done(self, now: float, permit: Permit, feedback: Feedback) -> None:
        """See `Pacer.done`."""
        super().done(now, permit, feedback)
        if permit.episode == ALONE and self._alone is not None:
            self._alone.done(now, permit, feedback)

    def snapshot(self, now: float) -> Snapshot:
        """See `Pacer.snapshot`. The rates are those of all processes together, but for those of one that is alone."""
        seen = super().snapshot(now)
        alone = None if self._alone is None else self._alone.snapshot(now)
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
            if self._law.version == UNKNOWN:
                self._law.begin_with(self._rate)
            self._rate = self._law.rate

    @property
    def is_alone(self) -> bool:
        """Whether the row is out of reach."""
        return self._alone is not None

    @property
    def processes(self) -> int:
        """How many processes shared the limit when the row was last seen, this one included."""
        return max(1, self._processes)

    def ask(self, now: float, waiting: int) -> Question | None:
        """Return what to ask the row now, if anything; the answer goes to `told`.

        Args:
            now: monotonic seconds.
            waiting: how many requests wait for their turn.
        """
        version = self._law.version
        if self._draft:
            return Change(version, secrets.token_hex(8), *self._law.write(now))
        if self._alone is not None or version == UNKNOWN or self._news:
            return Booking(version)
        if count := self._needed(now, waiting):
            return self._booking(now, count)
        is_due = self.look_in(now, waiting) <= 0.0
        return Booking(version, handed_back=self._stock.hand_back()) if is_due else None

    def look_in(self, now: float, waiting: int) -> float:
        """Return the seconds until there is something to ask, if nothing happens meanwhile; infinity for never."""
        if not waiting and not self._stock and not self._stock.lapsed:
            return math.inf
        until = self._gate.opens_at - now if self._gate.shut else self._stock.delay(now)
        since = now - self._heard_at
        return max(min(max(LOOK, until - LOOK), SELDOM) - since, 0.0) if since >= 0.0 else 0.0

    def told(self, question: Question, view: View, *, asked: float, answered: float) -> None:
        """Follow the row, as it answered.

        Args:
            question: what `ask` returned.
            view: the answer.
            asked: when the question was sent, in monotonic seconds.
            answered: when the answer came.
        """
        law = self._law
        self._stock.move(law.set_clock(view, asked=asked, answered=answered))
        self._heard_at, self._draft = answered, False
        self._come_back(answered, view.processes)
        if view.version != law.version:
            self._draft = not law.adopt(answered, view)
            self._rate, self._gate = law.rate, law.gate
            self._stock.start_over(shut_at=self._rate.shut_at if self._gate.shut else math.inf)
            self._voided = 0
            self._halted = bool(self._news)
        law.count(view)
        if question.version == view.version:
            if isinstance(question, Change):
                del self._news[: self._judged]
                self._halted = bool(self._news)
            elif question.count:
                self._take_in(answered, question)
        self._judged = 0
        if self._news and asked >= self._news_at:
            self._judge_news(answered)

    def lost(self, now: float) -> None:
        """Go on alone: the row is out of reach."""
        if any(feedback.signal is Signal.REFUSED for _, feedback in self._news):
            self._pause(now, FIRST_PAUSE)
        self._news.clear()
        self._halted = self._draft = False
        if self._alone is not None:
            return
        if self._gate.shut:
            self._pause(now, self._gate.opens_at - now)
        known = self._rate.belief if self._rate.started else self._rate.rate
        self._missed = max(self._processes, self._missed if now < self._all_back_at else 0)  # not all may be back
        share = SAFETY * known / self._missed if self._missed else self.share
        self._alone = FixedRate(share, max_in_flight=self.max_in_flight)
        self._stock.void()
        self._law.forget(now, lapsed=self._stock.hand_back())

    def _judge(self, now: float, permit: Permit, feedback: Feedback) -> None:
        """Put it off until the row has been read."""
        if feedback.signal is Signal.REFUSED and feedback.retry_after is not None:
            self._pause(now, feedback.retry_after)
        if permit.episode == ALONE or self._alone is not None:
            if feedback.signal is Signal.REFUSED:
                self._pause(now, FIRST_PAUSE)
            return
        self._news.append((permit, feedback))
        self._news_at = now
        if not self._gate.shut or feedback.retry_after is not None:
            self._halted = True
            self._voided += self._stock.void()
        self.wake()

    def _pause(self, now: float, seconds: float) -> None:
        self._paused_at, self._not_before = now, max(self._not_before, now + seconds)

    def _judge_news(self, now: float) -> None:
        gate, rate = self._gate, self._rate
        before, admitted = (gate.shut, gate.opens_at, gate.episode), rate.admitted
        ahead = 0 if gate.shut else self._law.booked_ahead(now) + self._stock.lapsed
        rate.booked(-ahead)  # what will not be sent if the gate shuts
        for permit, feedback in self._news:
            probe = permit.probe and gate.shut and permit.episode == gate.episode
            if probe or feedback.signal is Signal.REFUSED:
                super()._judge(now, attrs.evolve(permit, probe=probe), feedback)
        self._judged = len(self._news)
        if before != (gate.shut, gate.opens_at, gate.episode):
            self._draft = True
        else:
            self._news.clear()
            withdrawn = admitted - ahead - rate.admitted
            rate.booked(ahead + withdrawn)  # the row takes them back, and this copy follows it
            self._stock.lapsed += self._voided + withdrawn
        self._halted, self._voided = False, 0

    def _come_back(self, now: float, processes: int) -> None:
        if self._alone is not None:
            self._pause(now, self._alone.snapshot(now).shut_for)
            self._alone, self._all_back_at = None, now + RETURN
        self._processes = processes

    def _needed(self, now: float, waiting: int) -> int:
        """Return how many slots to book now."""
        held, allowed = len(self._stock), self._allowed(now)
        free = allowed - self._in_flight
        over = int(allowed * self._concurrency.turns(self._law.slot - now))  # by the time that the slots come
        wanted = min(waiting, free + over) - held
        if min(free, wanted) <= 0 or self._stock.last - now >= LOW:
            return 0
        if self._gate.shut:
            return 0 if held else 1
        return max(1, min(wanted, self.block, int(AHEAD * self._rate.rate / self.processes)))

    def _booking(self, now: float, count: int) -> Booking:
        handed_back = self._stock.hand_back()
        if self._gate.shut:
            return Booking(self._law.version, 1, PATIENCE, counted=False, handed_back=handed_back)
        rate, late = self._rate.pace(self._law.slot)
        back = self._processes / self._missed if self._missed and now < self._all_back_at else 1.0
        interval = 1.0 / (rate * min(1.0, back))
        credit = CATCH_UP if self.known is None else (self.known[1] - 1) / self.known[0]
        held_up = count * (interval - 1.0 / rate + late)
        return Booking(self._law.version, count, interval, credit, handed_back=handed_back, held_up=held_up)

    def _take_in(self, now: float, booking: Booking) -> None:
        if self._halted:
            self._voided += booking.count if booking.counted else 0
            return
        count, interval = booking.count, booking.interval
        first, grace = self._law.slot - count * interval, max(CATCH_UP, interval)
        self._stock.add(now, first, interval=interval, count=count, grace=grace, counted=booking.counted)

    def _why(self, allowed: int) -> str:
        if self._alone is not None:
            return OUT_OF_REACH
        why = super()._why(allowed)
        return f"{'fixed rate' if self.known and why == 'learned rate' else why}, shared"
