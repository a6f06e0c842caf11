"""The rate law on its own, in virtual time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.policy.rate import CATCH_UP, DIP, PERIOD, START_DOUBLING, START_RATE, RateLaw


def _send(law: RateLaw, *, since: float, seconds: float) -> float:
    """Send at every slot for `seconds`; return the time of the last one."""
    now = since
    while now <= since + seconds:
        law.sent(now)
        now += law.delay(now)
    return now


def _settled(belief: float) -> RateLaw:
    return RateLaw(belief=belief, started=True, rate=belief)


def test_cold_start_doubles() -> None:
    """Before the first refusal the rate doubles every `START_DOUBLING` seconds."""
    law = RateLaw()
    _send(law, since=0.0, seconds=2.0 * START_DOUBLING)
    assert law.rate == pytest.approx(4.0 * START_RATE, rel=0.05)


@pytest.mark.parametrize(("periods", "ratio"), [(0.0, 1.0 - DIP), (1.0, 1.0), (2.0, 1.0 + DIP), (3.72, 2.0)])
def test_curve(periods: float, ratio: float) -> None:
    """One cubic dips below the belief, lingers at it, overshoots it, and doubles it if no refusal comes."""
    law = _settled(10.0)
    _send(law, since=0.0, seconds=periods * law.period)
    assert law.rate == pytest.approx(10.0 * ratio, rel=0.01)


def test_idle_time_proves_nothing() -> None:
    """An hour in which nobody sent does not move the rate."""
    busy, idle = _settled(10.0), _settled(10.0)
    _send(busy, since=0.0, seconds=20.0)
    end = _send(idle, since=0.0, seconds=10.0)
    _send(idle, since=end + 3600.0, seconds=10.0)
    assert idle.rate == pytest.approx(busy.rate, rel=0.01)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=200))
def test_clock_never_outruns_time(pauses: list[float]) -> None:
    """Whatever holds requests back, the rate stays positive and finite."""
    law, now = _settled(100.0), 0.0
    for pause in pauses:
        now += law.delay(now) + pause
        law.sent(now)
        assert 0.9 * 100.0 <= law.rate < 400.0 * (1.0 + sum(pauses))


def test_late_timer_is_made_good() -> None:
    """A request that starts late lets the next start earlier, by at most `CATCH_UP`."""
    law = _settled(10.0)
    law.sent(0.0)
    law.sent(10.0)
    assert law.delay(10.0) == pytest.approx(1.0 / law.rate - CATCH_UP)


def test_belief_is_admissions_over_time() -> None:
    """Between two reopenings the admissions over the time are the limit, whatever the rate was."""
    law = _settled(10.0)
    end = _send(law, since=0.0, seconds=2.0 * PERIOD)
    law.shut(end)
    law.reopened(end + 0.1)
    assert law.belief == pytest.approx(10.0, rel=DIP / 2.0)


def test_one_early_refusal_does_not_overturn_the_belief() -> None:
    """An interval outweighs the belief only by its length."""
    law = _settled(10.0)
    law.sent(0.0)
    law.sent(0.1)
    law.withdraw()
    law.shut(0.15)
    law.reopened(0.3)
    assert 9.0 < law.belief < 10.0


def test_repeated_early_refusals_overturn_it() -> None:
    """A limit that has halved is found within a few seconds of refusals."""
    law, now = _settled(10.0), 0.0
    for _ in range(12):
        for _ in range(2):
            law.sent(now)
            now += law.delay(now)
        law.shut(now)
        now += 0.2
        law.reopened(now)
    assert law.belief < 7.0


def test_long_pause_stretches_the_period() -> None:
    """A pause longer than a period betrays a window, over which the budget is spread."""
    law = _settled(10.0)
    law.shut(0.0)
    law.reopened(0.0)
    end = _send(law, since=0.0, seconds=20.0)
    law.shut(end)
    law.reopened(60.0)
    assert law.period == pytest.approx(30.0, abs=2.5)
    assert law.period > PERIOD
    assert law.belief == pytest.approx(200.0 / 60.0, rel=0.5)


def test_the_first_pause_proves_nothing() -> None:
    """A client that is refused at once may have met a budget that others had used up: it keeps its guess."""
    for law, guess in ((RateLaw(), START_RATE), (_settled(25.0), 25.0)):
        law.sent(0.0)
        law.shut(0.1)
        law.reopened(45.0)
        assert law.belief == pytest.approx(guess, rel=0.1)
        assert law.longest_pause == 0.0


def test_ceiling_holds_until_it_ends() -> None:
    """What the server says of itself caps the rate, and only until its reset."""
    law = _settled(10.0)
    law.limit_to(2.0, until=5.0)
    law.sent(0.0)
    assert law.delay(0.0) == pytest.approx(0.5)
    law.sent(6.0)
    assert law.rate > 9.0


def test_ceiling_stops_the_clock() -> None:
    """Under a ceiling the curve does not run away: the law was not what held requests back."""
    law = RateLaw()
    law.limit_to(1.0, until=1000.0)
    _send(law, since=0.0, seconds=100.0)
    law.limit_to(math.inf, until=0.0)
    law.sent(102.0)
    assert law.rate < 40.0 * START_RATE


def test_debt_foretells_a_window() -> None:
    """Ahead of the belief by a little, the rest of the window is still to wait; far ahead, nothing is foretold."""
    law = _settled(10.0)
    law.sent(0.0)
    for _ in range(109):
        law.probed()
    assert law.debt(10.0) == pytest.approx(1.0)
    for _ in range(100):
        law.probed()
    assert law.debt(10.0) == 0.0
    assert RateLaw().debt(1.0) == 0.0


def test_marks_stay_few() -> None:
    """An interval of hours takes no more memory than one of seconds."""
    law = _settled(1.0)
    now = 0.0
    for _ in range(5_000):
        law.limit_to(1.0, until=now + 10.0)
        now += 1.0
        law.sent(now)
    assert len(law._marks) <= 64


def test_time_lost_is_skipped_once() -> None:
    """A law that something else holds far below its rate ages by its own intervals only: no more, no less."""
    law = _settled(1000.0)
    for i in range(3_000):
        law.sent(0.02 * i)
    own_time = 3_000 / 1000.0
    assert law.rate == pytest.approx(1000.0 * (1.0 + DIP * (own_time / PERIOD - 1.0) ** 3), rel=0.005)


def test_idle_behind_a_shut_gate_is_no_window() -> None:
    """An hour without demand while the gate was shut says nothing about the server's window."""
    law = _settled(10.0)
    end = _send(law, since=0.0, seconds=20.0)
    law.shut(end)
    law.skip(3600.0)
    law.reopened(end + 3600.2)
    assert law.longest_pause < 1.0
    assert law.belief == pytest.approx(10.0, rel=0.05)
