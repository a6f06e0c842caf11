"""Jobs of a host of each kind, as its page in the documents has it, and everything that can happen to them.

`nox -s cluster` does the same at length, and to every host (`fleet.py`).
"""

from __future__ import annotations

import pytest

from .torment import JobTorment

pytestmark = [pytest.mark.sockets, pytest.mark.long, pytest.mark.timeout(600)]


@pytest.mark.parametrize("host", ["celery", "dramatiq", "django", "cron"])
def test_a_job_that_is_delivered_again_sends_nothing_again(host: str) -> None:
    """Kills, redelivery, a sleep past the queue's timeout, a broker that crashes: each job is charged once, or unknown."""
    verdict = JobTorment(host=host, seed=3).run()
    assert verdict.good, str(verdict)
    assert len(verdict.happened) >= 5, str(verdict)
