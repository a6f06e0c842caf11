"""Counts with their nouns, and periods, as sentences need them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

_UNITS = {
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
}


def quantity(count: int | Decimal, noun: str, plural: str | None = None) -> str:
    """Return a count and its noun: "1 request", "1,500 requests".

    Args:
        count: the count. Only 1 takes the singular.
        noun: the noun in the singular, perhaps with words before it, such as "pending request".
        plural: its plural, if that is not the noun and an "s".
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def first(count: int, noun: str, plural: str) -> str:
    """Return the first ones of a list: "the first person", "the first 3 people".

    Args:
        count: their number.
        noun: the noun in the singular.
        plural: its plural.
    """
    return f"the first {noun}" if count == 1 else f"the first {quantity(count, noun, plural)}"


def period(length: timedelta) -> str:
    """Return a period in its largest whole unit: "7 days", "90 minutes"."""
    for noun, unit in _UNITS.items():
        if length >= unit and not length % unit:
            return quantity(length // unit, noun)
    return f"{length.total_seconds()} seconds"
