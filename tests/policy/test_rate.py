"""The rate law on its own, in virtual time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.policy.rate_controller import (
    CATCH_UP,
    COUNT_ERROR,
    LATE,
    PERIOD,
    RISE,
    START_DOUBLING,
    START_RATE,
    RateController,
)


@pytest.mark.parametrize("law", [RateController(), RateController(belief=10.0, started=True)])
def test_before_an_interval_the_pace_is_that_of_its_beginning(law: RateController) -> None:
    """However far its beginning lies ahead: below zero a pace would let everybody through."""
    law.begin(1000.0)
    assert law.pace(0.0) == law.pace(1000.0)


def _send(law: RateController, *, since: float, seconds: float) -> float:
    """Send at every slot for `seconds`; return the time of the last one."""
    now = since
    while now <= since + seconds:
        law.sent(now)
        now += law.delay(now)
    return now


def _settled(belief: float, *, window: float = 0.0) -> RateController:
    """Return a law in its first interval after a reopening at 0, with a full period."""
    law = RateController(belief=belief, started=True, rate=belief, window=window)
    law.shut(0.0)
    law.reopened(0.0, at=0.0, proven=False)
    law.belief, law.period, law._dip, law._soon = belief, PERIOD, RISE, 0
    return law


def _refused(law: RateController, now: float, *, pause: float, proven: bool) -> None:
    law.withdraw()
    law.shut(now)
    law.probed(late=0.0)
    law.reopened(now + pause, at=now + pause, proven=proven)


def test_cold_start_doubles() -> None:
    """Before the first refusal the rate doubles every `START_DOUBLING` seconds."""
    law = RateController()
    _send(law, since=0.0, seconds=2.0 * START_DOUBLING)
    assert law.rate == pytest.approx(4.0 * START_RATE, rel=0.05)


@pytest.mark.parametrize(
    ("periods", "ratio"),
    [(0.0, 1.0 - RISE), (1.0, 1.0), (2.0, 1.0 + RISE), (3.19, 2.0), (4.93, 20.0)],
)
def test_curve(periods: float, ratio: float) -> None:
    """One curve dips below the belief, lingers at it, overshoots it, and leaves it behind if no refusal comes."""
    law = _settled(10.0)
    _send(law, since=0.0, seconds=periods * law.period)
    assert law.rate == pytest.approx(10.0 * ratio, rel=0.03)


def test_idle_time_proves_nothing() -> None:
    """An hour in which nobody sent does not move the rate."""
    busy, idle = _settled(10.0), _settled(10.0)
    _send(busy, since=0.0, seconds=20.0)
    end = _send(idle, since=0.0, seconds=10.0)
    _send(idle, since=end + 3600.0, seconds=10.0)
    assert idle.rate == pytest.approx(busy.rate, rel=0.01)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=200))
def test_clock_never_outruns_time(pauses: list[float]) -> None:
    """Whatever holds requests back, the law's clock runs forward and no faster than time."""
    law, now, own = _settled(100.0), 0.0, 0.0
    for pause in pauses:
        now += law.delay(now) + pause
        law.sent(now)
        assert own - 1e-9 <= now - law._opened <= now + 1e-9
        own = now - law._opened


def test_late_timer_is_made_good() -> None:
    """A request that starts late lets the next start earlier, by at most `CATCH_UP`."""
    law = _settled(10.0)
    law.sent(0.0)
    law.sent(10.0)
    assert law.delay(10.0) == pytest.approx(1.0 / law.rate - CATCH_UP)


def test_belief_is_admissions_over_time() -> None:
    """Between two reopenings the admissions over the time are the limit, whatever the rate was."""
    law = _settled(10.0)
    end = _send(law, since=0.0, seconds=1.8 * PERIOD)
    law.shut(end)
    law.reopened(end + 3.0, at=end + 3.0, proven=False)
    assert law.belief == pytest.approx(10.0 * 1.8 * PERIOD / (1.8 * PERIOD + 3.0), rel=0.01)


def test_one_early_refusal_does_not_overturn_the_belief() -> None:
    """A short interval weighs no more than its length; it is the dip that gives way."""
    law = _settled(1000.0)
    law.sent(0.0)
    _refused(law, 0.15, pause=0.2, proven=False)
    assert 950.0 < law.belief < 1000.0
    law.sent(0.4)
    assert law.rate == pytest.approx(law.belief * (1.0 - 2.0 * RISE))


def test_each_early_refusal_doubles_the_dip() -> None:
    """A limit that has halved is met within a few refusals, and the dip is gone after a good interval."""
    law, now = _settled(10.0), 0.0
    for _ in range(8):
        law.sent(now)
        now += law.delay(now)
        _refused(law, now, pause=0.2, proven=False)
        now += 0.2
    law.sent(now)
    assert law.rate == pytest.approx(law.belief / 2.0)
    end = _send(law, since=now, seconds=20.0)
    _refused(law, end, pause=0.2, proven=False)
    law.sent(end + 0.2)
    assert law.rate == pytest.approx(law.belief * (1.0 - COUNT_ERROR / (law.belief * law.period)))


def test_a_dip_saves_up_what_a_count_may_be_wrong_by() -> None:
    """Over the first period it spares a quarter of `COUNT_ERROR`, however few requests the period has."""
    for belief in (0.5, 2.0, 10.0):
        law = RateController(belief=belief, started=True, rate=belief)
        law.shut(0.0)
        law.reopened(0.0, at=0.0, proven=False)
        spared = law.belief * law.period - (law._sent_until(law.period) - law._sent_until(0.0))
        assert spared == pytest.approx(COUNT_ERROR / 4.0, rel=0.3)


