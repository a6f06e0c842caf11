"""Header fields that carry meaning for the SDK."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

LONGEST_WAIT = 86_400.0
"""Seconds; a longer Retry-After is taken for a mistake and cut to this."""


def parse_retry_after(headers: Mapping[str, str], *, now: Callable[[], datetime]) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3): seconds, fractions of a second, or an HTTP-date.

    A date is counted from the answer's own Date header when there is one, so that a wrong local clock does no harm.

    Args:
        headers: of the answer, under lower-case names.
        now: tells the local time; asked only for a date in an answer without a good Date.

    Returns:
        Seconds from 0 to `LONGEST_WAIT`; None when the header is missing or says nothing.
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        moment = _parse_date(text)
        if moment is None:
            return None
        seconds = (moment - (_parse_date(headers.get("date", "")) or now())).total_seconds()
    return None if math.isnan(seconds) else min(max(seconds, 0.0), LONGEST_WAIT)


def _parse_date(text: str) -> datetime | None:
    try:
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - dates are rare, and it takes ten modules in
    except (ImportError, OSError):  # too many files are open: the response counts without its date
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
