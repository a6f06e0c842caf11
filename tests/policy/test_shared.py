"""Processes that share one limit: together they behave as one, and none trusts its clock or the row too far."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
import pytest

from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.rate_controller import RateController
from callsavvy_async.policy.ratelimit_headers import RateLimitHints
from callsavvy_async.policy.reservation_protocol import Replace, Reserve, RowState
from callsavvy_async.policy.shared import AHEAD, LOOK, LOW, SharedPacer
from callsavvy_async.policy.standalone import OUT_OF_REACH, RETURN, SAFETY
from testbed.limiter.ledger import Ledger
from testbed.limiter.processes import EPOCH, Fleet, make_fleet
from testbed.limiter.servers import FixedWindow, Server, Tell, TokenBucket

ADMITTED, REFUSED, FAILED = Feedback(Signal.ADMITTED), Feedback(Signal.RATE_LIMITED), Feedback(Signal.FAILED)
KNOWN = (100.0, 1)


def each(fleet: Fleet, start: float, end: float) -> list[int]:
    return [sum(start < at <= end for at in process.accepted) for process in fleet.processes]


def arrivals(fleet: Fleet, start: float, end: float) -> int:
    return sum(start < at <= end for at in fleet.arrived)


# ------------------------------------------------------------------------------------------------- many processes


def test_a_known_limit_is_kept_exactly() -> None:
    """Four processes at 100/s: 100/s together, no second with more than jitter adds, and each a quarter."""
    fleet = make_fleet(TokenBucket(1e6, 1e6), 4, known=KNOWN)
    fleet.run(60.0)
    assert arrivals(fleet, 5.0, 60.0) == pytest.approx(5500, rel=0.005)
    assert fleet.most_in_a_second(5.0) <= 104  # 30 ms of jitter on the way
    shares = each(fleet, 5.0, 60.0)
    assert min(shares) >= 0.98 * max(shares)


@pytest.mark.parametrize(
    ("make", "count"),
    [
        pytest.param(lambda: TokenBucket(100, 100), 4, marks=pytest.mark.long),
        pytest.param(lambda: TokenBucket(10, 20), 16, marks=pytest.mark.long),
        (lambda: FixedWindow(600, 60), 4),
    ],
    ids=["bucket 100/s, 4", "bucket 10/s, 16", "window, 4"],
)
def test_a_hidden_limit_is_found_by_all(make: Callable[[], Server], count: int) -> None:
    """However many there are: 95 % of the limit, 1 % refused, and nobody has less than nine tenths of another."""
    fleet = make_fleet(make(), count)
    fleet.run(300.0)
    accepted, refused = fleet.accepted_between(120.0, 300.0), fleet.refused_between(120.0, 300.0)
    assert accepted >= 0.95 * 180.0 * fleet.server.rate
    assert refused <= 0.01 * (accepted + refused)
    shares = each(fleet, 120.0, 300.0)
    assert min(shares) >= 0.9 * max(shares)


@pytest.mark.long
@pytest.mark.parametrize("known", [KNOWN, pytest.param(None, marks=pytest.mark.long)])
def test_few_places_in_flight_do_not_cost_a_share(known: tuple[float, int] | None) -> None:
    """What is in flight now is over when the slots come: eight places, a quarter of a second each, are plenty for 25/s."""
    fleet = make_fleet(TokenBucket(1e6, 1e6) if known else TokenBucket(100, 100), 4, known=known)
    fleet.processes[0].pacer = SharedPacer(max_in_flight=8, known=known)
    fleet.run(120.0)
    shares = each(fleet, 60.0, 120.0)
    assert shares[0] >= 0.75 * max(shares)
    assert sum(shares) >= 0.97 * 60.0 * 100.0


@pytest.mark.long
def test_too_few_places_in_flight_book_what_they_can_use() -> None:
    """Four places, a quarter of a second each, serve less than 25/s: the others have the rest, and little is reserved in vain."""
    fleet = make_fleet(TokenBucket(1e6, 1e6), 4, known=KNOWN)
    fleet.processes[0].pacer = SharedPacer(max_in_flight=4, known=KNOWN)
    fleet.run(120.0)
    shares = each(fleet, 60.0, 120.0)
    assert shares[0] >= 8.0 * 60.0
    assert sum(shares) >= 0.97 * 60.0 * 100.0


def test_a_refusal_of_one_silences_all() -> None:
    """Half a second after a 429 with Retry-After nobody sends, until the time is over."""
    fleet = make_fleet(TokenBucket(50, 50, Tell.RETRY_AFTER), 4)
    fleet.run(120.0)
    refusals = sorted(at for process in fleet.processes for at in process.refused)
    begins = [at for before, at in zip([-9.0, *refusals], refusals, strict=False) if at - before > 2.0]
    assert len(begins) >= 3
    for at in begins:
        assert arrivals(fleet, at + LOOK + 0.05, at + 1.0) == 0


def test_the_row_outlives_the_processes() -> None:
    """Those that come later begin with what those before have learned."""
    first = make_fleet(TokenBucket(100, 100), 2)
    first.run(60.0)
    later = make_fleet(TokenBucket(100, 100), 2, seed=1)
    later.ledger, later.epoch = first.ledger, EPOCH + 60.0
    later.run(20.0)
    assert later.accepted_between(2.0, 20.0) >= 0.95 * 18.0 * 100.0
    assert later.refused_between(0.0, 20.0) <= 20


@pytest.mark.parametrize(
    "jump", [3600.0, -0.3, *(pytest.param(jump, marks=pytest.mark.long) for jump in [-3600.0, 5.0])]
)
def test_a_clock_that_jumps_does_no_harm(jump: float) -> None:
    """The clock is the row's: whoever's own jumps is back on it with the next answer."""
    fleet = make_fleet(TokenBucket(1e6, 1e6), 4, known=KNOWN)

    def jumping(_: float) -> bool:  # asked at every request, so that it happens between two of them
        fleet.processes[0].skew = before + (jump if len(fleet.arrived) > 1500 else 0.0)
        return True

    before, fleet.reachable = fleet.processes[0].skew, jumping
    fleet.run(40.0)
    assert arrivals(fleet, 5.0, 40.0) == pytest.approx(3500, rel=0.01)
    assert fleet.most_in_a_second(5.0) <= 115
    shares = each(fleet, 5.0, 40.0)
    assert min(shares) >= 0.9 * max(shares)


@pytest.mark.long
@pytest.mark.parametrize(
    ("known", "emptied"),
    [
        (KNOWN, False),
        (None, True),
        *(pytest.param(*case, marks=pytest.mark.long) for case in [(KNOWN, True), (None, False)]),
    ],
)
def test_a_row_that_is_out_of_reach(known: tuple[float, int] | None, *, emptied: bool) -> None:
    """Each goes on at its share, and all come back without a burst; also if the row has forgotten everything."""
    fleet = make_fleet(TokenBucket(100.0, 100.0), 4, known=known)

    lost = 40.0 if known else 140.0  # by then they have learned the limit

    def reachable(now: float) -> bool:
        if lost < now < lost + 10.0:
            if emptied:
                fleet.ledger = Ledger()
            return False
        return True

    fleet.reachable = reachable
    fleet.run(lost + 50.0)
    assert arrivals(fleet, lost + 1.0, lost + 10.0) == pytest.approx(900 * SAFETY, rel=0.04)
    assert arrivals(fleet, lost + 10.0, lost + 13.0) <= 310
    assert arrivals(fleet, lost + 20.0, lost + 50.0) >= 0.95 * 3000
    assert fleet.most_in_a_second(lost + 1.0, lost + 13.0) <= 110
    assert fleet.refused_between(lost + 1.0, lost + 13.0) <= 5


# ---------------------------------------------------------------------------------------------------- one process


@attrs.define
class Alone:
    """A pacer and a row, driven by hand."""

    pacer: SharedPacer
    ledger: Ledger = attrs.field(factory=Ledger)
    now: float = 0.0

    def next_request(self, waiting: int = 1, *, name: str = "me") -> object:
        """Carry one request to the row; takes a millisecond."""
        request = self.pacer.next_request(self.now, waiting)
        if request is not None:
            view = self.ledger.execute(EPOCH + self.now + 0.0005, name, request)
            self.pacer.on_response(request, view, sent_at=self.now, received_at=self.now + 0.001)
            self.now += 0.001
        return request

    def settle(self, waiting: int = 1, *, name: str = "me") -> None:
        while self.next_request(waiting, name=name) is not None:
            pass

    def send(self) -> Permit:
        """Wait for the next slot and use it."""
        self.settle()
        self.now += self.pacer.delay(self.now)
        return self.pacer.sent(self.now)


def pair() -> tuple[Alone, Alone]:
    """Two processes of one row, which have sent something each."""
    one = Alone(SharedPacer())
    other = Alone(SharedPacer(), one.ledger)
    for process in (one, other):
        process.now = max(one.now, other.now)
        process.pacer.done(process.now, process.send(), ADMITTED)
    return one, other


def test_nothing_is_asked_while_nobody_wants_to_send() -> None:
    """An idle process leaves the row alone, once it knows it."""
    alone = Alone(SharedPacer())
    alone.settle(0)
    assert alone.ledger.version
    assert alone.pacer.next_request(alone.now + 1e6, 0) is None
    assert alone.pacer.look_in(alone.now, 0) == math.inf


def test_one_refusal_cuts_once() -> None:
    """Two processes are refused at once: the first changes the controller, the second learns that it came late."""
    one, other = pair()
    permits = [process.send() for process in (one, other)]
    now = max(one.now, other.now)
    for process, permit in zip((one, other), permits, strict=True):
        process.now = now + 0.05
        process.pacer.done(process.now, permit, REFUSED)
        assert process.pacer.delay(process.now) == math.inf, "it sends before it knows"
    assert isinstance(one.next_request(), Reserve), "it looks before it judges"
    assert isinstance(one.next_request(), Replace)
    version, opens_at = one.ledger.version, one.ledger.slot
    assert isinstance(other.next_request(), Reserve)
    assert not isinstance(other.next_request(), Replace)
    assert one.ledger.version == version
    assert one.pacer.snapshot(one.now).shut_for == pytest.approx(opens_at - EPOCH - one.now, abs=0.01)
    assert other.pacer.snapshot(other.now).shut_for > 0.0


def test_who_loses_the_race_judges_anew() -> None:
    """Both have looked and both want to change the controller: the second finds another controller, and has nothing to add."""
    one, other = pair()
    permits = [process.send() for process in (one, other)]
    now = max(one.now, other.now) + 0.05
    for process, permit in zip((one, other), permits, strict=True):
        process.now = now
        process.pacer.done(now, permit, REFUSED)
        process.next_request()
    assert isinstance(one.next_request(), Replace)
    version = one.ledger.version
    assert isinstance(other.next_request(), Replace)
    assert one.ledger.version == version
    assert not isinstance(other.next_request(), Replace)


def test_what_leaves_before_a_process_knows_of_a_refusal_counts() -> None:
    """The controller gives up all slots after the refusal; those that the others had used by then are told to the row."""
    one, other = pair()
    permit = one.send()
    other.now = one.now
    other.settle(5)
    one.pacer.done(one.now, permit, REFUSED)
    one.settle()
    held = len(other.pacer._reservations)
    for _ in range(held):
        other.now += other.pacer.delay(other.now)
        other.pacer.sent(other.now)
    assert held >= 2
    assert one.ledger.taken == 0
    other.settle()
    assert "rate-limited" in other.pacer.snapshot(other.now).why
    assert one.ledger.taken == held


def test_a_longer_retry_after_that_comes_late_counts() -> None:
    """A refusal that says nothing new may still ask for more time; nobody undercuts it."""
    one, other = pair()
    permits = [process.send() for process in (one, other)]
    now = max(one.now, other.now) + 0.05
    for process, permit, seconds in zip((one, other), permits, (1.0, 30.0), strict=True):
        process.now = now
        process.pacer.done(now, permit, Feedback(Signal.RATE_LIMITED, seconds))
        process.settle()
    one.now += 0.9
    one.settle()
    assert one.pacer.delay(one.now) > 28.0


def refuse(process: Alone) -> None:
    """Have one request refused, and let everybody who asks know."""
    permit = process.send()
    process.now += 0.05
    process.pacer.done(process.now, permit, REFUSED)
    process.settle()


def test_one_probes_for_all() -> None:
    """While the gate is shut, slots are far apart; the probe's success opens the gate for everybody."""
    one, other = pair()
    refuse(one)
    other.now = one.now + LOOK
    other.settle()
    assert other.pacer.delay(other.now) - one.pacer.delay(one.now) > 0.5
    probe = one.send()
    assert probe.probe
    one.now += 0.05
    one.pacer.done(one.now, probe, ADMITTED)
    one.settle()
    other.now = one.now + LOOK
    other.settle(4)
    assert other.pacer.snapshot(other.now).shut_for == 0.0
    assert other.pacer.delay(other.now) < 0.2


