"""Find the cause of a final rejection in its status and its words; the API has no error codes.

A rejected request costs nothing, so the SDK can remove the cause and send the rest again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from callsavvy_async.errors import BadRequestError, RequestError

_CONTENT_TOO_LARGE = 413
_NAMES_RECIPIENT = re.compile(r"recipient|phone|number|msisdn", re.IGNORECASE)
_TOO_MANY = re.compile(
    r"too (?:many|large|long)|at most|max|exceed|up.to|no more than|limit(?:ed)? (?:of|to)", re.IGNORECASE
)
_DIGITS = re.compile(r"\d(?:[\d\s().-]*\d)?")
_FEWEST_DIGITS = 7
"""Minimum digits of a phone number; a shorter run is more likely a code or a count."""


def names_recipient(error: RequestError, recipients: Iterable[str] = ()) -> bool:
    """Return True if one bad number may be the cause of a rejection.

    The message either contains a word for a recipient, or the digits of one of `recipients`, in international or
    national form.
    """
    if not isinstance(error, BadRequestError) or not error.message:
        return False
    return bool(_NAMES_RECIPIENT.search(error.message)) or _holds_number(error.message, recipients)


def _holds_number(message: str, recipients: Iterable[str]) -> bool:
    runs = ("".join(filter(str.isdecimal, run)).lstrip("0") for run in _DIGITS.findall(message))
    numbers = tuple(run for run in runs if len(run) >= _FEWEST_DIGITS)
    return bool(numbers) and any(recipient.endswith(numbers) for recipient in recipients)


def too_large(error: RequestError) -> bool:
    """Return True if a rejection means too many recipients in one request, or too large a body (413)."""
    if not isinstance(error, BadRequestError):
        return False
    return error.status_code == _CONTENT_TOO_LARGE or (
        names_recipient(error) and bool(_TOO_MANY.search(error.message or ""))
    )
