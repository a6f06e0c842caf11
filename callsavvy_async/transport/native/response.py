"""Parse the responses of one connection, one at a time, without I/O.

llhttp (httptools), the parser of Node.js, does the framing in its strict mode. It rejects ambiguous messages: both
Content-Length and Transfer-Encoding, two lengths, folded fields, bare LF, malformed chunk sizes. This module handles the
cases that llhttp leaves open, and in doubt gives the connection up: responses decide about money, so the next response
on a connection must belong to the next request.
"""

from __future__ import annotations

import attrs
import httptools

from callsavvy_async.transport.native.plain_response import read_repeated
from callsavvy_async.wire.failure import FailureKind, describe
from callsavvy_async.wire.inflate import BoundedBody, decoder_for
from callsavvy_async.wire.response import HttpResponse
from callsavvy_async.wire.response_headers import Headers

MAX_HEAD = 65_536
"""Maximum bytes outside the body: head, interim responses, chunk extensions, trailers."""
MAX_FIELDS = 256
"""Maximum number of header fields in a response."""

_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"content-encoding"})
_BODILESS = frozenset({204, 304})
_NOT_READ_WHOLE = frozenset({408, 413})
"""Statuses of a server that has not read the whole request, so that its connection cannot be reused (RFC 9110, 15.5)."""
_SWITCHING_PROTOCOLS = 101
_FIRST_FINAL = 200


@attrs.frozen
class Broken:
    """The reason for which a response cannot be read."""

    kind: FailureKind
    detail: str


class ResponseReader:
    """Parses the responses of one connection.

    Attributes:
        response: Complete response; None until then.
        broken: Reason of the failure; None without one.
        reusable: True if no bytes follow the response, so that the connection can be reused.
    """

    __slots__ = (
        "_began",
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
        self.reusable: bool = True
        self._begin()
        self.expect(0)

    def expect(self, max_bytes: int) -> None:
        """Prepare for the response to the next request.

        Args:
            max_bytes: Maximum size of the decompressed body.
        """
        self.response = None
        self._max_bytes = max_bytes
        self._began = False
        self._unread = 0

    def _begin(self) -> None:
        """Prepare for a response that is not plain."""
        self._began = True
        self._fields: list[tuple[bytes, bytes]] = []
        self._has_head = False
        self._to_eof = False
        self._body: BoundedBody | None = None

    def feed(self, data: bytes | memoryview) -> bool:
        """Parse more bytes; return True once `response` or `broken` is set."""
        if not self._began:
            self.response = read_repeated(bytes(data), self._max_bytes)
            if self.response is not None:
                return True
            self._begin()
        self._unread += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # after a 101, which on_message_complete has rejected
            self.reusable = False
        except httptools.HttpParserError as error:
            self._reject(FailureKind.PROTOCOL_ERROR, str(error))
        if self._unread > MAX_HEAD and self.response is None:
            self._reject(FailureKind.TOO_LARGE, f"more than {MAX_HEAD} bytes outside the body")
        return self.response is not None or self.broken is not None

    def end(self, *, clean: bool) -> None:
        """Handle the end of the stream, which may also be the end of a response without a length.

        Args:
            clean: True if the peer ended the stream regularly.
        """
        if not self._began:
            self._begin()
        if self.response is None and clean and self._to_eof:
            self._finish(self._parser.get_status_code())
        self.reusable = False
        if self.response is None:
            self._reject(FailureKind.CONNECTION_LOST, "cut short" if self._unread else "closed before a response")

    def on_message_begin(self) -> None:
        """Give the connection up if this is a second, unexpected response."""
        if self.response is not None:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header field; trailers are dropped (RFC 9112, 7.1.2)."""
        if not self._has_head:
            self._fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Choose the body's decoder; reject ambiguous framing."""
        status = self._parser.get_status_code()
        if self._has_head or self.broken is not None or status < _FIRST_FINAL:
            return
        self._has_head = True
        if len(self._fields) > MAX_FIELDS:
            self._reject(FailureKind.TOO_LARGE, f"more than {MAX_FIELDS} header fields")
        self._to_eof = status not in _BODILESS
        encodings: list[bytes] = []
        for name, value in self._fields:
            if name == b"content-encoding":
                if value:
                    encodings.append(value)
            elif name in _FRAMING:
                self._to_eof = False
                if name == b"transfer-encoding":
                    self._check_transfer_encoding(value)
        if encodings and status not in _BODILESS:
            self._body = self._make_body(status, b", ".join(encodings))
        else:
            self._body = BoundedBody(None, self._max_bytes)

    def on_body(self, piece: bytes) -> None:
        """Store a piece of the body."""
        self._unread = 0
        body = self._body
        if body is not None and self.response is None and not body.take(piece):
            self._finish(self._parser.get_status_code())

    def on_message_complete(self) -> None:
        """Finish the response, or continue to the final one after an interim one (RFC 9110, 15.2)."""
        parser = self._parser
        status = parser.get_status_code()
        if status == _SWITCHING_PROTOCOLS:
            self._reject(FailureKind.PROTOCOL_ERROR, "101, although the request offered no other protocol")
        elif status < _FIRST_FINAL:
            self._fields = []
        else:
            if not parser.should_keep_alive() or status in _NOT_READ_WHOLE:
                self.reusable = False
            if self.response is None:
                self._finish(status)

    def _check_transfer_encoding(self, value: bytes) -> None:
        if value.rstrip(b" ").lower() != b"chunked":
            # llhttp would read other values, and "chunked" before a tab, to the end of the stream
            self._reject(FailureKind.PROTOCOL_ERROR, "a transfer encoding that is not chunked")
        elif self._parser.get_http_version() == "1.0":
            self.reusable = False  # RFC 9112, 6.1: an intermediary may have framed it wrongly

    def _make_body(self, status: int, encoding: bytes) -> BoundedBody | None:
        try:
            return BoundedBody(decoder_for(encoding.decode("latin-1")), self._max_bytes)
        except ValueError as error:
            self._reject(FailureKind.ENCODING, f"{status}, {describe(error)}")
            return None

    def _finish(self, status: int) -> None:
        body = self._body
        if body is None or self.broken is not None:
            return
        try:
            content = body.finish()
        except ValueError as error:
            self._reject(FailureKind.ENCODING, f"{status}, {describe(error)}")
            return
        if body.full:
            self._reject(FailureKind.TOO_LARGE, f"{status}, more than {self._max_bytes} bytes")
            return
        self._body = None
        self.response = HttpResponse(status, Headers(self._fields), content)

    def _reject(self, kind: FailureKind, detail: str) -> None:
        self.reusable = False
        if self.response is None and self.broken is None:
            self.broken = Broken(kind, detail)