@pytest.mark.parametrize("feedback", [FAILED, Feedback(Signal.NOTHING), REFUSED])
def test_a_probe_that_does_not_succeed(feedback: Feedback) -> None:
    """Refused, failed or cancelled: the gate stays shut, and somebody probes again."""
    one, _ = pair()
    refuse(one)
    probe = one.send()
    one.now += 0.05
    one.pacer.done(one.now, probe, feedback)
    one.settle()
    assert one.pacer.snapshot(one.now).shut_for > 0.0
    assert one.send().probe


def test_a_probe_that_is_never_heard_of() -> None:
    """Its process has died: the next in line probes, and that opens the gate."""
    one, other = pair()
    refuse(one)
    other.now = one.now + LOOK
    other.settle()
    one.send()
    probe = other.send()
    assert probe.probe
    other.now += 0.05
    other.pacer.done(other.now, probe, ADMITTED)
    other.settle()
    assert other.pacer.snapshot(other.now).shut_for == 0.0


@pytest.mark.parametrize("verdict", [REFUSED, ADMITTED, FAILED])
def test_a_probe_of_a_gate_that_is_open_again_says_nothing(verdict: Feedback) -> None:
    """Two have probed; the first success opened the gate, and the second verdict is that of any request."""
    one, other = pair()
    refuse(one)
    other.now = one.now + LOOK
    other.settle()
    probes = [one.send(), other.send()]
    now = max(one.now, other.now) + 0.05
    one.now = other.now = now
    one.pacer.done(now, probes[0], ADMITTED)
    one.settle()
    version = one.ledger.version
    other.pacer.done(now, probes[1], verdict)
    other.settle()
    assert one.ledger.version == version


