"""The rate law of a limit that is known, for processes that share it: the rate stays what it was told to be."""

from __future__ import annotations

import attrs

from callsavvy_async.policy.rate import RateLaw


@attrs.define
class KnownRate(RateLaw):
    """Send at the belief, whatever comes. Windows are noted all the same: they foretell when a gate reopens."""

    def _curve(self, since: float) -> float:  # noqa: ARG002 - it is no curve
        return self.belief

    def _believe(self, measured: float, elapsed: float) -> None:
        """Learn nothing."""

    def limit_as(self, other: RateLaw) -> None:
        """Keep to what this process was told, whatever others were."""
        super().limit_as(other)
        self.belief = self.rate = other.belief
