"""Measure four processes that share one limit on a real Redis and PostgreSQL: `python -m benchmarks.limiter.shared`.

All of it runs on loopback. The server with its bucket of 100 requests per second runs in this process, each client in a
separate one. All counts are the server's. `--only CASE` and `--on redis` or `postgres` run a part. Nine minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from contextlib import ExitStack

from callsavvy_async.policy.feedback import Feedback, Signal
from callsavvy_async.policy.fixed import FixedRate
from callsavvy_async.transport.clock import current_time
from callsavvy_async.transport.hooks import Hooks
from callsavvy_async.transport.rate_limiter import RateLimiter
from callsavvy_async.transport.shared.settings import SharedPacing
from callsavvy_async.transport.shared.shared_limiter import share_limit
from testbed.limiter.shared_run import RATE, Backend, Case, Outcome, run
from testbed.servers.postgres import PostgresServer
from testbed.servers.redis import RedisServer

CASES = {
    "known": Case(20.0, known="100/s"),
    "hidden": Case(75.0, bucket=RATE, from_second=15.0),
    "hidden, Retry-After": Case(75.0, bucket=RATE, retry_after=True, from_second=15.0),
    "known, two clocks jump": Case(20.0, known="100/s", jump=2.0),
    "known, killed and back": Case(30.0, known="100/s", outage=(8.0, 16.0)),
    "hidden, killed and back": Case(60.0, bucket=RATE, outage=(25.0, 35.0), from_second=15.0),
}


def describe(name: str, case: Case, backend: Backend, outcome: Outcome) -> None:
    start, end = case.from_second, case.seconds
    spans = [(start, end)]
    if case.outage:
        down, up = case.outage
        spans = [(start, down), (down + 1.0, up), (up, up + 5.0), (up + 5.0, end)]
    names = ["all of it"] if len(spans) == 1 else ["before", "unavailable", "first 5 s back", "after"]
    for part, (begins, ends) in zip(names, spans, strict=True):
        seen = outcome.between(begins, ends)
        refused, fair = sum(not one.admitted for one in seen), outcome.fairness(begins, ends)
        print(
            f"| {backend.name} | {name} | {part} | {(len(seen) - refused) / (ends - begins):.1f}"
            f" | {outcome.worst_second(begins, ends)} | {fair:.2f} | {refused} ({100 * refused / max(1, len(seen)):.2f} %) |",
            flush=True,
        )
    if case.retry_after:
        lasts, counts = zip(*outcome.silences(start), strict=True)
        print(
            f"  {len(lasts)} pauses: silence after {statistics.median(lasts):.3f} s in the median, {max(lasts):.3f} s at most;"
            f" {statistics.mean(counts):.1f} requests meanwhile",
            file=sys.stderr,
        )
    if case.outage:
        for event in ("SharedLimitLost", "SharedLimitRestored"):
            print(f"  {event}: {', '.join(f'{at:.2f}' for at in outcome.times(event))} s", file=sys.stderr)
    errors = [line for lines in outcome.events for line in lines if line["event"] == "error"]
    if errors:
        print(f"  errors: {len(errors)}, such as {errors[0]}", file=sys.stderr)


async def cost(limiter: RateLimiter, count: int) -> float:
    """Return the CPU seconds of this process for `count` acquisitions by 64 tasks."""

    async def work() -> None:
        for _ in range(count // 64):
            permit = await limiter.acquire(float("inf"), lambda *_: None)
            await asyncio.sleep(0.01)
            limiter.done(permit, Feedback(Signal.ADMITTED), current_time())

    began = time.process_time()
    await asyncio.gather(*(work() for _ in range(64)))
    return time.process_time() - began


async def compare_cost(backend: Backend) -> None:
    """Print the cost of an acquisition, alone and shared."""
    count = 6400
    for rate in ("100/s", "1000/s"):
        turns = count if rate == "1000/s" else count // 5
        plain = await cost(RateLimiter(FixedRate(rate)), turns)
        shared, fetcher = share_limit(SharedPacing(backend.url(), local=FixedRate(rate)), "cost", rate, Hooks(()))
        await cost(shared, 64)
        together = await cost(shared, turns)
        await fetcher.aclose()
        print(
            f"| {backend.name} | {rate} | {1e6 * plain / turns:.0f} | {1e6 * together / turns:.0f} | {together / plain:.1f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limiter.shared", description=__doc__)
    parser.add_argument("--only", choices=[*CASES, "cost"])
    parser.add_argument("--on", choices=["redis", "postgres"])
    options = parser.parse_args()
    with ExitStack() as stack:
        redis, postgres = stack.enter_context(RedisServer()), stack.enter_context(PostgresServer())
        flushed = lambda: (redis.kill(), redis.start(), redis.url)[-1]  # noqa: E731 - a new, empty Redis for each run
        backends = [
            Backend("redis", flushed, redis.kill, redis.start),
            Backend("postgres", postgres.new_database, lambda: postgres.stop("immediate"), postgres.start),
        ]
        chosen = [backend for backend in backends if options.on in {None, backend.name}]
        if options.only != "cost":
            print("\n| on | the limit of 100/s | span | accepted requests/s | worst second | fairness | 429s |")
            print("|---|---|---|---:|---:|---:|---:|")
        for name, case in CASES.items():
            for backend in chosen:
                if options.only in {None, name}:
                    describe(name, case, backend, run(case, backend))
        if options.only in {None, "cost"}:
            print(
                "\n| on | rate | alone, CPU us per acquisition | shared, CPU us per acquisition | ratio |"
                "\n|---|---|---:|---:|---:|"
            )
            for backend in chosen:
                asyncio.run(compare_cost(backend))


if __name__ == "__main__":
    main()
