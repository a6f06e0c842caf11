"""The rate controller of a configured limit that processes share: the rate never changes."""

from __future__ import annotations

import attrs

from callsavvy_async.policy.rate_controller import RateController


@attrs.define
class FixedRateController(RateController):
    """Send at the configured rate. Windows are still measured, because they predict when a gate reopens."""

    def _curve(self, since: float) -> float:  # noqa: ARG002 - a constant
        return self.estimated_limit

    def _learn(self, measured: float, elapsed: float, count: float) -> None:
        """Do nothing: the rate is configured."""

    def limit_as(self, other: RateController) -> None:
        """Use this process's configured rate, ignoring other processes' configuration."""
        super().limit_as(other)
        self.estimated_limit = self.rate = other.estimated_limit
