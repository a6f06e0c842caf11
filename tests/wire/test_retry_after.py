"""Retry-After in all its forms (RFC 9110, 10.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.wire.retry_after import LONGEST_WAIT, parse_retry_after

NOW = datetime(2026, 11, 22, 8, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("0.25", 0.25),
        ("-3", 0),
        ("-inf", 0),
        ("inf", LONGEST_WAIT),
        ("1e300", LONGEST_WAIT),
        ("nan", None),
        ("", None),
        ("  ", None),
        ("soon", None),
        ("Sun, 22 Nov 2026 08:15:30 GMT", 30),
        ("Sun, 22 Nov 2026 09:15:30 +0100", 30),
        ("Sun, 22 Nov 2026 08:15:30 -0000", 30),
        ("Sun, 22 Nov 2026 08:14:00 GMT", 0),
        ("Sun, 22 Nov 2099 08:14:00 GMT", LONGEST_WAIT),
        ("Sun, 99 Nov 2026 08:15:30 GMT", None),
    ],
)
def test_forms(text: str, seconds: float | None) -> None:
    """Seconds, fractions and dates are read, absurd ones are clamped, nonsense is nothing."""
    assert parse_retry_after({"retry-after": text}, now=lambda: NOW) == seconds


def test_no_header() -> None:
    """No header, no wish."""
    assert parse_retry_after({}, now=lambda: NOW) is None


def test_a_wrong_local_clock_does_no_harm() -> None:
    """A date is counted from the answer's own Date, where there is a good one."""
    later = format_datetime(NOW + timedelta(hours=5, seconds=10), usegmt=True)
    date = format_datetime(NOW + timedelta(hours=5), usegmt=True)
    assert parse_retry_after({"retry-after": later, "date": date}, now=lambda: NOW) == 10
    assert parse_retry_after({"retry-after": later, "date": "today"}, now=lambda: NOW) == 18_010


@given(
    text=st.text(max_size=40) | st.floats().map(str) | st.datetimes().map(format_datetime),
    date=st.text(max_size=40) | st.datetimes().map(format_datetime),
)
def test_always_none_or_in_range(text: str, date: str) -> None:
    """Whatever the header says, the wait is nothing or within a day, and nothing raises."""
    wait = parse_retry_after({"retry-after": text, "date": date}, now=lambda: NOW)
    assert wait is None or 0 <= wait <= LONGEST_WAIT