def test_a_refusal_of_an_older_episode_leaves_the_law_alone() -> None:
    """A refusal from before the last reopening changes nothing, and what was given up for it is handed back."""
    one, _ = pair()
    old = one.send()
    refuse(one)
    probe = one.send()
    one.now += 0.05
    one.pacer.done(one.now, probe, ADMITTED)
    one.settle(4)
    version, taken = one.ledger.version, one.ledger.taken
    assert taken >= 1
    one.pacer.done(one.now, old, REFUSED)
    one.settle(0)
    one.now += LOOK
    assert one.pacer.next_request(one.now, 1) is not None
    one.settle(1)
    assert one.ledger.version == version
    assert one.ledger.taken <= taken + 1


def test_what_is_booked_while_a_refusal_is_judged_is_void() -> None:
    """The answer to a reservation that left before the refusal came brings no slots to use."""
    one, _ = pair()
    permit = one.send()
    request = one.pacer.next_request(one.now, 5)
    assert isinstance(request, Reserve)
    assert request.count
    view = one.ledger.execute(EPOCH + one.now, "me", request)
    one.pacer.done(one.now + 0.0001, permit, REFUSED)
    one.pacer.on_response(request, view, sent_at=one.now, received_at=one.now + 0.001)
    assert one.pacer.delay(one.now + 0.5) == math.inf


