"""Check the default client against the simulator's hidden limits on real sockets: `python -m benchmarks.limiter.loopback`.

Each run takes real time: half a minute for the first, one minute for each of the others.
"""

from __future__ import annotations

import asyncio
import time

from callsavvy_async import Callsavvy
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, FixedWindow, Simulator, SlidingWindow, TokenBucket, serve

SENDS = (
    ("300 sends, bucket 20/s, burst 20, bare", TokenBucket(20, 20, retry_after="none"), 300),
    ("300 sends, bucket 20/s, burst 20, Retry-After", TokenBucket(20, 20), 300),
    ("600 sends, fixed 100 per 10 s, bare", FixedWindow(100, 10, retry_after="none"), 600),
    ("600 sends, sliding 100 per 10 s, bare", SlidingWindow(100, 10, retry_after="none"), 600),
)


def main() -> None:
    """Print one row for each server."""
    print("| server | delivered | 429s | seconds |\n|---|---:|---:|---:|")
    for name, limit, count in SENDS:
        simulator = Simulator(sms_balance=10**6, limit=limit, latency=lambda rng: rng.uniform(0.05, 0.4))
        with serve(simulator) as server:
            refused, seconds = asyncio.run(_send(server.url, count))
        print(f"| {name} | {simulator.ledger.totals.charged_recipients} | {refused} | {seconds:.1f} |", flush=True)


async def _send(url: str, count: int) -> tuple[int, float]:
    began = time.perf_counter()
    async with Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=url) as callsavvy:
        numbers = (f"+23480{number:08}" for number in range(count))
        await asyncio.gather(*(callsavvy.messaging.send_sms(number, "Hello") for number in numbers))
        return callsavvy.pacing.snapshot().rate_limited, time.perf_counter() - began


if __name__ == "__main__":
    main()
