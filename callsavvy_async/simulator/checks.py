"""Checks of parameter values. A failed check raises `RequestRejected` with 422 and names the parameter."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias
from urllib.parse import urlsplit

from callsavvy_async.simulator.responses import RequestRejected

Check: TypeAlias = Callable[[str, str], None]
"""Takes the parameter's name and its value, and raises if the value is invalid."""

_NUMBER = re.compile(r"\+[0-9]{6,15}")
_NUMBERS = re.compile(rf"{_NUMBER.pattern}(?:,{_NUMBER.pattern})*")
_EMAIL = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+")
_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_PHONE = re.compile(r"\+?[0-9][0-9 ()-]{3,}")

_SECOND, _DAY, _MONTH = "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%Y-%m"
MOST_WHATSAPP_RECIPIENTS = 30
"""sendWhatsapp: "up-to 30 recipients with each API call"."""

_WIDTHS = {_SECOND: 19, _DAY: 10, _MONTH: 7}


def invalid(name: str, value: str) -> RequestRejected:
    """Return the error of an invalid value."""
    return RequestRejected(422, f"Invalid {name}: {value}")


def text(name: str, value: str) -> None:
    """Check that the value is not blank."""
    if not value.strip():
        raise RequestRejected(422, f"Invalid {name}: must not be empty")


def text_or_empty(_name: str, _value: str) -> None:
    """Accept any text, including the empty one (replyTicket: "or leave it empty")."""


def email(name: str, value: str) -> None:
    """Check that the value looks like an e-mail address."""
    if not _EMAIL.fullmatch(value):
        raise invalid(name, value)


def phone(name: str, value: str) -> None:
    """Check that the value looks like a phone number, possibly formatted."""
    if not _PHONE.fullmatch(value):
        raise invalid(name, value)


def recipients(name: str, value: str) -> None:
    """Check that the value is a list of international numbers joined by commas. The error names the first invalid one."""
    if _NUMBERS.fullmatch(value):
        return
    wrong = next(number for number in value.split(",") if not _NUMBER.fullmatch(number))
    raise invalid(name, wrong or "(blank)")


def up_to_30_recipients(name: str, value: str) -> None:
    """Check the recipients of sendWhatsapp and their number."""
    recipients(name, value)
    if value.count(",") >= MOST_WHATSAPP_RECIPIENTS:
        raise RequestRejected(
            422, f"Invalid {name}: at most {MOST_WHATSAPP_RECIPIENTS} recipients are allowed per call"
        )


def minutes(name: str, value: str) -> None:
    """Check that the value is a positive number in plain decimal notation."""
    if not _DECIMAL.fullmatch(value) or not Decimal(value):
        raise invalid(name, value)


def audio_url(name: str, value: str) -> None:
    """Check that the value is an absolute http or https URL without blanks or control characters (RFC 3986, section 2)."""
    try:
        parts = urlsplit(value if value.isprintable() and " " not in value else "")
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise RequestRejected(422, f"Invalid {name}: must be the URL of an MP3 file")


def one_of(*words: str) -> Check:
    """Make a check that accepts only these words."""

    def check(name: str, value: str) -> None:
        if value not in words:
            raise invalid(name, value)

    return check


def _moment(*formats: str) -> Check:
    def check(name: str, value: str) -> None:
        for format_ in formats:
            if len(value) == _WIDTHS[format_] and value.isascii():
                try:
                    datetime.strptime(value, format_)  # noqa: DTZ007  (the API's times have no zone)
                except ValueError:
                    continue
                return
        raise invalid(name, value)

    return check


timestamp: Check = _moment(_SECOND)
"""Check for YYYY-MM-DD HH:MM:SS."""

period: Check = _moment(_SECOND, _DAY, _MONTH)
"""Check for YYYY-MM-DD HH:MM:SS, YYYY-MM-DD or YYYY-MM."""

day_or_month: Check = _moment(_DAY, _MONTH)
"""Check for YYYY-MM-DD or YYYY-MM, the formats of listMeetings."""
