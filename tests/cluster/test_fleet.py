"""Workers on one campaign, and everything that can happen to them, in short form; at length: `fleet.py`."""

from __future__ import annotations

import pytest

from .fleet import Torment, everything

pytestmark = [pytest.mark.sockets, pytest.mark.long]


def test_whatever_happens_to_workers_and_server_nobody_is_lost_or_reached_twice() -> None:
    """Kills, sleeps past the lease, SIGTERM, late workers, cuts, restarts, a crash and an outage: the ledger agrees."""
    verdict = Torment(chunks=1500, lease=1.5, seed=7, events=everything(3)).run()
    assert verdict.good, str(verdict)
    assert {"kill -9", "sleep past the lease", "outage of 3 s"} <= set(verdict.happened), str(verdict)
