"""A figure of the product and that of its floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Figures(NamedTuple):
    """Two figures of one run, in the same unit."""

    ours: float
    floor: float

    @property
    def ratio(self) -> float:
        """Ours as a multiple of the floor."""
        return self.ours / self.floor


def median(rounds: Sequence[Figures]) -> Figures:
    """Return the figures of the median ratio."""
    return sorted(rounds, key=lambda figures: figures.ratio)[len(rounds) // 2]
