"""Numbers whose country had to be assumed."""

from __future__ import annotations

import attrs

from callsavvy_async.redaction import mask_number


@attrs.define
class Doubtful:
    """Count of numbers without ``+`` that were assumed to begin with a country code, because `region` was not given."""

    count: int = 0
    first_row: int | None = None
    first: str = ""
    """The first number, masked."""

    def note(self, row: int, given: str) -> None:
        """Count a number."""
        if self.first_row is None:
            self.first_row, self.first = row, mask_number(given.strip())
        self.count += 1

    def __str__(self) -> str:
        example = f" {self.first!r} in row {self.first_row:,}" if self.first else f" in row {self.first_row:,}"
        return f"{self.count:,} without '+', assumed to begin with a country code, the first{example}"
