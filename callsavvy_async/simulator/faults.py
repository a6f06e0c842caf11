"""Faults of the network, of proxies and of the API, as values.

Besides its kind, a fault has two properties: is the request *read* to its end, and is it *processed* (a send is then
charged)? The client can observe neither of them, the ledger records both.

    sim.faults.next("sendSMS", Fault.DROP_AFTER_READ, times=3)
    sim.faults.next("sendSMS", Fault.with_status(503, retry_after="2"))
    sim.faults.next("sendSMS", Fault.HTML_RESPONSE.but(processed=False))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar, Literal


class FaultKind(Enum):
    """The kind of a fault, as the client observes it."""

    # The connection
    DROP = "drop"
    """The server closes the connection without a response."""
    RESET = "reset"
    """The server resets the connection (TCP RST) without a response."""
    HANG = "hang"
    """The server sends nothing until the client closes the connection."""
    GARBAGE = "garbage"
    """The server sends a status line that is not HTTP, and closes the connection."""
    CLOSE_AFTER_RESPONSE = "close-after-response"
    """The server closes the kept-alive connection without notice after a whole response."""
    # Another response
    STATUS = "status"
    """Another status, with the body that `Fault.body` names."""
    # A broken delivery
    SLOW_DRIP = "slow-drip"
    """Pieces of `size` bytes, `seconds` apart."""
    TRUNCATED_BODY = "truncated-body"
    """Half of the bytes that content-length promises, then a closed connection."""
    HUGE_BODY = "huge-body"
    """`size` blanks before the body, in chunks."""
    GZIP_BOMB = "gzip-bomb"
    """`size` blanks before the body, compressed to a thousandth."""
    # A broken body
    MALFORMED_JSON = "malformed-json"
    TRUNCATED_JSON = "truncated-json"
    """Half of the JSON, with a matching content-length."""
    EMPTY_RESPONSE = "empty-response"
    HTML_RESPONSE = "html-response"
    WRONG_CONTENT_TYPE = "wrong-content-type"
    DOUBLE_ENCODED = "double-encoded"
    """The JSON as a JSON string."""
    NAN = "nan"
    """The literal NaN, which is not JSON, instead of numbers."""
    NO_BREAK_SPACES = "no-break-spaces"
    """Indentation with U+00A0, as in the document's samples."""
    BYTE_ORDER_MARK = "byte-order-mark"
    # A body of another shape
    ERROR_ENVELOPE = "error-envelope"
    """An error envelope on HTTP 200."""
    SEND_FAILED = "send-failed"
    """`data.status` is "failed" in a success envelope."""
    UNKNOWN_WORD = "unknown-word"
    """Every `status` in `data` is an undocumented word."""
    MISSING_DATA = "missing-data"
    """The envelope has no `data`."""
    MISSING_FIELDS = "missing-fields"
    """`data` and its items are empty objects."""
    NULL_FIELDS = "null-fields"
    """All fields of `data` are null."""
    JSON_NUMBERS = "json-numbers"
    """JSON numbers and booleans instead of texts."""
    PHP_ARRAYS = "php-arrays"
    """[] for an object and {"0": ...} for a list, as PHP's json_encode may write them."""
    SHOUTED_STATUS = "shouted-status"
    """"SUCCESS" as the envelope's status."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The fault of one request."""

    kind: FaultKind
    processed: bool = True
    """True if the API processes the request."""
    reads: bool = True
    """True if the server reads the request's body. Only a request that was read can be processed."""
    status: int = 200
    body: Literal["envelope", "html", "empty"] = "envelope"
    """Body of the response for the kind STATUS."""
    retry_after: str | None = None
    location: str | None = None
    size: int = 1
    """Size in bytes, for the kinds that have one."""
    seconds: float = 0.0
    """Seconds between pieces of a slow drip."""

    DROP_BEFORE_READ: ClassVar[Fault]
    RESET_BEFORE_READ: ClassVar[Fault]
    HANG_BEFORE_READ: ClassVar[Fault]
    EARLY_413: ClassVar[Fault]
    DROP_AFTER_READ: ClassVar[Fault]
    """Charged, then dropped. The client cannot know about the charge."""
    DROP_UNPROCESSED: ClassVar[Fault]
    """Read and dropped without a charge. The client cannot distinguish it from DROP_AFTER_READ."""
    RESET_AFTER_READ: ClassVar[Fault]
    RESET_UNPROCESSED: ClassVar[Fault]
    HANG: ClassVar[Fault]
    GARBAGE: ClassVar[Fault]
    CLOSE_AFTER_RESPONSE: ClassVar[Fault]
    SLOW_DRIP: ClassVar[Fault]
    TRUNCATED_BODY: ClassVar[Fault]
    HUGE_BODY: ClassVar[Fault]
    GZIP_BOMB: ClassVar[Fault]
    MALFORMED_JSON: ClassVar[Fault]
    TRUNCATED_JSON: ClassVar[Fault]
    EMPTY_RESPONSE: ClassVar[Fault]
    HTML_RESPONSE: ClassVar[Fault]
    WRONG_CONTENT_TYPE: ClassVar[Fault]
    DOUBLE_ENCODED: ClassVar[Fault]
    NAN: ClassVar[Fault]
    NO_BREAK_SPACES: ClassVar[Fault]
    BYTE_ORDER_MARK: ClassVar[Fault]
    ERROR_ENVELOPE: ClassVar[Fault]
    """Not processed by default."""
    SEND_FAILED: ClassVar[Fault]
    """Not processed by default: "successful messages ... will be deducted"."""
    UNKNOWN_WORD: ClassVar[Fault]
    MISSING_DATA: ClassVar[Fault]
    MISSING_FIELDS: ClassVar[Fault]
    NULL_FIELDS: ClassVar[Fault]
    JSON_NUMBERS: ClassVar[Fault]
    PHP_ARRAYS: ClassVar[Fault]
    SHOUTED_STATUS: ClassVar[Fault]

    def __post_init__(self) -> None:
        if self.processed and not self.reads:
            raise ValueError("a request that is not read cannot be processed; pass processed=False or reads=True")
        if self.size < 1:
            raise ValueError(f"size is {self.size}; pass at least 1 byte")

    @classmethod
    def with_status(
        cls,
        status: int,
        *,
        body: Literal["envelope", "html", "empty"] = "envelope",
        retry_after: str | None = None,
        processed: bool = False,
    ) -> Fault:
        """Return a fault that responds with another status.

        Args:
            status: Any HTTP status.
            body: The API's error envelope, the HTML page of a gateway, or an empty body.
            retry_after: Retry-After header, valid or not.
            processed: True to process (charge) the request nevertheless.
        """
        return cls(FaultKind.STATUS, processed=processed, status=status, body=body, retry_after=retry_after)

    @classmethod
    def redirect(
        cls, status: int = 307, *, to: str = "https://elsewhere.example/v1/", processed: bool = False
    ) -> Fault:
        """Return a fault that redirects to another host.

        Args:
            status: HTTP status, 300 to 399.
            to: URL of the other host.
            processed: Perform the request all the same.
        """
        return cls(FaultKind.STATUS, processed=processed, status=status, body="empty", location=to)

    @classmethod
    def named(cls, name: str) -> Fault:
        """Return a fault by the name of its constant, such as `drop-after-read`, or by `status-503`, `redirect-307`.

        Raises:
            ValueError: The name is unknown.
        """
        word, _, number = name.rpartition("-")
        if word == "status" and number.isdecimal():
            return cls.with_status(int(number))
        if word == "redirect" and number.isdecimal():
            return cls.redirect(int(number))
        try:
            return FAULTS[name]
        except KeyError:
            raise ValueError(f"{name!r} is not the name of a fault; pass one of {', '.join(FAULTS)}") from None

    def but(self, *, processed: bool | None = None, size: int | None = None, seconds: float | None = None) -> Fault:
        """Return a copy of this fault with other settings.

        Args:
            processed: True to process the request nevertheless.
            size: Bytes of padding, or of each piece of a slow drip.
            seconds: Seconds between the pieces of a slow drip.
        """
        return replace(
            self,
            processed=self.processed if processed is None else processed,
            size=self.size if size is None else size,
            seconds=self.seconds if seconds is None else seconds,
        )

    def __str__(self) -> str:
        """Return the fault's name, as in the ledger."""
        name = f"status-{self.status}" if self.kind is FaultKind.STATUS else self.kind.value
        return name if self.processed else f"{name}, {'unprocessed' if self.reads else 'unread'}"