def test_stale_slots_are_not_used() -> None:
    """Whatever kept their process, the others have gone on meanwhile: they lapse, and are handed back."""
    alone = Alone(SharedPacer(known=(10.0, 1)))
    alone.settle(5)
    assert alone.ledger.taken + alone.ledger.after_idle > 0
    alone.now += 60.0
    assert alone.pacer.delay(alone.now) == math.inf
    alone.pacer.on_response(Reserve("?"), _look(alone), sent_at=alone.now, received_at=alone.now)
    request = alone.pacer.next_request(alone.now, 1)
    assert isinstance(request, Reserve)
    assert request.released == 5


def test_stale_slots_are_handed_back_though_nobody_wants_to_send() -> None:
    """Those who wait have given up: what was reserved for them counts as sent until the row is told."""
    alone = Alone(SharedPacer())
    alone.settle(5)
    alone.now += 0.05
    alone.settle(5)
    assert alone.ledger.taken
    for _ in range(20):
        alone.now += LOOK
        alone.settle(0)
    assert alone.ledger.taken == 0
    assert alone.pacer.look_in(alone.now, 0) == math.inf


def test_a_probe_that_was_not_sent_is_not_handed_back() -> None:
    """It was never counted."""
    one, _ = pair()
    refuse(one)
    one.settle()
    taken = one.ledger.taken
    one.now += one.pacer.delay(one.now) + 3.0
    assert one.pacer.delay(one.now) == math.inf
    one.settle()
    assert one.ledger.taken == taken


