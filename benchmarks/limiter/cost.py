"""Measure the arithmetic of pacing alone: `python -m benchmarks.limiter.cost`.

Each pacer has a row: microseconds and Python function calls of `delay`, `sent` and `done` for a request that starts at
once, and of one `delay` that returns a wait. The event loop's cost comes on top.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.fixed import FixedRate, Unlimited
from callsavvy_async.policy.pacer import Pacer
from testbed.limiter.cost import calls_per_request, one_request

ROUNDS = 20_000
REPEATS = 5
PACERS: dict[str, Callable[[], Pacer]] = {
    "Adaptive": Adaptive,
    "FixedRate": lambda: FixedRate(1e6),
    "Unlimited": Unlimited,
}


def main() -> None:
    """Print one row for each pacer."""
    print("| pacer | us per request | us per `delay` that waits | function calls per request |\n|---|---:|---:|---:|")
    for name, make in PACERS.items():
        print(f"| {name} | {_best(one_request, make):.2f} | {_best(_wait, make):.2f} | {calls_per_request(make())} |")


def _wait(pacer: Pacer, now: float) -> None:
    pacer.delay(0.0 * now)


def _best(step: Callable[[Pacer, float], None], make: Callable[[], Pacer]) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        pacer = make()
        pacer.sent(0.0)
        began = perf_counter()
        for i in range(ROUNDS):
            step(pacer, float(i + 1))
        best = min(best, perf_counter() - began)
    return 1e6 * best / ROUNDS


if __name__ == "__main__":
    main()
