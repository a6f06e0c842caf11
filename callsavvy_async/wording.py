"""Counts with their nouns, as sentences need them."""

from __future__ import annotations

from decimal import Decimal


def quantity(count: int | Decimal, noun: str, plural: str | None = None) -> str:
    """Return a count and its noun: "1 request", "1,500 requests".

    Args:
        count: the count. Only 1 takes the singular.
        noun: the noun in the singular, perhaps with words before it, such as "pending request".
        plural: its plural, if that is not the noun and an "s".
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
