"""Read the responses of one connection, one at a time; no I/O.

llhttp (httptools) frames, in its strict mode. It is the parser of Node.js and refuses what two readers could read in two
ways: both Content-Length and Transfer-Encoding, a length twice, folded fields, bare LF, odd chunk sizes. What it leaves
open is decided here, always towards not using the connection again: a response decides about money, and the next one on
the connection must be the next request's.
"""

from __future__ import annotations

import attrs
import httptools

from callsavvy_async.wire.failure import FailureKind, describe
from callsavvy_async.wire.inflate import BoundedBody, decoder_for
from callsavvy_async.wire.response import HttpResponse
from callsavvy_async.wire.response_headers import Headers

MAX_HEAD = 65_536
"""Bytes that may come without becoming a piece of a body: head, interim responses, chunk extensions, trailers."""
MAX_FIELDS = 256
"""Header fields that a response may have."""

_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"content-encoding"})
_BODILESS = frozenset({204, 304})
_NOT_READ_WHOLE = frozenset({408, 413})
"""Statuses of a server that has not read the request to its end: what follows on the connection is uncertain (RFC 9110)."""
_SWITCHING_PROTOCOLS = 101
_FIRST_FINAL = 200


@attrs.frozen
class Broken:
    """Why there will be no response."""

    kind: FailureKind
    detail: str


class ResponseReader:
    """Reads the responses of one connection.

    Attributes:
        response: the whole response, once it is there.
        broken: why there will be none.
        reusable: whether nothing lies behind the response, so that what comes next can only be the next one.
    """

    __slots__ = (
        "_body",
        "_fields",
        "_has_head",
        "_max_bytes",
        "_parser",
        "_to_eof",
        "_unread",
        "broken",
        "response",
        "reusable",
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.response: HttpResponse | None = None
        self.broken: Broken | None = None
        self.reusable = True
        self.expect(0)

    def expect(self, max_bytes: int) -> None:
        """Make ready for the response to one request.

        Args:
            max_bytes: the largest body that is wanted, decoded.
        """
        self.response = None
        self._max_bytes = max_bytes
        self._unread = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self._has_head = False
        self._to_eof = False
        self._body: BoundedBody | None = None

    def feed(self, data: bytes | memoryview) -> bool:
        """Read on; return whether the exchange is over: there is a `response`, or the reason why there is none."""
        self._unread += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # after a 101, which on_message_complete has refused
            self.reusable = False
        except httptools.HttpParserError as error:
            self._refuse(FailureKind.GARBLED, str(error))
        if self._unread > MAX_HEAD and self.response is None:
            self._refuse(FailureKind.TOO_LARGE, f"more than {MAX_HEAD} bytes beside the body")
        return self.response is not None or self.broken is not None

    def end(self, *, clean: bool) -> None:
        """Note the end of the stream: the end of a response that has no other, or the end of the hope for one.

        Args:
            clean: whether the peer said that it was done, and did not just go away.
        """
        if self.response is None and clean and self._to_eof:
            self._finish(self._parser.get_status_code())
        self.reusable = False
        if self.response is None:
            self._refuse(FailureKind.CONNECTION_LOST, "cut short" if self._unread else "closed before a response")

    # -------------------------------------------------------------------------------------------- httptools requests

    def on_message_begin(self) -> None:
        """Notice a second response, which no request asked for."""
        if self.response is not None:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field; trailers are dropped (RFC 9112, 7.1.2)."""
        if not self._has_head:
            self._fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Choose how the body is read; refuse what could be read in two ways."""
        status = self._parser.get_status_code()
        if self._has_head or self.broken is not None or status < _FIRST_FINAL:
            return
        self._has_head = True
        if len(self._fields) > MAX_FIELDS:
            self._refuse(FailureKind.TOO_LARGE, f"more than {MAX_FIELDS} header fields")
        self._to_eof = status not in _BODILESS
        encoding = b""
        for name, value in self._fields:
            if name in _FRAMING:
                if name == b"content-encoding":
                    encoding = encoding + b", " + value if encoding else value
                else:
                    self._to_eof = False
                    if name == b"transfer-encoding":
                        self._check_transfer_encoding(value)
        if encoding and status not in _BODILESS:
            self._body = self._make_body(status, encoding)
        else:
            self._body = BoundedBody(None, self._max_bytes)

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        self._unread = 0
        body = self._body
        if body is not None and self.response is None and not body.take(piece):
            self._finish(self._parser.get_status_code())

    def on_message_complete(self) -> None:
        """Give the response out, or go on to the final one after an interim one (RFC 9110, 15.2)."""
        parser = self._parser
        status = parser.get_status_code()
        if status == _SWITCHING_PROTOCOLS:
            self._refuse(FailureKind.GARBLED, "101, but no other protocol was offered")
        elif status < _FIRST_FINAL:
            self._fields = []
        else:
            if not parser.should_keep_alive() or status in _NOT_READ_WHOLE:
                self.reusable = False
            if self.response is None:
                self._finish(status)

    # ---------------------------------------------------------------------------------------------------- decisions

    def _check_transfer_encoding(self, value: bytes) -> None:
        if value.rstrip(b" ").lower() != b"chunked":
            # llhttp would read other words to the end of the stream, and "chunked" with a tab behind it, too
            self._refuse(FailureKind.GARBLED, "a transfer encoding that is not chunked")
        elif self._parser.get_http_version() == "1.0":
            self.reusable = False  # RFC 9112, 6.1: the framing may be a mistake of something in between

    def _make_body(self, status: int, encoding: bytes) -> BoundedBody | None:
        try:
            return BoundedBody(decoder_for(encoding.decode("latin-1")), self._max_bytes)
        except ValueError as error:
            self._refuse(FailureKind.ENCODING, f"{status}, {describe(error)}")
            return None

    def _finish(self, status: int) -> None:
        body = self._body
        if body is None or self.broken is not None:
            return
        try:
            content = body.finish()
        except ValueError as error:
            self._refuse(FailureKind.ENCODING, f"{status}, {describe(error)}")
            return
        if body.full:
            self._refuse(FailureKind.TOO_LARGE, f"{status}, more than {self._max_bytes} bytes")
            return
        self._body = None
        self.response = HttpResponse(status, Headers(self._fields), content)

    def _refuse(self, kind: FailureKind, detail: str) -> None:
        self.reusable = False
        if self.response is None and self.broken is None:
            self.broken = Broken(kind, detail)
