"""kill -9, at random moments, with the simulator's ledger as witness."""

from __future__ import annotations

import pytest

from .killer import kill

pytestmark = [pytest.mark.sockets, pytest.mark.long, pytest.mark.timeout(600)]


def test_nobody_is_lost_or_reached_twice_however_often_it_is_killed() -> None:
    """Ten kills in load, run, drain and reconcile: all are in the report once, none is charged twice, the ledger agrees."""
    summary = kill(10, seed=20)
    assert summary.good, str(summary)
    assert summary.kills.total() == 10
