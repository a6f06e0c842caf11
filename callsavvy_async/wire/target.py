"""Where the requests of one endpoint go and what stands above their bodies: worked out once, used by every call."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import attrs

from callsavvy_async.errors import InvalidRequestError

_METHOD = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
"""A token (RFC 9110, 5.6.2)."""
_CANNOT_TRAVEL = re.compile(r"[^\x21-\x7e]")
"""What has no place in a request line (RFC 9112, 3.2)."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
"""What has no place in a field (RFC 9110, 5.5): CR, LF and NUL would begin a line, or a request, of their own."""


@attrs.frozen
class Target:
    """The fixed part of a request.

    On the wire a request is ``head``, the length of its body in decimal digits, an empty line, and the body.

    Attributes:
        url: the whole URL.
        headers: all header fields but ``content-length``.
        secure: whether TLS is spoken.
        host: to connect to; an IPv6 address without its brackets.
        port: to connect to.
        head: request line and header fields (RFC 9112, 2.1), up to the value of ``content-length``.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    secure: bool = attrs.field(repr=False)
    host: str = attrs.field(repr=False)
    port: int = attrs.field(repr=False)
    head: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, url: str, headers: tuple[tuple[str, str], ...], *, method: str = "POST") -> Target:
        """Work it out.

        Args:
            url: an absolute http or https URL.
            headers: the fields that every request carries, ``host`` among them.
            method: of HTTP; every call of the API is a POST (quirk Q02).

        Raises:
            InvalidRequestError: a part of it cannot be written into a request without changing its meaning.
        """
        if not _METHOD.fullmatch(method):
            raise InvalidRequestError(f"{method!r} is no method of HTTP.")
        odd = _CANNOT_TRAVEL.search(url)
        if odd:
            raise InvalidRequestError(f"the URL of a request holds {odd[0]!r}, which no request can carry.")
        for name, value in headers:
            if _CONTROL.search(value) or _CANNOT_TRAVEL.search(name) or ":" in name:
                raise InvalidRequestError(f"the header field {name!r} holds a character that no request can carry.")
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        lines = (f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "content-length: ")
        return cls(
            url,
            headers,
            secure,
            parts.hostname or "",
            parts.port or (443 if secure else 80),
            "\r\n".join(lines).encode("latin-1"),
        )
