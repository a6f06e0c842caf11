"""Measure a bulk send with the defaults against a server in a separate process: `python -m benchmarks.limiter.sockets`.

Each row is a cold start of 40 seconds with one recipient per request. The server's ledger gives the accepted requests in
percent of the limit, over the whole run and in its second half, and the 429s. A full bucket at the start, or a partial
window, can give more than 100 %. Options: `--seconds`, `--only TEXT`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count, takewhile

import attrs

from callsavvy_async import Callsavvy
from callsavvy_async.simulator import (
    PRIVATE_KEY,
    PUBLIC_KEY,
    Admission,
    FixedWindow,
    Limit,
    Simulator,
    SlidingWindow,
    TokenBucket,
    serve,
)

SECONDS = 40.0
LATENCIES: dict[str, Callable[[random.Random], float]] = {
    "50 to 400 ms": lambda rng: rng.uniform(0.05, 0.4),
    "5 to 20 ms": lambda rng: rng.uniform(0.005, 0.02),
    "1 s": lambda rng: rng.uniform(0.95, 1.05),
    "log-normal": lambda rng: min(6.0, rng.lognormvariate(math.log(0.15), 0.9)),
}
LIMITS: dict[str, tuple[float, Callable[[], Limit]]] = {
    "bucket 40/s, Retry-After": (40.0, lambda: TokenBucket(40, 40)),
    "bucket 40/s": (40.0, lambda: TokenBucket(40, 40, retry_after="none")),
    "bucket 100/s": (100.0, lambda: TokenBucket(100, 100, retry_after="none")),
    "fixed 120 per 3 s": (40.0, lambda: FixedWindow(120, 3, retry_after="none")),
    "fixed 120 per 3 s, Retry-After": (40.0, lambda: FixedWindow(120, 3)),
    "sliding 40 per 1 s, Retry-After": (40.0, lambda: SlidingWindow(40, 1)),
    "sliding 40 per 1 s": (40.0, lambda: SlidingWindow(40, 1, retry_after="none")),
}
ROWS = (
    *((limit, "50 to 400 ms") for limit in LIMITS),
    *(
        (limit, latency)
        for latency in ("5 to 20 ms", "log-normal")
        for limit in ("bucket 40/s", "sliding 40 per 1 s, Retry-After")
    ),
    ("bucket 40/s", "1 s"),
    ("fixed 120 per 3 s, Retry-After", "1 s"),
)


@attrs.define
class Counted:
    """A limit that records the times of its decisions."""

    limit: Limit
    admitted: list[float] = attrs.field(factory=list)
    refused: list[float] = attrs.field(factory=list)

    def admit(self, now: float) -> Admission:
        """Delegate to the limit."""
        admission = self.limit.admit(now)
        (self.admitted if admission.admitted else self.refused).append(now)
        return admission

    def __getattr__(self, name: str) -> object:
        return getattr(self.limit, name)


def server(limit: str, latency: str) -> None:
    """Serve until stdin ends, and print the ledger."""
    counted = Counted(LIMITS[limit][1]())
    simulator = Simulator(sms_balance=10**9, limit=counted, latency=LATENCIES[latency])  # type: ignore[arg-type]
    with serve(simulator) as served:
        print(served.url, flush=True)
        sys.stdin.read()
    print(json.dumps({"admitted": counted.admitted, "refused": counted.refused}), flush=True)


async def client(url: str, seconds: float) -> None:
    """Send in bulk for this time, with one recipient per request."""
    ends_at = time.monotonic() + seconds
    numbers = takewhile(lambda _: time.monotonic() < ends_at, (f"+23480{number:08}" for number in count()))
    async with Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=url) as callsavvy:
        await callsavvy.bulk.sms(numbers, "Hello", chunk_size=1)


def row(limit: str, latency: str, seconds: float) -> str:
    """Run one row."""
    module = [sys.executable, "-m", "benchmarks.limiter.sockets"]
    served = subprocess.Popen(
        [*module, "--serve", limit, latency], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert served.stdout is not None
    url = served.stdout.readline().strip()
    subprocess.run([*module, "--send", url, "--seconds", str(seconds)], check=True, stderr=subprocess.DEVNULL)
    ledger = json.loads(served.communicate()[0])
    admitted, refused, rate = ledger["admitted"], ledger["refused"], LIMITS[limit][0]
    began = min([*admitted, *refused])
    half = [at for at in admitted if began + seconds / 2.0 <= at < began + seconds]
    whole = sum(at < began + seconds for at in admitted)
    return (
        f"| {limit} | {latency} | {100.0 * whole / (rate * seconds):.1f} | {200.0 * len(half) / (rate * seconds):.1f}"
        f" | {100.0 * len(refused) / max(1, len(admitted) + len(refused)):.2f} ({len(refused)}) |"
    )


def main() -> None:
    """Print one row for each limit and latency."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limiter.sockets", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--only", default="", help="rows with this text in their name")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--send", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        server(*options.serve)
    elif options.send:
        asyncio.run(client(options.send, options.seconds))
    else:
        began = time.perf_counter()
        print("| server | latency | of the limit, % | second half, % | 429s, % |\n|---|---|---:|---:|---:|")
        for limit, latency in ROWS:
            if options.only in f"{limit} {latency}":
                print(row(limit, latency, options.seconds), flush=True)
        print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