def _look(process: Alone) -> RowState:
    return process.ledger.execute(EPOCH + process.now, "me", Reserve("?"))


@pytest.mark.parametrize("rate", [0.2, 10.0, 1000.0])
def test_a_process_that_dies_holds_nobody_up_for_long(rate: float) -> None:
    """What it had reserved nobody uses: two calls, or as many as come in little more than half a second."""
    dead = Alone(SharedPacer(known=(rate, 1), block=10**6, max_in_flight=10**6))
    dead.settle(10**6)
    assert len(dead.pacer._reservations) >= 1
    other = Alone(SharedPacer(known=(rate, 1)), dead.ledger, dead.now)
    other.settle(1, name="other")
    assert other.pacer.delay(other.now) <= max(2.0 / rate, AHEAD + LOW) + 0.01


def test_calls_after_an_idle_time_count_for_windows_only() -> None:
    """As in one process: they are not the controller's doing, but a window's budget is used up by them all the same."""
    controller, alone = RateController(estimated_limit=10.0, started=True, rate=10.0), Alone(SharedPacer())
    alone.pacer.restore({"learned_rate": 10.0})
    for _ in range(12):
        alone.now += 5.0
        alone.pacer.done(alone.now, alone.send(), ADMITTED)
        controller.sent(alone.now)
    alone.settle(0)
    assert alone.pacer._replica.rate.admitted <= controller.admitted + 1
    assert alone.pacer._replica.rate._spell_admitted == pytest.approx(controller._spell_admitted, abs=1)


def test_never_reached() -> None:
    """Who starts without the row has the share that it was given, and no more."""
    pacer = SharedPacer(share=2.0)
    pacer.on_disconnect(0.0)
    assert pacer.is_standalone
    assert pacer.delay(0.0) == 0.0
    pacer.sent(0.0)
    assert pacer.delay(0.0) == pytest.approx(0.5)
    state = pacer.snapshot(0.1)
    assert (state.rate, state.learned_rate, state.why) == (2.0, 2.0, OUT_OF_REACH)
    assert state.processes is None


def test_a_row_that_is_lost_again_before_all_are_back() -> None:
    """The first to find it sees nobody else there, and is not the only one for that."""
    alone = Alone(SharedPacer(known=KNOWN))
    alone.settle()
    for name in ("a", "b", "c"):
        alone.ledger.execute(EPOCH + alone.now, name, Reserve("?"))
    alone.now += 1.5
    alone.settle()
    assert alone.pacer.processes == 4
    for _ in range(3):
        alone.pacer.on_disconnect(alone.now)
        assert alone.pacer.snapshot(alone.now).rate == pytest.approx(SAFETY * 25.0)
        alone.ledger, alone.now = Ledger(), alone.now + 1.0
        alone.settle()
        assert alone.pacer.processes == 1
    alone.now += RETURN
    alone.settle()
    alone.pacer.on_disconnect(alone.now)
    assert alone.pacer.snapshot(alone.now).rate == pytest.approx(SAFETY * 100.0)


def test_what_is_restored_while_the_row_is_out_of_reach() -> None:
    """Its clock begins when the row is back: the time since the last reservation is none of its own."""
    alone = Alone(SharedPacer())
    alone.send()
    alone.pacer.on_disconnect(alone.now)
    alone.pacer.restore({"learned_rate": 10.0})
    alone.ledger, alone.now = Ledger(), alone.now + 100.0
    request = None
    while not (isinstance(request, Reserve) and request.count):
        request = alone.next_request(5)
    assert request.interval == pytest.approx(0.1, rel=0.05)
    assert alone.pacer._replica.rate._opened <= alone.now


def test_alone_a_refusal_is_obeyed_all_the_same() -> None:
    """With Retry-After exactly, without for a second; also when the row is back before the time is over."""
    pacer = SharedPacer(share=10.0)
    pacer.on_disconnect(0.0)
    first, second = pacer.sent(0.0), pacer.sent(0.1)
    pacer.done(0.2, first, REFUSED)
    assert pacer.delay(0.3) == pytest.approx(0.9)
    pacer.done(0.3, second, Feedback(Signal.RATE_LIMITED, 20.0))
    assert pacer.snapshot(0.3).shut_for == pytest.approx(20.0)
    alone = Alone(pacer, now=5.0)
    alone.settle()
    assert not pacer.is_standalone
    assert pacer.delay(alone.now) == pytest.approx(20.3 - alone.now, abs=0.01)


