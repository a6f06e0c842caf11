"""What can go wrong on the way to and from the API, as values.

Every fault says two things besides its kind: whether the request is *read* to its end, and whether it is *processed*
(a send is charged). A client cannot see either; the ledger can.

    sim.faults.next("sendSMS", Fault.DROP_AFTER_READ, times=3)
    sim.faults.next("sendSMS", Fault.with_status(503, retry_after="2"))
    sim.faults.next("sendSMS", Fault.HTML_ANSWER.but(processed=False))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar, Literal


class FaultKind(Enum):
    """How a fault shows on the wire."""

    # The connection
    DROP = "drop"
    """The connection is closed without an answer."""
    RESET = "reset"
    """The connection is reset (TCP RST) without an answer."""
    HANG = "hang"
    """Nothing comes until the client closes the connection."""
    GARBAGE = "garbage"
    """The status line is not HTTP; then the connection is closed."""
    CLOSE_AFTER_ANSWER = "close-after-answer"
    """The answer is whole, then the kept-alive connection is closed without notice."""
    # Another answer
    STATUS = "status"
    """Another status, with the body that `Fault.body` names."""
    # The answer, delivered badly
    SLOW_DRIP = "slow-drip"
    """The body comes in pieces of `size` bytes, `seconds` apart."""
    TRUNCATED_BODY = "truncated-body"
    """Half of what content-length promises, then the connection is closed."""
    HUGE_BODY = "huge-body"
    """`size` blanks before the answer, in chunks."""
    GZIP_BOMB = "gzip-bomb"
    """`size` blanks before the answer, compressed to a thousandth."""
    # The answer, written badly
    MALFORMED_JSON = "malformed-json"
    TRUNCATED_JSON = "truncated-json"
    """Half of the JSON, with the content-length of the half."""
    EMPTY_ANSWER = "empty-answer"
    HTML_ANSWER = "html-answer"
    WRONG_CONTENT_TYPE = "wrong-content-type"
    DOUBLE_ENCODED = "double-encoded"
    """The JSON as a JSON string."""
    NAN = "nan"
    """Numbers are the literal NaN, which is not JSON."""
    NO_BREAK_SPACES = "no-break-spaces"
    """Indented with U+00A0, as the document's samples are."""
    BYTE_ORDER_MARK = "byte-order-mark"
    # The answer, of another shape
    ERROR_ENVELOPE = "error-envelope"
    """An error envelope on HTTP 200."""
    SEND_FAILED = "send-failed"
    """`data.status` is "failed" in a success envelope."""
    UNKNOWN_WORD = "unknown-word"
    """Every `status` in `data` is a word that the document does not know."""
    MISSING_DATA = "missing-data"
    """The envelope has no `data`."""
    MISSING_FIELDS = "missing-fields"
    """`data` and its items have no fields."""
    NULL_FIELDS = "null-fields"
    """All fields of `data` are null."""
    JSON_NUMBERS = "json-numbers"
    """Numbers and truth values are JSON's own, not text."""
    PHP_ARRAYS = "php-arrays"
    """An object is [], a list is {"0": ...}, as PHP's json_encode may write them."""
    SHOUTED_STATUS = "shouted-status"
    """The envelope says "SUCCESS"."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong with one request."""

    kind: FaultKind
    processed: bool = True
    """Whether the API does what was asked before things go wrong."""
    reads: bool = True
    """Whether the request's body is read; without it nothing can be processed."""
    status: int = 200
    body: Literal["envelope", "html", "empty"] = "envelope"
    """What a fault of kind STATUS answers with."""
    retry_after: str | None = None
    location: str | None = None
    size: int = 1
    """Bytes, where the kind has a size."""
    seconds: float = 0.0
    """Time between pieces of a slow drip."""

    DROP_BEFORE_READ: ClassVar[Fault]
    RESET_BEFORE_READ: ClassVar[Fault]
    HANG_BEFORE_READ: ClassVar[Fault]
    EARLY_413: ClassVar[Fault]
    DROP_AFTER_READ: ClassVar[Fault]
    """Charged, then dropped: the client can never know."""
    DROP_UNPROCESSED: ClassVar[Fault]
    """Read and dropped, nothing charged: to a client the same as DROP_AFTER_READ."""
    RESET_AFTER_READ: ClassVar[Fault]
    RESET_UNPROCESSED: ClassVar[Fault]
    HANG: ClassVar[Fault]
    GARBAGE: ClassVar[Fault]
    CLOSE_AFTER_ANSWER: ClassVar[Fault]
    SLOW_DRIP: ClassVar[Fault]
    TRUNCATED_BODY: ClassVar[Fault]
    HUGE_BODY: ClassVar[Fault]
    GZIP_BOMB: ClassVar[Fault]
    MALFORMED_JSON: ClassVar[Fault]
    TRUNCATED_JSON: ClassVar[Fault]
    EMPTY_ANSWER: ClassVar[Fault]
    HTML_ANSWER: ClassVar[Fault]
    WRONG_CONTENT_TYPE: ClassVar[Fault]
    DOUBLE_ENCODED: ClassVar[Fault]
    NAN: ClassVar[Fault]
    NO_BREAK_SPACES: ClassVar[Fault]
    BYTE_ORDER_MARK: ClassVar[Fault]
    ERROR_ENVELOPE: ClassVar[Fault]
    """Not processed unless told otherwise."""
    SEND_FAILED: ClassVar[Fault]
    """Not processed: "successful messages ... will be deducted"."""
    UNKNOWN_WORD: ClassVar[Fault]
    MISSING_DATA: ClassVar[Fault]
    MISSING_FIELDS: ClassVar[Fault]
    NULL_FIELDS: ClassVar[Fault]
    JSON_NUMBERS: ClassVar[Fault]
    PHP_ARRAYS: ClassVar[Fault]
    SHOUTED_STATUS: ClassVar[Fault]

    def __post_init__(self) -> None:
        if self.processed and not self.reads:
            raise ValueError("a request that is not read cannot be processed: give processed=False or reads=True")
        if self.size < 1:
            raise ValueError(f"a fault's size is at least 1 byte, not {self.size}")

    @classmethod
    def with_status(
        cls,
        status: int,
        *,
        body: Literal["envelope", "html", "empty"] = "envelope",
        retry_after: str | None = None,
        processed: bool = False,
    ) -> Fault:
        """Answer with another status.

        Args:
            status: Any HTTP status.
            body: The API's own error envelope, a gateway's HTML page, or nothing.
            retry_after: The Retry-After header as it shall be written, also nonsense.
            processed: Whether the request is processed (charged) all the same.
        """
        return cls(FaultKind.STATUS, processed=processed, status=status, body=body, retry_after=retry_after)

    @classmethod
    def redirect(
        cls, status: int = 307, *, to: str = "https://elsewhere.example/v1/", processed: bool = False
    ) -> Fault:
        """Answer with a redirect to another host."""
        return cls(FaultKind.STATUS, processed=processed, status=status, body="empty", location=to)

    @classmethod
    def named(cls, name: str) -> Fault:
        """Return a fault by its constant's name in small letters with hyphens, or `status-503`, `redirect-307`."""
        word, _, number = name.rpartition("-")
        if word == "status" and number.isdecimal():
            return cls.with_status(int(number))
        if word == "redirect" and number.isdecimal():
            return cls.redirect(int(number))
        try:
            return FAULTS[name]
        except KeyError:
            raise ValueError(f"no fault is named {name!r}; there are {', '.join(FAULTS)}") from None

    def but(self, *, processed: bool | None = None, size: int | None = None, seconds: float | None = None) -> Fault:
        """Return this fault with other settings.

        Args:
            processed: Whether the API does what was asked all the same.
            size: Bytes of padding, or of each piece of a slow drip.
            seconds: Time between the pieces of a slow drip.
        """
        return replace(
            self,
            processed=self.processed if processed is None else processed,
            size=self.size if size is None else size,
            seconds=self.seconds if seconds is None else seconds,
        )

    def __str__(self) -> str:
        """Name the fault as ledger and command line do."""
        name = f"status-{self.status}" if self.kind is FaultKind.STATUS else self.kind.value
        return name if self.processed else f"{name}, {'unprocessed' if self.reads else 'unread'}"


def _unread(kind: FaultKind, *, status: int = 200) -> Fault:
    return Fault(kind, processed=False, reads=False, status=status)


def _constants() -> dict[str, Fault]:
    """Return the fault of every kind as it commonly is, and the variants that have a name of their own."""
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
"""Every fault that has a constant, by its name in small letters with hyphens."""

for _name, _fault in FAULTS.items():
    setattr(Fault, _name.upper().replace("-", "_"), _fault)
