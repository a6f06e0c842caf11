"""Workers hosted by engines and by the command line, in short form; at length: `fleet.py`."""

from __future__ import annotations

import pytest

from .fleet import Torment, kill, terminate

pytestmark = [pytest.mark.sockets, pytest.mark.long]


@pytest.mark.parametrize("host", ["runs-work", "procrastinate", "pgqueuer", "taskiq"])
def test_a_host_that_leaves_or_is_killed_is_followed_by_the_next(host: str) -> None:
    """A host's worker leaves at SIGTERM with nothing unknown; it is killed with -9; its job goes on with the next."""
    verdict = Torment(host=host, chunks=400, lease=1.5, seed=3, faults=0, workers=1, events=[terminate, kill]).run()
    assert verdict.good, str(verdict)
    assert verdict.outcomes["unknown"] == verdict.died, str(verdict)
    assert verdict.runs == 3, str(verdict)
