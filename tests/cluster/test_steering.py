"""Random commands to workers that are killed, in short form; at length: `steering.py`."""

from __future__ import annotations

import attrs
import pytest

from callsavvy_async.campaigns import Phase
from callsavvy_async.campaigns.command_watch import CommandWatch
from callsavvy_async.campaigns.journal import commands, repository
from callsavvy_async.campaigns.journal.commands import Departure, Orders
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.repository import ChunkUpdate
from callsavvy_async.campaigns.states import Actor, State

from .steering import steer

pytestmark = [pytest.mark.sockets, pytest.mark.long]


@pytest.mark.parametrize("database", ["postgresql", "sqlite"])
def test_no_request_begins_after_a_confirmed_pause(database: str) -> None:
    """By the times of the server's ledger; nobody is lost or reached twice, and every command is confirmed."""
    steering = steer(30, seed=3, database=database)
    assert steering.good, str(steering)
    assert len(steering.silences) > 5, str(steering)
    assert steering.watched > 3, str(steering)
    assert steering.verdict.happened["kill -9"], str(steering)


def test_a_worker_that_ignores_a_pause_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof can fail: workers that confirm a pause and send on break it."""
    apply, acknowledge = CommandWatch.apply, commands.acknowledge

    def sending(orders: Orders) -> Orders:
        return attrs.evolve(orders, phase=Phase.SENDING) if orders.phase is Phase.PAUSED else orders

    def depart(cursor: Cursor, campaign: int, number: int, run_id: int, _: str) -> Departure:
        repository.move(cursor, campaign, number, ChunkUpdate(State.IN_FLIGHT), by=Actor.OWNER, run_id=run_id)
        return Departure.ALLOWED

    monkeypatch.setattr(CommandWatch, "apply", lambda watch, orders, runs: apply(watch, sending(orders), runs))
    monkeypatch.setattr(
        commands,
        "acknowledge",
        lambda cursor, campaign, run_id, orders: acknowledge(cursor, campaign, run_id, sending(orders)),
    )
    monkeypatch.setattr(commands, "depart", depart)
    steering = steer(8, seed=3, database="sqlite")
    assert steering.broken > 0, str(steering)
    assert not steering.good


def test_a_run_that_pauses_nothing_proves_nothing() -> None:
    """Without a confirmed pause that a live worker obeyed, the proof fails."""
    steering = steer(0, seed=3, database="sqlite")
    assert (steering.broken, steering.watched) == (0, 0)
    assert not steering.good
