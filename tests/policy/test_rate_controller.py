"""The rate controller on its own, in virtual time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.policy.rate_controller import (
    CATCH_UP,
    COUNT_ERROR,
    DEEPEST_DIP,
    LATE,
    PERIOD,
    RISE,
    START_DOUBLING,
    START_RATE,
    RateController,
)


@pytest.mark.parametrize("controller", [RateController(), RateController(estimated_limit=10.0, started=True)])
def test_before_an_interval_the_pace_is_that_of_its_beginning(controller: RateController) -> None:
    """However far its beginning lies ahead: below zero a pace would let everybody through."""
    controller.begin(1000.0)
    assert controller.pace(0.0) == controller.pace(1000.0)


def _send(controller: RateController, *, since: float, seconds: float) -> float:
    """Send at every slot for `seconds`; return the time of the last one."""
    now = since
    while now <= since + seconds:
        controller.sent(now)
        now += controller.delay(now)
    return now


def _settled(estimate: float, *, window: float = 0.0) -> RateController:
    """Return a controller in its first interval after a reopening at 0, with a full period."""
    controller = RateController(estimated_limit=estimate, started=True, rate=estimate, window=window)
    controller.shut(0.0)
    controller.reopened(0.0, at=0.0, proven=False)
    controller.estimated_limit, controller.period, controller._dip, controller._soon = estimate, PERIOD, RISE, 0
    return controller


def _refused(controller: RateController, now: float, *, pause: float, proven: bool) -> None:
    controller.withdraw()
    controller.shut(now)
    controller.probed(late=0.0)
    controller.reopened(now + pause, at=now + pause, proven=proven)


def test_cold_start_doubles() -> None:
    """Before the first refusal the rate doubles every `START_DOUBLING` seconds."""
    controller = RateController()
    _send(controller, since=0.0, seconds=2.0 * START_DOUBLING)
    assert controller.rate == pytest.approx(4.0 * START_RATE, rel=0.05)


@pytest.mark.parametrize(
    ("periods", "ratio"),
    [(0.0, 1.0 - RISE), (1.0, 1.0), (2.0, 1.0 + RISE), (3.19, 2.0), (4.93, 20.0)],
)
def test_curve(periods: float, ratio: float) -> None:
    """One curve dips below the estimate, lingers at it, overshoots it, and leaves it behind if no refusal comes."""
    controller = _settled(10.0)
    _send(controller, since=0.0, seconds=periods * controller.period)
    assert controller.rate == pytest.approx(10.0 * ratio, rel=0.03)


def test_idle_time_proves_nothing() -> None:
    """An hour in which nobody sent does not move the rate."""
    busy, idle = _settled(10.0), _settled(10.0)
    _send(busy, since=0.0, seconds=20.0)
    end = _send(idle, since=0.0, seconds=10.0)
    _send(idle, since=end + 3600.0, seconds=10.0)
    assert idle.rate == pytest.approx(busy.rate, rel=0.01)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=200))
def test_clock_never_outruns_time(pauses: list[float]) -> None:
    """Whatever holds requests back, the controller's clock runs forward and no faster than time."""
    controller, now, own = _settled(100.0), 0.0, 0.0
    for pause in pauses:
        now += controller.delay(now) + pause
        controller.sent(now)
        assert own - 1e-9 <= now - controller._opened <= now + 1e-9
        own = now - controller._opened


def test_late_timer_is_made_good() -> None:
    """A request that starts late lets the next start earlier, by at most `CATCH_UP`."""
    controller = _settled(10.0)
    controller.sent(0.0)
    controller.sent(10.0)
    assert controller.delay(10.0) == pytest.approx(1.0 / controller.rate - CATCH_UP)


def test_belief_is_admissions_over_time() -> None:
    """Between two reopenings the admissions over the time are the limit, whatever the rate was."""
    controller = _settled(10.0)
    end = _send(controller, since=0.0, seconds=1.8 * PERIOD)
    controller.shut(end)
    controller.reopened(end + 3.0, at=end + 3.0, proven=False)
    assert controller.estimated_limit == pytest.approx(10.0 * 1.8 * PERIOD / (1.8 * PERIOD + 3.0), rel=0.01)


def test_one_early_refusal_does_not_overturn_the_belief() -> None:
    """A short interval weighs no more than its length; it is the dip that gives way."""
    controller = _settled(1000.0)
    controller.sent(0.0)
    _refused(controller, 0.15, pause=0.2, proven=False)
    assert 950.0 < controller.estimated_limit < 1000.0
    controller.sent(0.35 + controller.delay(0.35))
    assert controller.rate == pytest.approx(controller.estimated_limit * (1.0 - 2.0 * RISE), rel=1e-3)


