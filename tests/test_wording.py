"""Counts with their nouns."""

from __future__ import annotations

from decimal import Decimal

import pytest

from callsavvy_async.wording import quantity


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
