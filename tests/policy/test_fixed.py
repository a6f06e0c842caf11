"""The told pacers: the pause, the rate and the cap, driven by a clock that the test holds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.fixed import LONGEST_PAUSE, FixedRate, Unlimited, parse_rate
from callsavvy_async.policy.pacer import Pacer
from tests.profiles import examples


@pytest.mark.parametrize(
    ("text", "per_second"),
    [
        ("10/s", 10),
        ("10/sec", 10),
        ("600/min", 10),
        ("600/m", 10),
        ("3600/h", 1),
        ("1800/hour", 0.5),
        ("5/10s", 0.5),
        (" 2.5 / s ", 2.5),
        ("1/0.5s", 2),
        ("1/.5s", 2),
    ],
)
def test_rates_are_read(text: str, per_second: float) -> None:
    """A rate is requests per time, in the words that people use."""
    assert parse_rate(text) == pytest.approx(per_second)


@pytest.mark.parametrize(
    "text", ["", "10", "10/", "/s", "ten/s", "10/day", "-1/s", "0/s", "0.0/s", "1/0s", "1/.s", "1/0.0s"]
)
def test_rates_that_make_no_sense(text: str) -> None:
    """Anything else is refused by name, with an example."""
    with pytest.raises(ConfigurationError, match="requests per time"):
        parse_rate(text)


@pytest.mark.parametrize("burst", [0, -1])
def test_a_burst_of_nothing(burst: int) -> None:
    """At least one call must be able to start."""
    with pytest.raises(ConfigurationError, match=r"burst is .*1 or more"):
        FixedRate("1/s", burst=burst)


def test_the_cap() -> None:
    """What is in flight is capped; there is no telling when the next may start, only that one must end first."""
    pacer = Unlimited(max_in_flight=2)
    first = pacer.sent(0)
    pacer.sent(0)
    assert pacer.delay(0) == math.inf
    assert pacer.snapshot(0).why == "in flight"
    pacer.done(1, first, Feedback(Signal.ADMITTED))
    assert pacer.delay(1) == 0


def test_the_rate() -> None:
    """After the burst, requests start 1/rate apart; a rest brings the burst back, and no more."""
    pacer = FixedRate("2/s", burst=3, max_in_flight=100)
    for _ in range(3):
        assert pacer.delay(10) == 0
        pacer.sent(10)
    assert pacer.delay(10) == 0.5
    pacer.sent(10.5)
    assert pacer.delay(10.5) == 0.5
    started = 0
    while pacer.delay(1000) == 0:
        pacer.sent(1000)
        started += 1
    assert started == 3


@given(
    rate=st.floats(0.1, 1000),
    burst=st.integers(1, 20),
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=80),
)
def test_no_stretch_of_time_has_more_than_its_share(rate: float, burst: int, gaps: list[float]) -> None:
    """In any stretch of t seconds at most burst + rate * t requests start (GCRA's own bound)."""
    pacer = FixedRate(rate, burst=burst, max_in_flight=10**6)
    now, starts = 0.0, []
    for gap in gaps:
        now += gap
        now += pacer.delay(now)
        pacer.sent(now)
        starts.append(now)
    for i, first in enumerate(starts):
        for j in range(i, len(starts)):
            assert j - i + 1 <= burst + rate * (starts[j] - first) * (1 + 1e-9) + 1e-6


def refuse(pacer: Pacer, now: float, permit: Permit, retry_after: float | None = None) -> float:
    pacer.done(now, permit, Feedback(Signal.RATE_LIMITED, retry_after))
    return pacer.snapshot(now).shut_for


def test_a_refusal_shuts_the_gate_for_all() -> None:
    """A 429 pauses every request for as long as the API asks."""
    pacer = Unlimited(max_in_flight=10)
    permit = pacer.sent(0)
    assert refuse(pacer, 1, permit, 5.0) == 5
    assert pacer.delay(1) == 5
    assert pacer.delay(5.9) == pytest.approx(0.1)
    assert pacer.delay(6) == 0
    assert pacer.snapshot(9).rate_limited == 1


def test_the_pause_grows() -> None:
    """Without Retry-After the pause doubles with every refusal in a row, up to its cap; an admission starts it anew."""
    pacer = Unlimited(max_in_flight=1)
    now, pauses = 0.0, []
    for _ in range(8):
        pauses.append(refuse(pacer, now, pacer.sent(now)))
        now += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    pacer.done(now, pacer.sent(now), Feedback(Signal.ADMITTED))
    assert refuse(pacer, now, pacer.sent(now)) == 1


@pytest.mark.parametrize("signal", [Signal.FAILED, Signal.NOTHING])
def test_only_an_admission_ends_the_row(signal: Signal) -> None:
    """A failure or a cancellation teaches nothing of the limit."""
    pacer = Unlimited(max_in_flight=1)
    refuse(pacer, 0, pacer.sent(0))
    pacer.done(1, pacer.sent(1), Feedback(signal))
    assert refuse(pacer, 1, pacer.sent(1)) == 2


def test_an_admission_from_before_the_pause_ends_nothing() -> None:
    """What was sent before the gate shut and is admitted late does not open it, nor shorten the next pause."""
    pacer = Unlimited(max_in_flight=2)
    early, refused = pacer.sent(0), pacer.sent(0)
    refuse(pacer, 1, refused)
    pacer.done(1, early, Feedback(Signal.ADMITTED))
    assert pacer.delay(1) == 1
    assert refuse(pacer, 2, pacer.sent(2)) == 2


def test_refusals_of_one_volley_count_once() -> None:
    """Ten requests refused together shut the gate once; one that asks for a longer pause is heard all the same."""
    pacer = Unlimited(max_in_flight=10)
    volley = [pacer.sent(0) for _ in range(10)]
    assert {refuse(pacer, 1, permit) for permit in volley[:8]} == {1.0}
    assert refuse(pacer, 1.5, volley[8], 4.0) == 4.0
    assert refuse(pacer, 2.0, volley[9], 0.5) == 3.5, "a shorter request must not open the gate early"
    assert pacer.snapshot(9).rate_limited == 10


def test_a_retry_after_of_nothing_is_no_leave_to_hammer() -> None:
    """A "Retry-After: 0" on every 429 must not make a loop without pauses: it grows as if nothing had been asked."""
    pacer = Unlimited(max_in_flight=1)
    now, pauses = 0.0, []
    for _ in range(4):
        pauses.append(refuse(pacer, now, pacer.sent(now), 0.0))
        now += pauses[-1]
    assert pauses == [1, 2, 4, 8]


@pytest.mark.parametrize("pacer", [FixedRate("2/s"), Unlimited()])
def test_nothing_is_learned_that_lasts(pacer: Pacer) -> None:
    """What another pacer had learned does not change what this one was told."""
    before = pacer.snapshot(0)
    pacer.restore({"learned_rate": 9.0, "learned_in_flight": 3.0})
    assert pacer.snapshot(0) == before


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_a_number_of_calls_per_second(rate: float) -> None:
    """A rate may be a number, if it is one that can be kept."""
    assert FixedRate(2.5).snapshot(0).rate == 2.5
    with pytest.raises(ConfigurationError, match="positive number"):
        FixedRate(rate)


def test_a_row_without_end() -> None:
    """Thousands of refusals in a row overflow nothing."""
    pacer = Unlimited(max_in_flight=1)
    for now in range(2000):
        refuse(pacer, now, pacer.sent(now), 0.5)
    assert refuse(pacer, 2000, pacer.sent(2000)) == LONGEST_PAUSE


class PacerMachine(RuleBasedStateMachine):
    """Drives a pacer as a client would, and as the API may, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.pacer = FixedRate(2.0, burst=2, max_in_flight=3)
        self.now = 0.0
        self.permits: list[Permit] = []
        self.shut_until = -math.inf

    @rule(seconds=st.floats(0, 10))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.pacer.delay(self.now) < math.inf)
    @rule()
    def start_when_allowed(self) -> None:
        self.now += self.pacer.delay(self.now)
        assert self.now >= self.shut_until - 1e-9, "the gate opened early"
        self.permits.append(self.pacer.sent(self.now))

    @precondition(lambda self: self.permits)
    @rule(
        signal=st.sampled_from(Signal),
        retry_after=st.none() | st.floats(0, 100),
        data=st.data(),
    )
    def end(self, signal: Signal, retry_after: float | None, data: st.DataObject) -> None:
        permit = self.permits.pop(data.draw(st.integers(0, len(self.permits) - 1)))
        shut_for = self.pacer.snapshot(self.now).shut_for
        self.pacer.done(self.now, permit, Feedback(signal, retry_after))
        pause = self.pacer.snapshot(self.now).shut_for
        if signal is Signal.RATE_LIMITED:
            assert pause >= (retry_after or 0.0) - 1e-9, "less than the API asked for"
            self.shut_until = max(self.shut_until, self.now + (retry_after or 0.0))
        else:
            assert pause == shut_for

    @invariant()
    def never_more_in_flight_than_allowed(self) -> None:
        assert self.pacer.snapshot(self.now).in_flight == len(self.permits) <= self.pacer.max_in_flight

    @invariant()
    def delay_is_honest(self) -> None:
        """Full: no telling. Otherwise a finite time, after which one may really start."""
        delay = self.pacer.delay(self.now)
        assert delay >= 0
        assert (delay == math.inf) is (len(self.permits) == self.pacer.max_in_flight)
        if delay < math.inf:
            assert self.pacer.delay(self.now + delay) <= 1e-9


PacerMachine.TestCase.settings = examples(60, stateful_step_count=40)
TestPacerMachine = PacerMachine.TestCase