def _unread(kind: FaultKind, *, status: int = 200) -> Fault:
    return Fault(kind, processed=False, reads=False, status=status)


def _constants() -> dict[str, Fault]:
    """Return the usual fault of each kind, and the variants that have a name."""
    plain = set(FaultKind) - {FaultKind.DROP, FaultKind.RESET, FaultKind.STATUS}
    return {kind.value: Fault(kind) for kind in FaultKind if kind in plain} | {
        "drop-before-read": _unread(FaultKind.DROP),
        "reset-before-read": _unread(FaultKind.RESET),
        "hang-before-read": _unread(FaultKind.HANG),
        "early-413": _unread(FaultKind.STATUS, status=413),
        "drop-after-read": Fault(FaultKind.DROP),
        "drop-unprocessed": Fault(FaultKind.DROP, processed=False),
        "reset-after-read": Fault(FaultKind.RESET),
        "reset-unprocessed": Fault(FaultKind.RESET, processed=False),
        "slow-drip": Fault(FaultKind.SLOW_DRIP, size=1, seconds=0.05),
        "huge-body": Fault(FaultKind.HUGE_BODY, size=64 * 2**20),
        "gzip-bomb": Fault(FaultKind.GZIP_BOMB, size=64 * 2**20),
        "error-envelope": Fault(FaultKind.ERROR_ENVELOPE, processed=False),
        "send-failed": Fault(FaultKind.SEND_FAILED, processed=False),
    }


FAULTS: Mapping[str, Fault] = dict(sorted(_constants().items()))
"""Every fault with a constant, by the constant's name in lower case with hyphens."""

for _name, _fault in FAULTS.items():
    setattr(Fault, _name.upper().replace("-", "_"), _fault)
