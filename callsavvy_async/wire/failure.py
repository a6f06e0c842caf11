"""The failure of an exchange without a whole response: its stage, and whether the request had left."""

from __future__ import annotations

import enum

from callsavvy_async.redaction import redact


class FailureKind(enum.Enum):
    """The stage at which an exchange broke."""

    CONNECT = "no connection"
    CERTIFICATE = "the server's certificate was refused"
    BAD_URL = "the URL cannot be used"
    TIMEOUT = "the response was not complete in time"
    CONNECTION_LOST = "the connection broke"
    PROTOCOL_ERROR = "the response is not HTTP"
    TOO_LARGE = "the response is too large"
    CANCELLED = "the request was cancelled before its response"
    ENCODING = "the response's content encoding is broken"


class ExchangeFailedError(Exception):
    """The exchange of one request broke.

    Args:
        kind: Stage of the failure.
        sent: True if a byte of the request may have left. False proves that the server did not act on it. True leaves
            the outcome open, whatever the library's exception is called.
        bytes_sent: Number of bytes that the kernel took, counted as TLS records under TLS. None if not counted.
        detail: Cause in the SDK's words. For a library's error, see `describe`.
    """

    def __init__(self, kind: FailureKind, *, sent: bool, bytes_sent: int | None = None, detail: str = "") -> None:
        super().__init__(kind, sent, detail)
        self.kind = kind
        self.sent = sent
        self.bytes_sent = bytes_sent
        self.detail = detail


def describe(error: BaseException) -> str:
    """Return the type and the redacted text of a library's error, which may quote the server."""
    text = redact(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
