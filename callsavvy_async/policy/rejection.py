"""What a final rejection is about, told by its status and its words: the API has no codes of its own (quirk Q10).

Nothing was charged, so what it is about may be cut out and the rest sent again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from callsavvy_async.errors import BadRequestError, RequestError

_CONTENT_TOO_LARGE = 413
_NAMES_RECIPIENT = re.compile(r"recipient|phone|number|msisdn", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"\d(?:[\s().-]*\d){6,}")
_NO_DIGIT = re.compile(r"\D")
_TOO_MANY = re.compile(
    r"too (?:many|large|long)|at most|max|exceed|up.to|no more than|limit(?:ed)? (?:of|to)", re.IGNORECASE
)


_DIGITS = re.compile(r"\d(?:[\d\s().-]*\d)?")
_FEWEST_DIGITS = 7
"""A shorter run of digits is more likely a code or a count than a phone number."""


def names_recipient(error: RequestError, recipients: Iterable[str] = ()) -> bool:
    """Return whether a rejection may come from one bad number.

    The message either has a word for a recipient, or holds the digits of one of `recipients`, in international or
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
    """Return whether a rejection speaks of too many recipients in one request, or of too large a body (413)."""
    if not isinstance(error, BadRequestError):
        return False
    return error.status_code == _CONTENT_TOO_LARGE or (
        names_recipient(error) and bool(_TOO_MANY.search(error.message or ""))
    )
