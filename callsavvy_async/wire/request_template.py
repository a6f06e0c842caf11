"""Where the requests of one endpoint go and what stands above their bodies: worked out once, used by every request."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import attrs

from callsavvy_async.errors import InvalidRequestError

_CANNOT_TRAVEL = re.compile(r"[^\x21-\x7e]")
"""What has no place in a request line (RFC 9112, 3.2)."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
"""What has no place in a field (RFC 9110, 5.5): CR, LF and NUL would begin a line, or a request, of their own."""


@attrs.frozen(eq=False)  # compared by identity: the transport makes one for each endpoint
class RequestTemplate:
    """The fixed part of a request.

    Attributes:
        url: the whole URL.
        headers: all header fields but ``content-length``.
        secure: whether TLS is spoken.
        host: to connect to; an IPv6 address without its brackets.
        port: to connect to.
        path: with the query, as the request line has it (RFC 9112, 3.2.1).
    """

    url: str
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    secure: bool = attrs.field(repr=False)
    host: str = attrs.field(repr=False)
    port: int = attrs.field(repr=False)
    path: str = attrs.field(repr=False)

    @classmethod
    def of(cls, url: str, headers: tuple[tuple[str, str], ...]) -> RequestTemplate:
        """Work it out.

        Args:
            url: an absolute http or https URL.
            headers: the fields that every request carries, ``host`` among them.

        Raises:
            InvalidRequestError: a part of it cannot be written into a request without changing its meaning.
        """
        odd = _CANNOT_TRAVEL.search(url)
        if odd:
            raise InvalidRequestError(f"the URL of a request holds {odd[0]!r}, which no request can carry.")
        for name, value in headers:
            if _CONTROL.search(value) or _CANNOT_TRAVEL.search(name) or ":" in name:
                raise InvalidRequestError(f"the header field {name!r} holds a character that no request can carry.")
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        return cls(
            url,
            headers,
            secure,
            parts.hostname or "",
            parts.port or (443 if secure else 80),
            f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}",
        )
