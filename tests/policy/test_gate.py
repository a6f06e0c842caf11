"""The gate: one pause and one probe for everybody."""

from __future__ import annotations

import math

import pytest

from callsavvy_async.policy.gate import EARLY_IN_WINDOW, GROWTH, LANDING, LONGEST_PAUSE, UNPROVEN, Forecast, Gate

NOTHING = Forecast()


def test_retry_after_is_exact() -> None:
    """With a Retry-After the gate opens for its probe exactly then."""
    gate = Gate()
    gate.close(100.0, interval=0.1, took=0.0, forecast=NOTHING, retry_after=7.0)
    assert gate.delay(100.0) == 7.0
    assert gate.delay(106.9) == pytest.approx(0.1)
    assert gate.delay(107.0) == 0.0


def test_one_probe_at_a_time() -> None:
    """While a probe is under way nobody else may start."""
    gate = Gate()
    gate.close(0.0, interval=0.1, took=0.0, forecast=NOTHING, retry_after=None)
    gate.probe_sent()
    assert gate.delay(1e9) == math.inf


def test_refused_probes_wait_longer() -> None:
    """Each refused probe lengthens the pause, up to a bound."""
    gate, now, pauses = Gate(), 0.0, []
    gate.close(now, interval=0.1, took=0.0, forecast=NOTHING, retry_after=None)
    for _ in range(40):
        now += gate.delay(now)
        gate.probe_sent()
        gate.probe_rate_limited(now, sent_at=now, forecast=NOTHING, retry_after=None)
        pauses.append(gate.delay(now))
    assert pauses[1] == pytest.approx(pauses[0] * GROWTH)
    assert pauses[-1] == LONGEST_PAUSE


def test_lost_probe_rearms() -> None:
    """A probe without a verdict is sent again: the gate never deadlocks."""
    gate = Gate()
    gate.close(0.0, interval=0.1, took=0.0, forecast=NOTHING, retry_after=None)
    gate.probe_sent()
    gate.probe_lost(5.0)
    assert 0.0 < gate.delay(5.0) < 1.0


def test_foretold_pause_is_mostly_waited_for() -> None:
    """A foretold reopening spares the probes that would come too early."""
    gate = Gate()
    gate.close(0.0, interval=0.1, took=0.0, forecast=NOTHING, retry_after=None)
    gate.probe_rate_limited(0.2, sent_at=0.15, forecast=Forecast(debt=10.0), retry_after=None)
    assert gate.delay(0.2) == pytest.approx(7.0)


def test_late_retry_after_extends() -> None:
    """A pause is never shortened."""
    gate = Gate()
    gate.close(0.0, interval=0.1, took=0.0, forecast=NOTHING, retry_after=3.0)
    gate.extend(9.0)
    gate.extend(5.0)
    assert gate.delay(0.0) == 9.0


def test_what_is_under_way_may_land_first() -> None:
    """The first pause is 1.5 intervals, and some of the time that the refusal took to come back."""
    gate = Gate()
    gate.close(0.0, interval=0.1, took=1.0, forecast=NOTHING, retry_after=None)
    assert gate.delay(0.0) == pytest.approx(0.15 + LANDING)


def test_server_reopened_between_two_probes() -> None:
    """The server reopened halfway between the probe it refused and the one it admitted; only then the pause was its own."""
    gate = Gate()
    gate.close(0.0, interval=0.1, took=0.1, forecast=NOTHING, retry_after=None)
    assert not gate.proven
    gate.probe_rate_limited(0.5, sent_at=0.4, forecast=NOTHING, retry_after=None)
    gate.probe_admitted(1.2, sent_at=1.0)
    assert gate.proven
    assert gate.reopened_at == pytest.approx(0.7)


def test_retry_after_tells_when_it_reopened() -> None:
    """With a Retry-After the probe that follows it is not late."""
    gate = Gate()
    gate.close(0.0, interval=0.1, took=0.1, forecast=NOTHING, retry_after=2.0)
    gate.probe_rate_limited(2.1, sent_at=2.0, forecast=NOTHING, retry_after=3.0)
    gate.probe_admitted(5.4, sent_at=5.1)
    assert gate.proven
    assert gate.reopened_at == 5.1


def test_without_a_refused_probe_a_forecast_counts_for_little() -> None:
    """A debt keeps the gate shut for a few first pauses at most, before the server itself has said that it is shut."""
    gate = Gate()
    gate.close(0.0, interval=0.1, took=0.0, forecast=Forecast(debt=0.4), retry_after=None)
    assert gate.delay(0.0) == pytest.approx(0.4)
    gate.close(0.0, interval=0.1, took=0.0, forecast=Forecast(debt=40.0), retry_after=None)
    assert gate.delay(0.0) == pytest.approx(0.15 * UNPROVEN)


def test_the_rest_of_a_known_window_is_waited_for_in_steps() -> None:
    """Where only the window is known, and no longer what it holds, each probe waits for a part of the rest."""
    gate = Gate()
    gate.close(0.0, interval=0.1, took=0.0, forecast=NOTHING, retry_after=None)
    gate.probe_rate_limited(0.2, sent_at=0.15, forecast=Forecast(rest=10.0), retry_after=None)
    assert gate.delay(0.2) == pytest.approx(10.0 * EARLY_IN_WINDOW)


def test_a_pause_ends_at_a_round_time() -> None:
    """Where no window is known, a probe comes when one of a round length would end, and then tells exactly when it did."""
    gate, searching = Gate(), Forecast(began=100.0, window_known=False)
    gate.close(104.0, interval=0.1, took=0.1, forecast=searching, retry_after=None)
    for _ in range(12):
        gate.probe_rate_limited(104.9, sent_at=104.8, forecast=searching, retry_after=None)
    assert gate.opens_at == pytest.approx(105.0 + 0.1 * LANDING)
    gate.probe_admitted(105.2, sent_at=gate.opens_at)
    assert gate.reopened_at == gate.opens_at


def test_a_known_window_needs_no_round_times() -> None:
    """Once the window is known, round times say nothing more."""
    gate = Gate()
    gate.close(104.9, interval=1.0, took=0.0, forecast=Forecast(began=100.0, window_known=True), retry_after=None)
    assert gate.opens_at == pytest.approx(106.4)
