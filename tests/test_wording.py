"""Counts with their nouns."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from callsavvy_async.wording import period, quantity


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 requests"),
        (1, "1 request"),
        (1500, "1,500 requests"),
        (Decimal(1), "1 request"),
        (Decimal("1.5"), "1.5 requests"),
    ],
)
def test_only_one_is_in_the_singular(count: int | Decimal, text: str) -> None:
    """Every other count takes the plural, with commas between thousands."""
    assert quantity(count, "request") == text


def test_an_irregular_plural_is_given() -> None:
    """The plural is the noun and an "s" unless it is named."""
    assert quantity(1, "process", "processes") == "1 process"
    assert quantity(2, "process", "processes") == "2 processes"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (604_800, "7 days"),
        (86_400, "1 day"),
        (129_600, "36 hours"),
        (5_400, "90 minutes"),
        (1_000_001, "1,000,001 seconds"),
        (0.5, "0.5 seconds"),
    ],
)
def test_a_period_is_in_its_largest_whole_unit(seconds: float, text: str) -> None:
    """So it reads as it was given."""
    assert period(timedelta(seconds=seconds)) == text
