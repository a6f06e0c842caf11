"""How fast a run goes, to those who look on, and how it is written."""

from __future__ import annotations

import attrs

_WHOLE = 100.0


@attrs.define
class Speed:
    """Recipients a second since the first look: what was settled before, by other runs too, does not count."""

    _first: tuple[float, int] | None = attrs.field(default=None, init=False)

    def look(self, now: float, settled: int) -> float | None:
        """Return the speed, in recipients per second; None at the first look.

        Args:
            now: monotonic seconds.
            settled: recipients of whom there is nothing more to come.
        """
        if self._first is None:
            self._first = now, settled
        began, before = self._first
        return (settled - before) / (now - began) if now > began else None


def number_of(rate: float) -> str:
    """Return a rate as people read it: 0.25, 97.2, 1,000."""
    return f"{rate:,.0f}" if rate >= _WHOLE else f"{rate:.3g}"
