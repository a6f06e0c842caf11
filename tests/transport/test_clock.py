"""The clock by which calls wait, on loops of every kind, and the timers that can keep a wait."""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from callsavvy_async.testing.virtual_time import run_in_virtual_time
from callsavvy_async.transport import clock
from callsavvy_async.transport.clock import current_time, running_clock, timer_seconds


class Compiled:
    """An event loop as uvloop's, whose clock is no Python function."""

    time = time.monotonic


class OwnTime(asyncio.SelectorEventLoop):
    """An event loop in a time of its own, as tests make them."""

    def time(self) -> float:
        return 3.0 * super().time()


async def current_clock() -> object:
    return running_clock()


@pytest.fixture
def on_libuv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "get_running_loop", Compiled)


def test_asyncio_is_timed_by_the_system() -> None:
    """Its own clock moves in steps of 16 ms on Windows."""
    assert asyncio.run(current_clock()) is time.perf_counter


@pytest.mark.usefixtures("on_libuv")
def test_a_compiled_loop_is_timed_by_the_system() -> None:
    """Libuv's clock counts whole milliseconds and stands still while callbacks run: latencies would read as 0."""
    assert running_clock() is time.perf_counter


def test_a_loop_in_a_time_of_its_own_is_asked() -> None:
    """What is waited for in virtual time is timed by it, moved onto the shared clock."""

    async def measure() -> float:
        began, now = current_time(), time.perf_counter()
        assert began == pytest.approx(now, abs=5)
        await asyncio.sleep(0.03)
        return current_time() - began

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        assert runner.run(measure()) >= 0.03

    async def measure_in_jumps() -> float:
        began = current_time()
        await asyncio.sleep(1000)
        return current_time() - began

    assert run_in_virtual_time("asyncio", measure_in_jumps) == pytest.approx(1000)


@pytest.mark.parametrize(
    ("seconds", "fine", "coarse"),
    [(0.0, 1e-6, 0.001), (0.0004, 0.0004, 0.001), (0.0011, 0.0011, 0.002), (-1.0, 1e-6, 0.001), (math.inf,) * 3],
)
def test_a_wait_is_one_that_timers_can_keep(
    seconds: float, fine: float, coarse: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libuv's timers are set in whole milliseconds: what is left of one is waited for, and not spent in waking up."""
    assert timer_seconds(seconds) == fine
    monkeypatch.setattr(clock, "get_running_loop", Compiled)
    assert timer_seconds(seconds) == coarse