def test_a_refusal_that_comes_as_the_row_is_lost() -> None:
    """Neither one that was about to be judged nor one that comes after is forgotten; nor that the gate was shut."""
    one, _ = pair()
    early, late, later = one.send(), one.send(), one.send()
    one.pacer.done(one.now, early, Feedback(Signal.RATE_LIMITED, 3.0))
    one.pacer.on_disconnect(one.now)
    assert one.pacer.delay(one.now) == pytest.approx(3.0)
    one.pacer.done(one.now, late, Feedback(Signal.RATE_LIMITED, 4.0))
    assert one.pacer.delay(one.now) == pytest.approx(4.0)
    one.pacer.done(one.now, later, FAILED)
    one.pacer.on_disconnect(one.now)
    shut, _ = pair()
    permit = shut.send()
    shut.pacer.done(shut.now, permit, Feedback(Signal.RATE_LIMITED, 9.0))
    shut.settle()
    shut.pacer.on_disconnect(shut.now)
    assert shut.pacer.delay(shut.now) == pytest.approx(9.0, abs=0.1)


def test_a_probe_under_way_when_the_row_is_lost() -> None:
    """Its verdict is about a gate that nobody here guards any more, whether it comes before or after."""
    for ends_first in (True, False):
        one, _ = pair()
        refuse(one)
        probe = one.send()
        for end in (ends_first, not ends_first):
            if end:
                one.pacer.done(one.now, probe, ADMITTED)
            else:
                one.pacer.on_disconnect(one.now)
        assert one.pacer.snapshot(one.now).in_flight == 0
        assert one.pacer.delay(one.now) < 1.0


def test_an_unreadable_row_is_written_anew() -> None:
    """Another program, or another release, has left something there."""
    alone = Alone(SharedPacer(), Ledger(version="theirs", controller="not ours", slot=EPOCH + 1e9))
    alone.settle()
    assert alone.ledger.version != "theirs"
    assert alone.pacer.delay(alone.now) < 1.0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_row_whose_times_are_none(value: float) -> None:
    """Slots at such times would all be due at once, or never: it is as good as out of reach."""
    alone = Alone(SharedPacer())
    alone.settle()
    alone.pacer.on_disconnect(alone.now)
    alone.ledger.slot = value
    with pytest.raises(ValueError, match="not finite"):
        alone.next_request()
    assert alone.pacer.is_standalone


def test_what_was_restored_goes_into_an_empty_row() -> None:
    """And where the limit is known there is nothing to restore."""
    alone = Alone(SharedPacer())
    alone.pacer.restore({"learned_rate": 42.0})
    alone.settle()
    state = alone.pacer.snapshot(alone.now)
    assert (state.learned_rate, state.why, state.processes) == (42.0, "learned rate, shared", 1)
    alone.pacer.restore({"learned_rate": 7.0})
    assert alone.pacer.snapshot(alone.now).learned_rate == 42.0, "it parted from the row"
    known = SharedPacer(known=KNOWN)
    known.restore({"learned_rate": 42.0})
    assert known.snapshot(0.0).learned_rate == 100.0
    assert known.snapshot(0.0).learned_in_flight is None
    assert known.snapshot(0.0).why == "fixed rate, shared"


def test_what_headers_tell_is_kept_when_the_law_changes() -> None:
    """Each process hears the headers itself; the controllers of others do not overrule them."""
    one, other = pair()
    permit = one.send()
    one.pacer.done(one.now, permit, Feedback(Signal.ADMITTED, hints=RateLimitHints(1, 100.0)))
    refuse(other)
    one.now = other.now = max(one.now, other.now)
    probe = other.send()
    other.pacer.done(other.now, probe, ADMITTED)
    other.settle()
    one.now = other.now + LOOK
    request = None
    while not (isinstance(request, Reserve) and request.count):
        request = one.next_request(5)
    assert request.interval > 10.0


def test_the_cap_on_what_is_in_flight_is_each_process_s_own() -> None:
    """What may not start is not reserved either."""
    alone = Alone(SharedPacer(max_in_flight=2, known=(1000.0, 5)))
    alone.settle(50)
    assert alone.ledger.taken + len(alone.pacer._reservations) >= 2
    alone.pacer.sent(alone.now)
    alone.pacer.sent(alone.now)
    assert alone.pacer.delay(alone.now) == math.inf
    taken = alone.ledger.taken
    alone.now += 0.2
    alone.settle(50)
    assert alone.ledger.taken <= taken
