"""The heartbeat of a run, in virtual time."""

from __future__ import annotations

import json

import anyio
import pytest

from callsavvy_async.campaigns.errors import JournalUnavailableError
from callsavvy_async.campaigns.heartbeat import Heartbeat
from callsavvy_async.campaigns.journal.frequency import Reach
from callsavvy_async.campaigns.run_context import RetryingWriter, RunContext
from callsavvy_async.policy.fixed import FixedRate

pytestmark = pytest.mark.anyio

LEASE = 30.0


@pytest.fixture
def anyio_backend(virtual_time):
    """Every test here runs in virtual time."""
    return virtual_time


class FakeWriter:
    """Takes down what would be written. `beats` says what becomes of each: alive, taken for dead, or an outage."""

    lease = LEASE

    def __init__(self, *beats) -> None:
        self.database = self
        self.beats = iter(beats)
        self.written: list[tuple[float, str]] = []

    async def run(self, work):
        return work(self)

    def execute(self, statement, values=()):
        kind = "beat" if statement.startswith("UPDATE run SET heartbeat") else "take over"
        if kind == "beat":
            self.status = json.loads(values[0])
            self.answer = next(self.beats, True)
            if isinstance(self.answer, Exception):
                raise self.answer
        self.written.append((anyio.current_time(), kind))
        return self

    @property
    def rowcount(self) -> int:
        return int(self.answer is True)

    def fetchall(self):
        return []


def heart(writer: FakeWriter, lost: list[float]) -> Heartbeat:
    context = RunContext(1, 7, RetryingWriter(writer, 1.0), Reach(writer.database, 1, "sms"))
    return Heartbeat(
        writer, context, lambda: lost.append(anyio.current_time()), lambda: FixedRate("10/s").snapshot(0.0)
    )


async def run_for(beating: Heartbeat, seconds: float) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(beating.beat)
        await anyio.sleep(seconds)
        beating.stop()


async def test_three_beats_in_a_lease():
    """It beats whatever the run waits for, and settles what the dead left after each beat."""
    began, writer, lost = anyio.current_time(), FakeWriter(), []
    await run_for(heart(writer, lost), 31.0)
    beats = [round(at - began) for at, kind in writer.written if kind == "beat"]
    assert beats == [10, 20, 30]
    assert any(kind == "take over" for _, kind in writer.written)
    assert not lost


async def test_a_beat_says_what_is_known_of_the_limit():
    """Whoever looks on sees it beside the rate: nothing else tells what holds a worker back."""
    writer = FakeWriter()
    await run_for(heart(writer, []), 11.0)
    told = {key: writer.status[key] for key in ("limit", "shut_for", "processes", "why")}
    assert told == {"limit": 10.0, "shut_for": 0.0, "processes": None, "why": "fixed rate"}


async def test_who_was_taken_for_dead_is_told_once():
    """The run hears of it, and the heart beats no more."""
    began, writer, lost = anyio.current_time(), FakeWriter(True, False), []
    await run_for(heart(writer, lost), 100.0)
    assert [round(at - began) for at in lost] == [20]
    assert [round(at - began) for at, kind in writer.written if kind == "beat"] == [10, 20]


async def test_who_missed_a_beat_judges_nobody_for_a_lease():
    """An outage makes everybody's heartbeat as old: who comes back waits for a lease before it takes anybody for dead."""
    away = JournalUnavailableError("away")
    began, writer, lost = anyio.current_time(), FakeWriter(True, away, away, True), []
    await run_for(heart(writer, lost), 101.0)
    judged = {round(at - began) for at, kind in writer.written if kind == "take over"}
    assert judged == {10, 70, 80, 90, 100}
    assert not lost
