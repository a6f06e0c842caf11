"""Simulate processes that share one limit through one row: `python -m benchmarks.limiter.processes`.

The rows "uncoordinated" run the same number of processes without sharing.
"""

from __future__ import annotations

from collections.abc import Callable

from testbed.limiter.processes import make_fleet
from testbed.limiter.servers import FixedWindow, Server, SlidingWindow, Tell, TokenBucket

SERVERS: dict[str, Callable[[], Server]] = {
    "bucket 10/s, burst 20": lambda: TokenBucket(10, 20),
    "bucket 100/s, burst 100": lambda: TokenBucket(100, 100),
    "bucket 100/s, burst 100, Retry-After": lambda: TokenBucket(100, 100, Tell.RETRY_AFTER),
    "fixed 600 per 60 s": lambda: FixedWindow(600, 60),
    "sliding 600 per 60 s": lambda: SlidingWindow(600, 60),
    "sliding 1000 per 10 s": lambda: SlidingWindow(1000, 10),
}


def main() -> None:
    """Print one row for each server and number of processes."""
    print("| server | processes | of the limit, % | 429s, % | fairness | row requests/s |")
    print("|---|---:|---:|---:|---:|---:|")
    begins, ends = 120.0, 600.0
    for name, make in SERVERS.items():
        for count, alone in ((1, False), (4, False), (4, True), (16, False)):
            fleet = make_fleet(make(), count, alone=alone)
            fleet.run(ends)
            accepted, refused = fleet.accepted_between(begins, ends), fleet.refused_between(begins, ends)
            each = [sum(at > begins for at in process.accepted) for process in fleet.processes]
            print(
                f"| {name} | {count}{', uncoordinated' if alone else ''}"
                f" | {100.0 * accepted / (ends - begins) / fleet.server.rate:.1f}"
                f" | {100.0 * refused / (accepted + refused):.2f} | {min(each) / max(each):.2f}"
                f" | {fleet.row_requests / ends:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