def test_each_early_refusal_doubles_the_dip() -> None:
    """A limit that has halved is met within a few refusals, and the dip is gone after a good interval."""
    controller, now = _settled(10.0), 0.0
    for _ in range(8):
        controller.sent(now)
        now += controller.delay(now)
        _refused(controller, now, pause=0.2, proven=False)
        now += 0.2
    controller.sent(now)
    assert controller.rate == pytest.approx(controller.estimated_limit / 2.0)
    end = _send(controller, since=now, seconds=20.0)
    _refused(controller, end, pause=0.2, proven=False)
    controller.sent(end + 0.2)
    assert controller.rate == pytest.approx(
        controller.estimated_limit * (1.0 - COUNT_ERROR / (controller.estimated_limit * controller.period))
    )


def test_a_dip_saves_up_what_a_count_may_be_wrong_by() -> None:
    """Over the first period it spares a quarter of `COUNT_ERROR`, however few requests the period has."""
    for estimate in (0.5, 2.0, 10.0):
        controller = RateController(estimated_limit=estimate, started=True, rate=estimate)
        controller.shut(0.0)
        controller.reopened(0.0, at=0.0, proven=False)
        spared = controller.estimated_limit * controller.period - (
            controller._sent_until(controller.period) - controller._sent_until(0.0)
        )
        assert spared == pytest.approx(COUNT_ERROR / 4.0, rel=0.3)


def test_the_later_half_counts_where_nothing_is_saved_up() -> None:
    """What the rate came to before the refusal outlasts the dip and the pause, after an interval of two periods only."""
    for periods in (LATE + 0.3, LATE - 0.3):
        controller = _settled(10.0)
        end = _send(controller, since=0.0, seconds=periods * controller.period)
        _refused(controller, end, pause=2.0, proven=False)
        assert (controller.estimated_limit > 10.0) == (periods > LATE)


def test_disproved_belief_is_searched_anew_with_short_periods() -> None:
    """An interval that admitted far more than was believed shortens the next periods."""
    controller = _settled(10.0)
    end = _send(controller, since=0.0, seconds=3.3 * controller.period)
    _refused(controller, end, pause=0.2, proven=False)
    assert controller.estimated_limit > 11.5
    assert controller.period < PERIOD / 3.0


def test_window_and_budget_are_read_off_an_early_refusal() -> None:
    """A budget that is spent early shows the window and its count, whatever was believed before."""
    controller = _settled(50.0)
    end = _send(controller, since=0.0, seconds=4.0)
    _refused(controller, end, pause=60.0 - end, proven=True)
    assert controller.window == pytest.approx(60.0)
    assert controller.estimated_limit == pytest.approx(200.0 / 60.0, rel=0.05)
    assert controller.period > 0.5 * controller.window


def test_own_pause_is_no_window() -> None:
    """A pause in which no probe was refused is the client's own, and proves no window."""
    controller = _settled(50.0)
    end = _send(controller, since=0.0, seconds=1.0)
    _refused(controller, end, pause=30.0, proven=False)
    assert controller.window == 0.0


def test_window_survives_the_next_and_is_refined() -> None:
    """A second sight of the window moves it only downwards: late probes make it look long."""
    controller = _settled(50.0)
    now = 0.0
    for seen in (62.0, 60.0, 61.0):
        end = _send(controller, since=now, seconds=60.0 / controller.estimated_limit)
        _refused(controller, end, pause=now + seen - end, proven=True)
        now += seen
        controller.estimated_limit = 50.0
    assert controller.window == pytest.approx(60.0)


def test_one_short_stretch_does_not_take_the_window_away() -> None:
    """A pause that was rounded up looks like a short window: each halves what is known, and it is never believed at once."""
    controller = _settled(10.0, window=60.0)
    end = _send(controller, since=0.0, seconds=1.5)
    _refused(controller, end, pause=1.5, proven=True)
    assert controller.window == pytest.approx(30.0)
    assert 9.0 < controller.estimated_limit < 10.1


def test_last_window_is_counted_on_its_own() -> None:
    """With a window known, a raised limit is measured by the last window, not by the whole interval."""
    controller = _settled(10.0, window=10.0)
    end = _send(controller, since=0.0, seconds=3.0 * controller.period)
    mean = 10.0 * 1.1
    _refused(controller, end, pause=0.2, proven=False)
    assert controller.estimated_limit > mean


