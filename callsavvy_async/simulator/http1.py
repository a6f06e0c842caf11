"""The head of an HTTP/1.1 request, parsed and framed (RFC 9112)."""

from __future__ import annotations

from dataclasses import dataclass


class BadRequest(Exception):
    """The bytes are not a request of HTTP/1.1 that can be framed."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request up to its body."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    """Names in lower case."""
    length: int | None
    """Bytes of the body; None if it comes in chunks."""
    keep_alive: bool
    expects_continue: bool


def parse_head(data: bytes) -> Head:
    """Parse a request line and headers, the blank line behind them included."""
    first, *lines = data[:-4].split(b"\r\n")
    try:
        method, target, version = first.decode("ascii").split(" ")
    except ValueError:
        raise BadRequest("the request line is not three words") from None
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
        raise BadRequest("a header line has no name")
    return name.lower(), value.strip()


def _body_length(fields: dict[bytes, bytes]) -> int | None:
    """Frame the body (RFC 9112, 6.3); both ways at once is how requests are smuggled, so it is refused."""
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
