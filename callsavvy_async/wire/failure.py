"""What a backend reports when no whole answer came: the stage, and what had left by then."""

from __future__ import annotations

import enum

from callsavvy_async.redaction import redact


class FailureKind(enum.Enum):
    """The stage at which an exchange broke."""

    CONNECT = "no connection"
    CERTIFICATE = "the server's certificate was refused"
    BAD_URL = "the URL cannot be used"
    TIMEOUT = "no whole answer in time"
    CONNECTION_LOST = "the connection broke"
    PROTOCOL_ERROR = "the answer is not HTTP"
    TOO_LARGE = "the answer is too large"
    CANCELLED = "nobody waited for the answer"
    ENCODING = "the answer's content encoding is broken"


class ExchangeFailedError(Exception):
    """An exchange of one request broke.

    Args:
        kind: the stage.
        sent: whether a byte of the request may have left. If not, no server can have acted on it; if so, no
            exception's name proves that it did not (semantics: "Proof that holds on any httpx transport").
        bytes_sent: how many bytes the kernel took, those of TLS records where TLS is spoken; None where nobody counted.
        detail: the cause in our words; for those of others see `describe`.
    """

    def __init__(self, kind: FailureKind, *, sent: bool, bytes_sent: int | None = None, detail: str = "") -> None:
        super().__init__(kind, sent, detail)
        self.kind = kind
        self.sent = sent
        self.bytes_sent = bytes_sent
        self.detail = detail


def describe(error: BaseException) -> str:
    """Name an error of a library with what it says, masked: it may quote what the server sent."""
    said = redact(str(error))
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
