"""Four processes on real servers: what ``python -m benchmarks.limiter.shared`` measures at length, in short.

Everything is counted by the server that they send to. What must never happen (too many in a second) is held to tightly; what
a busy machine may delay (the total, a share) is not.
"""

from __future__ import annotations

import statistics

import pytest

from benchmarks.limiter.shared import PROCESSES, RATE, Backend, Case, Outcome, run
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.sockets

MOST = 1.1 * RATE
"""Calls in any second: what leaves evenly arrives with jitter."""


@pytest.fixture
def backend(request: pytest.FixtureRequest, redis: RedisServer, postgres: PostgresServer) -> Backend:
    if request.param == "redis":
        return Backend("redis", lambda: redis.url, redis.kill, redis.start)
    return Backend("postgres", postgres.new_database, lambda: postgres.stop("immediate"), postgres.start)


def errors(outcome: Outcome) -> list[dict[str, object]]:
    return [line for lines in outcome.told for line in lines if line["event"] == "error"]


@pytest.mark.parametrize("backend", ["redis", "postgres"], indirect=True)
def test_a_server_that_is_killed_and_back(backend: Backend) -> None:
    """A known limit is kept to and divided fairly; while the server is away each has a share, and says so; no burst, ever."""
    outcome = run(Case(8.0, known="100/s", outage=(2.5, 5.0)), backend)
    assert not errors(outcome)
    assert outcome.worst_second(0.0, 9.0) <= MOST
    assert len(outcome.between(0.5, 2.5)) >= 0.7 * 2.0 * RATE
    assert len(outcome.between(3.5, 5.0)) >= 0.6 * 1.5 * RATE
    assert outcome.fairness(0.5, 8.0) >= 0.6
    lost, found = outcome.times("LimitLost"), outcome.times("LimitFound")
    assert len(lost) == len(found) == PROCESSES
    assert all(2.4 < at < 5.0 for at in lost)
    assert min(found) > 5.0 - 0.1


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_a_refusal_that_one_sees_silences_all(backend: Backend) -> None:
    """Nobody knows the limit. Half a second after a 429 no process sends, until the time that the API asked for is over."""
    outcome = run(Case(9.0, bucket=0.5 * RATE, retry_after=True), backend)
    assert not errors(outcome)
    lasts = [last for last, _ in outcome.silences(0.0)]
    assert lasts
    assert statistics.median(lasts) <= 0.5
    refused = sum(not one.admitted for one in outcome.arrivals)
    assert refused <= 0.1 * len(outcome.arrivals)
    assert outcome.fairness(0.0, 9.0) >= 0.5


@pytest.mark.parametrize("backend", ["redis"], indirect=True)
def test_clocks_that_jump(backend: Backend) -> None:
    """One process's clock goes two seconds ahead, another's back: together they send no faster."""
    outcome = run(Case(6.0, known="100/s", jump=2.0), backend)
    assert not errors(outcome)
    assert outcome.worst_second(0.0, 7.0) <= MOST
    assert len(outcome.between(0.5, 6.0)) >= 0.7 * 5.5 * RATE
