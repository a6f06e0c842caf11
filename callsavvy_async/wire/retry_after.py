"""The Retry-After header."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

LONGEST_WAIT = 86_400.0
"""Maximum wait in seconds. A longer Retry-After counts as a mistake and is cut to this."""


def parse_retry_after(headers: Mapping[str, str], *, now: Callable[[], datetime]) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3): seconds, also with a fraction, or an HTTP-date.

    A date counts from the response's Date header, so that a wrong local clock does no harm.

    Args:
        headers: Header fields of the response under lower-case names.
        now: Returns the local time. Used for a date if the response has no valid Date header.

    Returns:
        Seconds from 0 to `LONGEST_WAIT`. None if the header is missing or invalid.
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
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - dates are rare, and the import loads ten modules
    except (ImportError, OSError):  # too many files are open: the response counts without its date
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
