"""kill -9, at random moments, with the simulator's ledger as witness."""

from __future__ import annotations

import pytest

from testbed.servers.postgres import PostgresServer

from . import keyed
from .killer import kill

pytestmark = [pytest.mark.sockets, pytest.mark.long, pytest.mark.timeout(600)]


def test_nobody_is_lost_or_reached_twice_however_often_it_is_killed() -> None:
    """Ten kills in load, run, drain and reconcile: all are in the report once, none is charged twice, the ledger agrees."""
    summary = kill(10, seed=20)
    assert summary.good, str(summary)
    assert summary.kills.total() == 10


def test_a_key_is_charged_once_however_many_processes_are_killed(postgres: PostgresServer) -> None:
    """4 processes, 8 kills: each key is accepted or unknown, charged at most once, and unknown only where it was in flight."""
    summary = keyed.kill(postgres.new_database(), keys=400, processes=4, kills=8, seed=24)
    assert summary.good, str(summary)
    assert summary.kills == 8
