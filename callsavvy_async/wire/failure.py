"""What a backend reports when no whole answer came: the stage, and whether the request's body was handed over."""

from __future__ import annotations

import enum


class FailureKind(enum.Enum):
    """The stage at which an exchange broke."""

    CONNECT = "no connection"
    CERTIFICATE = "the server's certificate was refused"
    BAD_URL = "the URL cannot be used"
    TIMEOUT = "no whole answer in time"
    CONNECTION_LOST = "the connection broke"
    GARBLED = "the answer is not HTTP"
    TOO_LARGE = "the answer is too large"
    ABANDONED = "nobody waited for the answer"
    ENCODING = "the answer's content encoding is broken"


class ExchangeFailedError(Exception):
    """An exchange of one request broke.

    Args:
        kind: the stage.
        sent: whether anybody asked the request's body for its bytes. If not, no server can have acted on it; if so,
            no exception's name proves that it did not (semantics: "Proof that holds on any httpx transport").
        detail: the cause in words.
    """

    def __init__(self, kind: FailureKind, *, sent: bool, detail: str = "") -> None:
        super().__init__(kind, sent, detail)
        self.kind = kind
        self.sent = sent
        self.detail = detail
