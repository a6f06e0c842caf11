"""Overlapping campaigns with a frequency cap, sent by processes that are killed, in short form; at length: `frequency.py`."""

from __future__ import annotations

import pytest

from testbed.servers.postgres import PostgresServer

from .frequency import send

pytestmark = [pytest.mark.sockets, pytest.mark.long, pytest.mark.timeout(300)]


def test_nobody_is_reached_by_two_campaigns(postgres: PostgresServer) -> None:
    """By the server's ledger; everybody is in each report once, and whoever was left out was reached by another campaign."""
    summary = send(postgres.new_database(), workers=6, campaigns=3, people=1_500, kills=4, seed=2)
    assert summary.good, str(summary)
    assert summary.kills == 4
