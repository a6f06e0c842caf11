"""Four processes on real servers: what ``python -m benchmarks.limiter.shared`` measures at length, in short.

Everything is counted by the server that they send to. On a busy machine requests that left evenly arrive in clumps, and late:
the upper bounds leave room for that, and how much is sent or how fairly is not asked here. An open gate would let seven times
the limit through. Exact figures are held in virtual time, by ``tests/policy/test_shared.py``.
"""

from __future__ import annotations

import statistics

import pytest

from testbed.limiter.shared_run import PROCESSES, RATE, Backend, Case, Outcome, run
from testbed.servers.postgres import PostgresServer
from testbed.servers.redis import RedisServer

pytestmark = [pytest.mark.sockets, pytest.mark.long]

MOST = 1.5 * RATE
"""Calls in any second."""
TOTAL = 1.06
"""Calls, as a part of what the limit allows."""


@pytest.fixture
def backend(request: pytest.FixtureRequest, redis: RedisServer, postgres: PostgresServer) -> Backend:
    if request.param == "redis":
        return Backend("redis", lambda: redis.url, redis.kill, redis.start)
    return Backend("postgres", postgres.new_database, lambda: postgres.stop("immediate"), postgres.start)


def errors(outcome: Outcome) -> list[dict[str, object]]:
    return [line for lines in outcome.events for line in lines if line["event"] == "error"]


@pytest.mark.parametrize("backend", ["redis", "postgres"], indirect=True)
def test_a_server_that_is_killed_and_back(backend: Backend) -> None:
    """A known limit is kept to; while the server is away each goes on and says so; nobody bursts, ever."""
    outcome = run(Case(8.0, known="100/s", outage=(2.0, 4.0)), backend)
    assert not errors(outcome)
    assert outcome.worst_second(0.0, 9.0) <= MOST
    assert len(outcome.arrivals) <= TOTAL * RATE * 8.5
    for begins, ends in ((0.0, 2.0), (2.0, 4.0), (4.0, 9.0)):
        assert len(outcome.admitted(begins, ends)) == PROCESSES, (begins, ends)
    lost, found = outcome.times("SharedLimitLost"), outcome.times("SharedLimitRestored")
    assert len(lost) == len(found) == PROCESSES
    assert all(2.0 - 0.1 < at < 4.0 for at in lost)
    assert min(found) > 4.0 - 0.1


@pytest.mark.parametrize("backend", ["redis"], indirect=True)
def test_a_refusal_that_one_sees_silences_all(backend: Backend) -> None:
    """Half a second after a 429 no process sends, until the time that the API asked for is over, whatever their clocks say.

    Nobody knows the limit. Midway one process's clock goes two seconds ahead, and another's back, which stands still then.
    """
    outcome = run(Case(8.0, bucket=0.5 * RATE, retry_after=True, jump=2.0), backend)
    assert not errors(outcome)
    lasts = [last for last, _ in outcome.silences(0.0)]
    assert lasts
    assert statistics.median(lasts) <= 0.5
    refused = sum(not one.admitted for one in outcome.arrivals)
    assert refused <= 0.1 * len(outcome.arrivals)
    assert outcome.worst_second(4.0, 9.0) <= MOST
    assert len(outcome.admitted(0.0, 9.0)) == PROCESSES
