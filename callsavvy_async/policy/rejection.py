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


def names_recipient(error: RequestError, numbers: Iterable[str] = ()) -> bool:
    """Whether it speaks of a recipient, so that it may come from one bad number.

    Args:
        error: the rejection.
        numbers: whom the request was for; the rejection may show one of them, in its own way of writing.
    """
    if not isinstance(error, BadRequestError):
        return False
    message = error.message or ""
    if _NAMES_RECIPIENT.search(message):
        return True
    shown = tuple(_NO_DIGIT.sub("", found).lstrip("0") for found in _LONG_NUMBER.findall(message))
    return bool(shown) and any(number.endswith(shown) for number in numbers)


def too_large(error: RequestError) -> bool:
    """Whether it speaks of too many recipients in one call, or of too large a body (413)."""
    if not isinstance(error, BadRequestError):
        return False
    return error.status_code == _CONTENT_TOO_LARGE or (
        names_recipient(error) and bool(_TOO_MANY.search(error.message or ""))
    )
