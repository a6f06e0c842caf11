"""A retry budget: retries stay a bounded share of the traffic while the API is down.

Theory: a token bucket that only successes refill. Each retry takes `cost` tokens and each success returns one. In the
long run there is at most one retry per `cost` successes, after a first credit of ``capacity / cost`` retries. botocore's
standard retry mode has the same quota.
"""

from __future__ import annotations

import attrs


@attrs.define
class RetryBudget:
    """Tokens that retries take and successes return. Unit: tokens."""

    capacity: float = 500.0
    cost: float = 10.0
    tokens: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tokens = self.capacity

    def take(self) -> bool:
        """Take the cost of one retry; return False if too few tokens are left."""
        if self.tokens < self.cost:
            return False
        self.tokens -= self.cost
        return True

    def succeeded(self) -> None:
        """Return one token."""
        if self.tokens < self.capacity:
            self.tokens = min(self.capacity, self.tokens + 1.0)
