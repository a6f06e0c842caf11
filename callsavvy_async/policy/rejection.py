"""What a final rejection is about, told by its status and its words: the API has no codes of its own (quirk Q10).

Nothing was charged, so what it is about may be cut out and the rest sent again.
"""

from __future__ import annotations

import re

from callsavvy_async.errors import BadRequestError, RequestError

_CONTENT_TOO_LARGE = 413
_NAMES_RECIPIENT = re.compile(r"recipient|phone|number|msisdn", re.IGNORECASE)
_TOO_MANY = re.compile(
    r"too (?:many|large|long)|at most|max|exceed|up.to|no more than|limit(?:ed)? (?:of|to)", re.IGNORECASE
)


def names_recipient(error: RequestError) -> bool:
    """Whether it speaks of a recipient, so that it may come from one bad number."""
    return isinstance(error, BadRequestError) and bool(_NAMES_RECIPIENT.search(error.message or ""))


def too_large(error: RequestError) -> bool:
    """Whether it speaks of too many recipients in one call, or of too large a body (413)."""
    if not isinstance(error, BadRequestError):
        return False
    return error.status_code == _CONTENT_TOO_LARGE or (
        names_recipient(error) and bool(_TOO_MANY.search(error.message or ""))
    )
