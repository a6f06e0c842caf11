"""Rate limits on a clock that moves when told."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import anyio
import httpx
import pytest

from callsavvy_async.simulator import Concurrency, FixedWindow, Limit, Simulator, SlidingWindow, TokenBucket

SEND = {"recipient": "+2348012345678", "message": "Hi"}


def admitted(limit: Limit, *moments: float) -> list[bool]:
    return [limit.admit(moment).admitted for moment in moments]


def test_a_token_bucket_fills_at_its_rate() -> None:
    """`burst` requests are let in at once, then one every 1/rate seconds, and no more than `burst` are saved up."""
    limit = TokenBucket(rate=2, burst=3)
    assert admitted(limit, 0, 0, 0, 0) == [True, True, True, False]
    assert limit.admit(0.25).wait == pytest.approx(0.25)
    assert admitted(limit, 0.5, 0.5) == [True, False]
    assert admitted(limit, 100, 100, 100, 100) == [True, True, True, False]


def test_a_fixed_window_forgets_at_its_edge() -> None:
    """`count` requests are let in per window of the clock, though all may come around one edge."""
    limit = FixedWindow(2, 10)
    assert admitted(limit, 9.9, 9.9, 9.9, 10, 10, 10) == [True, True, False, True, True, False]
    assert limit.admit(14).wait == pytest.approx(6)


def test_a_sliding_window_holds_everywhere() -> None:
    """In no stretch of `seconds` are more than `count` let in; refusals do not count."""
    limit = SlidingWindow(2, 10)
    assert admitted(limit, 0, 9, 9.5, 10, 18.9, 19) == [True, True, False, True, False, True]
    assert limit.admit(19.5).wait == pytest.approx(0.5)


def test_concurrency_counts_what_is_in_flight() -> None:
    """A place is free again once its request was answered."""
    limit = Concurrency(2)
    assert admitted(limit, 0, 0, 0) == [True, True, False]
    limit.release()
    assert admitted(limit, 0, 0) == [True, False]


@pytest.mark.anyio
async def test_a_refused_request_is_never_charged(call, sim, clock) -> None:
    """Beyond the limit comes 429 with Retry-After in the envelope's words, and nothing is spent."""
    sim.limit = TokenBucket(rate=0.5, burst=2)
    answers = [await call("sendSMS", **SEND) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[2].json() == {"resource": "sendSMS", "status": "error", "message": "Too many requests"}
    assert answers[2].headers["retry-after"] == "2"
    assert sim.ledger.charged_count(SEND["recipient"]) == 2
    assert [entry.reason for entry in sim.ledger.requests[2:]] == ["Too many requests"] * 2
    clock.seconds += 2
    assert (await call("sendSMS", **SEND)).status_code == 200


@pytest.mark.anyio
async def test_a_limit_can_come_and_go(call, sim) -> None:
    """`limit` may be exchanged between requests."""
    sim.limit = FixedWindow(1, 60)
    assert [(await call("getSummary")).status_code for _ in range(2)] == [200, 429]
    sim.limit = None
    assert (await call("getSummary")).status_code == 200


@pytest.mark.anyio
async def test_retry_after_can_be_a_date_or_absent(call, sim, clock) -> None:
    """An HTTP-date lies in the same future as the seconds would, never earlier."""
    del clock
    sim.limit = FixedWindow(0, 7.5, retry_after="http-date")
    told = parsedate_to_datetime((await call("getSummary")).headers["retry-after"])
    now = sim.world.now().astimezone(UTC)
    wait = sim.limit.admit(1_000).wait
    assert wait <= (told - now).total_seconds() < wait + 1
    sim.limit = FixedWindow(0, 7.5, retry_after="none")
    assert "retry-after" not in (await call("getSummary")).headers


@pytest.mark.anyio
async def test_rate_limit_headers_count_down(call, sim) -> None:
    """Both dialects tell quota and what is left, on answers that were let in as on those that were not."""
    sim.limit = SlidingWindow(2, 60, headers="ietf")
    told = [(await call("getSummary")).headers for _ in range(3)]
    assert [headers["ratelimit"] for headers in told] == [
        '"default";r=1;t=0',
        '"default";r=0;t=60',
        '"default";r=0;t=60',
    ]
    assert {headers["ratelimit-policy"] for headers in told} == {'"default";q=2;w=60'}
    sim.limit = SlidingWindow(2, 60, headers="x-ratelimit")
    headers = (await call("getSummary")).headers
    assert [headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset")] == ["2", "1", "0"]


@pytest.mark.anyio
async def test_concurrency_is_given_back_when_answers_are_late() -> None:
    """Requests that overlap are refused beyond `count`; after their answers there is room again."""
    sim = Simulator(
        limit=Concurrency(2),
        latency=lambda rng: rng.uniform(0.01, 0.02),
        sleep=anyio.sleep,
        now=lambda: datetime(2024, 1, 1),  # noqa: DTZ001
    )
    headers = {"Public-Key": "TEST-public", "Private-Key": "TEST-private"}
    transport = httpx.ASGITransport(app=sim)
    statuses: list[int] = []
    async with httpx.AsyncClient(transport=transport, base_url=sim.base_url, headers=headers) as client:

        async def post() -> None:
            statuses.append((await client.post("getSummary", json={})).status_code)

        for _ in range(2):
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(post)
            assert sorted(statuses) == [200, 200, 429]
            statuses.clear()