def test_the_first_pause_proves_nothing() -> None:
    """A client that is refused at once may have met a budget that others had used up: it keeps its guess."""
    for controller, guess in (
        (RateController(), START_RATE),
        (RateController(estimated_limit=25.0, started=True, rate=25.0), 25.0),
    ):
        controller.sent(0.0)
        controller.shut(0.1)
        controller.reopened(45.0, at=45.0, proven=True)
        assert controller.estimated_limit == pytest.approx(guess, rel=0.1)
        assert controller.window == 0.0


def test_ceiling_holds_until_it_ends() -> None:
    """What the server says of itself caps the rate, and only until its reset."""
    controller = _settled(10.0)
    controller.limit_to(2.0, until=5.0)
    first = controller.delay(0.0)
    controller.sent(first)
    assert controller.delay(first) == pytest.approx(0.5)
    controller.sent(6.0)
    assert controller.rate > 9.0


def test_ceiling_stops_the_clock() -> None:
    """Under a ceiling the curve does not run away: the controller was not what held requests back."""
    controller = RateController()
    controller.limit_to(1.0, until=1000.0)
    _send(controller, since=0.0, seconds=100.0)
    controller.limit_to(math.inf, until=0.0)
    controller.sent(102.0)
    assert controller.rate < 40.0 * START_RATE


def test_debt_foretells_a_window() -> None:
    """Ahead of the estimate by a little, the rest of the window is still to wait; far ahead, nothing is foretold."""
    controller = _settled(10.0, window=20.0)
    for _ in range(110):
        controller.probed(late=0.0)
    assert controller.forecast(10.0).debt == pytest.approx(1.0)
    for _ in range(100):
        controller.probed(late=0.0)
    assert controller.forecast(10.0).debt == 0.0


def test_no_window_no_debt() -> None:
    """Where no window has been seen, being ahead of the estimate foretells no pause."""
    controller = _settled(10.0)
    for _ in range(110):
        controller.probed(late=0.0)
    assert controller.forecast(10.0).debt == 0.0


def test_a_known_window_foretells_its_end() -> None:
    """Whatever it holds by now, it is over when it is; where none is known, only its beginning is foretold."""
    controller = RateController(estimated_limit=10.0, started=True, rate=10.0, window=20.0)
    controller.sent(100.0)
    assert controller.forecast(104.0).rest == pytest.approx(16.0)
    assert controller.forecast(130.0).rest == 0.0
    searching = RateController()
    searching.sent(100.0)
    assert (searching.forecast(104.0).rest, searching.forecast(104.0).began) == (0.0, 100.0)
    assert not searching.forecast(104.0).window_known


def test_held_back_does_not_age() -> None:
    """While something else holds requests far below the controller's rate, its clock stands still."""
    controller = _settled(1000.0)
    for i in range(3_000):
        controller.sent(0.1 * i)
    assert controller.rate == pytest.approx(1000.0 * (1.0 - RISE), rel=0.005)


def test_idle_behind_a_shut_gate_is_no_window() -> None:
    """An hour without demand while the gate was shut says nothing about the server's window."""
    controller = _settled(10.0)
    end = _send(controller, since=0.0, seconds=20.0)
    controller.shut(end)
    controller.probed(late=3600.0)
    controller.reopened(end + 3600.2, at=end + 3600.2, proven=True)
    assert controller.window == 0.0
    assert controller.estimated_limit == pytest.approx(10.0, rel=0.05)


def test_after_an_early_429_the_slot_behind_the_probe_is_an_interval_away() -> None:
    """The probe has taken what an empty bucket had saved up, so the next request would receive a 429 (lockstep)."""
    controller = _settled(0.5)
    end = _send(controller, since=0.0, seconds=4.0)
    _refused(controller, end, pause=2.0, proven=True)
    assert controller.delay(end + 2.0) == pytest.approx(1.0 / controller._curve(0.0))


def test_a_thousand_early_refusals_in_a_row() -> None:
    """However long 429s follow each other early, the dip stays at its deepest and the estimate valid."""
    controller, now = _settled(10.0), 0.0
    for _ in range(1100):
        controller.sent(now)
        _refused(controller, now, pause=0.01, proven=False)
        now += 0.01
    assert controller.is_sound
    assert controller._dip == DEEPEST_DIP
