"""Slots that were reserved, and the clock by which they count."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.policy.reservations import RemoteClock, Reservations

_TIMES = st.floats(-1e6, 1e6)


@given(
    offset=_TIMES, trips=st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 1.0), st.floats(0.0, 60.0)), min_size=1)
)
def test_the_offset_is_never_off_by_more_than_the_fastest_answer_took(
    offset: float, trips: list[tuple[float, float, float]]
) -> None:
    """Whatever the way there and back takes, the error is bounded by the best answer so far."""
    clock, now, best = RemoteClock(), 0.0, math.inf
    for took, part, pause in trips:
        clock.read(now + took * part + offset, sent_at=now, received_at=now + took)
        now, best = now + took + pause, min(best, took)
        assert abs(clock.offset - offset) <= best + 1e-6


def test_a_clock_that_jumps_is_corrected_with_the_next_answer() -> None:
    """Whether the local or the remote one jumps, one answer is enough."""
    clock = RemoteClock()
    assert clock.read(1000.0, sent_at=0.0, received_at=0.002) == 0.0  # the first: there is nothing to move
    assert clock.offset == pytest.approx(999.999)
    moved = clock.read(1001.0, sent_at=3601.0, received_at=3601.002)
    assert moved == pytest.approx(-3600.0, abs=0.003)
    assert clock.offset == pytest.approx(-2600.0, abs=0.003)


def test_slots_are_used_at_their_time() -> None:
    """Not before, in order, and as soon as they are got if they are due."""
    stock = Reservations()
    stock.add(10.0, 9.9, interval=0.2, count=3, grace=0.1)
    assert len(stock) == 3
    assert stock.delay(10.0) == 0.0
    stock.take(probe=False)
    assert stock.delay(10.0) == pytest.approx(0.1)
    assert stock.last == pytest.approx(10.3)


def test_what_was_used_is_remembered_once() -> None:
    """By its slot, also on a clock that was moved; a probe is none of them."""
    stock = Reservations()
    stock.add(0.0, 0.0, interval=1.0, count=5, grace=9.0)
    for number in range(4):
        stock.take(probe=number == 3)
    stock.move(10.0)
    stock.start_over(shut_at=math.inf)
    assert (stock.expired, len(stock)) == (0, 0)
    stock.start_over(shut_at=10.5)
    assert stock.expired == -2
    stock.start_over(shut_at=0.0)
    assert stock.expired == -2


def test_probes_are_not_handed_back() -> None:
    """The row has never counted them."""
    stock = Reservations()
    stock.add(0.0, 0.0, interval=1.0, count=2, grace=0.1, counted=False)
    assert stock.delay(0.5) == 0.5
    assert (stock.expired, len(stock), stock.cancel()) == (0, 1, 0)


def test_slots_lapse() -> None:
    """What was not used in time is counted, to be handed back."""
    stock = Reservations()
    stock.add(0.0, 0.0, interval=0.1, count=5, grace=0.05)
    assert stock.delay(0.26) == pytest.approx(0.04)
    assert (stock.expired, len(stock)) == (3, 2)
    assert stock.cancel() == 2
    assert stock.delay(0.26) == math.inf
    assert stock.last == -math.inf