def test_the_later_half_counts_where_nothing_is_saved_up() -> None:
    """What the rate came to before the refusal outlasts the dip and the pause, after an interval of two periods only."""
    for periods in (LATE + 0.3, LATE - 0.3):
        law = _settled(10.0)
        end = _send(law, since=0.0, seconds=periods * law.period)
        _refused(law, end, pause=2.0, proven=False)
        assert (law.belief > 10.0) == (periods > LATE)


def test_disproved_belief_is_searched_anew_with_short_periods() -> None:
    """An interval that admitted far more than was believed shortens the next periods."""
    law = _settled(10.0)
    end = _send(law, since=0.0, seconds=3.3 * law.period)
    _refused(law, end, pause=0.2, proven=False)
    assert law.belief > 11.5
    assert law.period < PERIOD / 3.0


def test_window_and_budget_are_read_off_an_early_refusal() -> None:
    """A budget that is spent early shows the window and its count, whatever was believed before."""
    law = _settled(50.0)
    end = _send(law, since=0.0, seconds=4.0)
    _refused(law, end, pause=60.0 - end, proven=True)
    assert law.window == pytest.approx(60.0)
    assert law.belief == pytest.approx(200.0 / 60.0, rel=0.05)
    assert law.period > 0.5 * law.window


def test_own_pause_is_no_window() -> None:
    """A pause in which no probe was refused is the client's own, and proves no window."""
    law = _settled(50.0)
    end = _send(law, since=0.0, seconds=1.0)
    _refused(law, end, pause=30.0, proven=False)
    assert law.window == 0.0


def test_window_survives_the_next_and_is_refined() -> None:
    """A second sight of the window moves it only downwards: late probes make it look long."""
    law = _settled(50.0)
    now = 0.0
    for seen in (62.0, 60.0, 61.0):
        end = _send(law, since=now, seconds=60.0 / law.belief)
        _refused(law, end, pause=now + seen - end, proven=True)
        now += seen
        law.belief = 50.0
    assert law.window == pytest.approx(60.0)


def test_one_short_stretch_does_not_take_the_window_away() -> None:
    """A pause that was rounded up looks like a short window: each halves what is known, and it is never believed at once."""
    law = _settled(10.0, window=60.0)
    end = _send(law, since=0.0, seconds=1.5)
    _refused(law, end, pause=1.5, proven=True)
    assert law.window == pytest.approx(30.0)
    assert 9.0 < law.belief < 10.1


def test_last_window_is_counted_on_its_own() -> None:
    """With a window known, a raised limit is measured by the last window, not by the whole interval."""
    law = _settled(10.0, window=10.0)
    end = _send(law, since=0.0, seconds=3.0 * law.period)
    mean = 10.0 * 1.1
    _refused(law, end, pause=0.2, proven=False)
    assert law.belief > mean


def test_the_first_pause_proves_nothing() -> None:
    """A client that is refused at once may have met a budget that others had used up: it keeps its guess."""
    for law, guess in ((RateController(), START_RATE), (RateController(belief=25.0, started=True, rate=25.0), 25.0)):
        law.sent(0.0)
        law.shut(0.1)
        law.reopened(45.0, at=45.0, proven=True)
        assert law.belief == pytest.approx(guess, rel=0.1)
        assert law.window == 0.0


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
    law = RateController()
    law.limit_to(1.0, until=1000.0)
    _send(law, since=0.0, seconds=100.0)
    law.limit_to(math.inf, until=0.0)
    law.sent(102.0)
    assert law.rate < 40.0 * START_RATE


def test_debt_foretells_a_window() -> None:
    """Ahead of the belief by a little, the rest of the window is still to wait; far ahead, nothing is foretold."""
    law = _settled(10.0, window=20.0)
    for _ in range(110):
        law.probed(late=0.0)
    assert law.forecast(10.0).debt == pytest.approx(1.0)
    for _ in range(100):
        law.probed(late=0.0)
    assert law.forecast(10.0).debt == 0.0


def test_no_window_no_debt() -> None:
    """Where no window has been seen, being ahead of the belief foretells no pause."""
    law = _settled(10.0)
    for _ in range(110):
        law.probed(late=0.0)
    assert law.forecast(10.0).debt == 0.0


def test_a_known_window_foretells_its_end() -> None:
    """Whatever it holds by now, it is over when it is; where none is known, only its beginning is foretold."""
    law = RateController(belief=10.0, started=True, rate=10.0, window=20.0)
    law.sent(100.0)
    assert law.forecast(104.0).rest == pytest.approx(16.0)
    assert law.forecast(130.0).rest == 0.0
    searching = RateController()
    searching.sent(100.0)
    assert (searching.forecast(104.0).rest, searching.forecast(104.0).began) == (0.0, 100.0)
    assert not searching.forecast(104.0).window_known


def test_held_back_does_not_age() -> None:
    """While something else holds requests far below the law's rate, its clock stands still."""
    law = _settled(1000.0)
    for i in range(3_000):
        law.sent(0.1 * i)
    assert law.rate == pytest.approx(1000.0 * (1.0 - RISE), rel=0.005)


def test_idle_behind_a_shut_gate_is_no_window() -> None:
    """An hour without demand while the gate was shut says nothing about the server's window."""
    law = _settled(10.0)
    end = _send(law, since=0.0, seconds=20.0)
    law.shut(end)
    law.probed(late=3600.0)
    law.reopened(end + 3600.2, at=end + 3600.2, proven=True)
    assert law.window == 0.0
    assert law.belief == pytest.approx(10.0, rel=0.05)
