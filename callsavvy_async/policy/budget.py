"""A retry budget: repeats stay a bounded share of the traffic when the API is down.

Theory: a token bucket that time does not refill. Every repeat takes `cost` tokens, every success brings back one; so in
the long run there is at most one repeat in `cost` successes, after a first credit of ``capacity / cost`` repeats. (The
quota of botocore's standard retry mode.)
"""

from __future__ import annotations

import attrs


@attrs.define
class RetryBudget:
    """Tokens that repeats take and successes bring back. Unit: tokens."""

    capacity: float = 500.0
    cost: float = 10.0
    tokens: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tokens = self.capacity

    def take(self) -> bool:
        """Take the cost of one repeat; False when there is not enough left."""
        if self.tokens < self.cost:
            return False
        self.tokens -= self.cost
        return True

    def succeeded(self) -> None:
        """Bring back one token."""
        if self.tokens < self.capacity:
            self.tokens = min(self.capacity, self.tokens + 1.0)
