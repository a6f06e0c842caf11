"""Share an account with another user: `python -m benchmarks.limiter.others`.

Another user of the account sends 4 requests per second at random from the fifth to the tenth minute. The limit for both
together is 10 per second.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import attrs

from callsavvy_async.policy.adaptive import Adaptive
from testbed.limiter.servers import Answer, FixedWindow, Server, SlidingWindow, TokenBucket
from testbed.limiter.simulation import World, simulate

RATE, BEGINS, ENDS, SETTLED = 4.0, 300.0, 600.0, 360.0
SERVERS: dict[str, Callable[[], Server]] = {
    "bucket 10/s, burst 20": lambda: TokenBucket(10, 20),
    "fixed 600 per 60 s": lambda: FixedWindow(600, 60),
    "sliding 600 per 60 s": lambda: SlidingWindow(600, 60),
}


@attrs.define
class Shared:
    """A server with another user."""

    server: Server
    rate: float = 10.0
    taken: int = 0
    """Number of the other user's accepted requests since `SETTLED`."""
    _next: float = BEGINS
    _moods: random.Random = attrs.field(factory=lambda: random.Random(9))

    def arrive(self, now: float, *, share: float, rng: random.Random) -> Answer:
        """Process the other user's due requests, and then this one."""
        while self._next < min(now, ENDS):
            answer = self.server.arrive(self._next, share=share, rng=rng)
            self.taken += answer.status == 200 and self._next >= SETTLED
            self._next += self._moods.expovariate(RATE)
        return self.server.arrive(now, share=share, rng=rng)

    def leave(self, now: float) -> None:
        """Delegate to the server."""
        self.server.leave(now)


def main() -> None:
    """Print one row for each server: the rates beside the other user, and the time until the whole limit is used again."""
    print("| server | ours/s | theirs/s | of the limit, % | our 429s, % | found again after, s |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, make in SERVERS.items():
        server = Shared(make())
        run = simulate(Adaptive(), World(server, seconds=900.0), seed=0)
        ours, refused = run.accepted_between(SETTLED, ENDS), run.refused_between(SETTLED, ENDS)
        span = ENDS - SETTLED
        used = 100.0 * (ours + server.taken) / (span * server.rate)
        found = next(s for s in range(300) if run.accepted_between(ENDS + s, ENDS + s + 30) >= 0.95 * 30 * server.rate)
        print(
            f"| {name} | {ours / span:.1f} | {server.taken / span:.1f} | {used:.0f} "
            f"| {100.0 * refused / (ours + refused):.1f} | {found} |"
        )


if __name__ == "__main__":
    main()
