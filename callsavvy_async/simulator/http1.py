"""Parse the head of an HTTP/1.1 request and frame its body (RFC 9112)."""

from __future__ import annotations

from dataclasses import dataclass


class BadRequest(Exception):
    """The bytes are not an HTTP/1.1 request with a valid framing."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    """Names in lower case."""
    length: int | None
    """Size of the body in bytes. None if it is chunked."""
    keep_alive: bool
    expects_continue: bool


def parse_head(data: bytes) -> Head:
    """Parse a request line and headers, including the blank line after them."""
    first, *lines = data[:-4].split(b"\r\n")
    try:
        method, target, version = first.decode("ascii").split(" ")
    except ValueError:
        raise BadRequest("the request line does not have three words") from None
    if version not in {"HTTP/1.1", "HTTP/1.0"}:
        raise BadRequest("the version is not HTTP/1.1 or HTTP/1.0")
    headers = [_parse_field(line) for line in lines]
    fields = dict(headers)
    return Head(
        method=method,
        target=target,
        headers=headers,
        length=_body_length(fields),
        keep_alive=version == "HTTP/1.1" and fields.get(b"connection", b"").lower() != b"close",
        expects_continue=fields.get(b"expect", b"").lower() == b"100-continue",
    )


def _parse_field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not name or name != name.strip():
        raise BadRequest("a header line does not have a name")
    return name.lower(), value.strip()


def _body_length(fields: dict[bytes, bytes]) -> int | None:
    """Return the body's size (RFC 9112, 6.3). Both framings together would allow request smuggling, and are an error."""
    coding, length = fields.get(b"transfer-encoding"), fields.get(b"content-length")
    if coding is None:
        if length is None:
            return 0
        if not length.isdigit():
            raise BadRequest("content-length is not a number")
        return int(length)
    if length is not None or coding.lower() != b"chunked":
        raise BadRequest("transfer-encoding is not chunked alone")
    return None
