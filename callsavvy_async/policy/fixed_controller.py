"""The rate controller of a limit that is known, for processes that share it: the rate stays what it was told to be."""

from __future__ import annotations

import attrs

from callsavvy_async.policy.rate_controller import RateController


@attrs.define
class FixedRateController(RateController):
    """Send at the belief, whatever comes. Windows are noted all the same: they foretell when a gate reopens."""

    def _curve(self, since: float) -> float:  # noqa: ARG002 - it is no curve
        return self.estimated_limit

    def _believe(self, measured: float, elapsed: float) -> None:
        """Learn nothing."""

    def limit_as(self, other: RateController) -> None:
        """Keep to what this process was told, whatever others were."""
        super().limit_as(other)
        self.estimated_limit = self.rate = other.estimated_limit
