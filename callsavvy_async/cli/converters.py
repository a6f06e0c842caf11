"""Reads the values of options. An error names the value and a correct one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from cyclopts import Token

_UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}


def read_decimal(_: object, tokens: Sequence[Token]) -> Decimal:
    """Read a decimal number, such as 12.5."""
    try:
        return Decimal(tokens[0].value)
    except InvalidOperation:
        raise ValueError(f'"{tokens[0].value}" is not a number.') from None


def read_percent(_: object, tokens: Sequence[Token]) -> float:
    """Read a percentage, such as 20%, as a share."""
    try:
        share = float(tokens[0].value.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not (tokens[0].value.endswith("%") and 0 <= share <= 1):
        raise ValueError(f'"{tokens[0].value}" is not a percentage; write it as 20%.')
    return share


def read_period(_: object, tokens: Sequence[Token]) -> timedelta:
    """Read a period, such as 7d, 12h or 30m."""
    found = re.fullmatch(r"([0-9]{1,6})([wdhms])", tokens[0].value)
    period = timedelta() if found is None else int(found[1]) * _UNITS[found[2]]
    if not period:
        raise ValueError(f'"{tokens[0].value}" is not a period; write it as 7d, 12h or 30m.')
    return period
