"""What the arithmetic of pacing costs by itself: `python -m benchmarks.limiter.cost`.

One row per pacer: microseconds, and Python function calls, for one request's `delay`, `sent` and `done` when it may start at
once, and for one `delay` that says to wait. No event loop and no waiting: that is `transport.pacing`'s, on top.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter
from types import FrameType

from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.feedback import Feedback, Signal
from callsavvy_async.policy.pacer import Pacer
from callsavvy_async.policy.told import Fixed, Unlimited

ROUNDS = 20_000
REPEATS = 5
PACERS: dict[str, Callable[[], Pacer]] = {
    "Adaptive": Adaptive,
    "Fixed": lambda: Fixed(1e6),
    "Unlimited": Unlimited,
}
_ADMITTED = Feedback(Signal.ADMITTED)


def main() -> None:
    """Print one row per pacer."""
    print("| pacer | us per request | us per `delay` that waits | function calls per request |\n|---|---:|---:|---:|")
    for name, make in PACERS.items():
        print(f"| {name} | {_best(_request, make):.2f} | {_best(_wait, make):.2f} | {calls_per_request(make())} |")


def calls_per_request(pacer: Pacer) -> int:
    """Return the Python function calls of one request that need not wait."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    _request(pacer, 1.0)
    sys.setprofile(count)
    try:
        _request(pacer, 2.0)
    finally:
        sys.setprofile(None)
    return calls - 1  # _request itself


def _request(pacer: Pacer, now: float) -> None:
    if pacer.delay(now) == 0.0:
        pacer.done(now + 0.1, pacer.sent(now), _ADMITTED)


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
