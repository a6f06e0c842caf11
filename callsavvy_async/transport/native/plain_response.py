"""Read a plain response in one step: complete in one read, 200, with one length and nothing else that decides the framing.

Theory. llhttp calls Python for each field and each part of a response, 33,600 instructions in all. This reader only proves
that a response is plain, by rules that are narrower than llhttp's: names of letters, digits and "-", values of printable
ASCII after exactly one blank, as many bytes after the head as Content-Length says, and no line end in the body. Any other
response goes to llhttp from its first byte, which alone decides what it means. A head means the same whenever it comes, so
the last heads are remembered: a known one takes 5,600 instructions. Proving a new one takes 55,000, so that waits until the
head comes a second time: a server whose heads never repeat costs no more than llhttp.
tests/transport/native/test_plain_response.py holds the two readers together.
"""

from __future__ import annotations

import functools
import re

from callsavvy_async.wire.response import HttpResponse
from callsavvy_async.wire.response_headers import Headers

LONGEST_HEAD = 1_536
"""Maximum bytes, so that the remembered heads stay small; such a head has fewer than the maximum of 256 fields."""
_HEADS = 64
"""Number of remembered heads."""
_STATUS_LINE = b"HTTP/1.1 200 OK\r\n"
_PLAIN = re.compile(re.escape(_STATUS_LINE) + rb"(?:[A-Za-z0-9-]+: [!-~][ -~]*\r\n)+\r")
_FIELD = re.compile(rb"(.+?): (.+)\r\n")
_LENGTH = b"content-length"
_FRAMING = frozenset((b"proxy-connection", b"transfer-encoding", b"content-encoding", b"upgrade"))
"""Fields that decide where a response ends, what its body means, or whether the connection stays open (RFC 9112, 6 and 9)."""


_seen: set[bytes] = set()
"""Heads that came once."""


def read_repeated(data: bytes, max_bytes: int) -> HttpResponse | None:
    """Return the response in these bytes if it is plain and its head came before; else None. See `read_plain`."""
    head = data[: data.rfind(b"\n")]
    if head in _seen:
        return read_plain(data, max_bytes)
    if len(_seen) >= _HEADS:
        _seen.clear()
    if len(head) <= LONGEST_HEAD:
        _seen.add(head)
    return None


def read_plain(data: bytes, max_bytes: int) -> HttpResponse | None:
    """Return the response in these bytes; None if it is not plain.

    Args:
        data: All bytes received since the request.
        max_bytes: Maximum size of the body.
    """
    head, _, body = data.rpartition(b"\n")
    if len(head) > LONGEST_HEAD or len(body) > max_bytes:
        return None
    length, headers = _read_head(head)
    return HttpResponse(200, headers, body) if length == len(body) else None


@functools.lru_cache(_HEADS)
def _read_head(head: bytes) -> tuple[int, Headers]:
    """Return the length of the body and the fields of a plain head, which lacks its last LF; a length of -1 for another."""
    if _PLAIN.fullmatch(head) is None:
        return -1, _NONE
    fields = [(name.lower(), value) for name, value in _FIELD.findall(head, len(_STATUS_LINE))]
    lengths = [value for name, value in fields if name == _LENGTH]
    connections = [value.lower() for name, value in fields if name == b"connection"]
    plain = len(lengths) == 1 and lengths[0].isdigit() and connections in ([], [b"keep-alive"])
    if not plain or not _FRAMING.isdisjoint(name for name, _ in fields):
        return -1, _NONE
    return int(lengths[0]), Headers(tuple(fields))


_NONE = Headers(())
