"""What became of every recipient of a bulk send: sums in memory, one row per recipient in a spool."""

from __future__ import annotations

import enum
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal

import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.recipients import Doubtful, Recipient, Skipped, SkipReason
from callsavvy_async.bulk.report_files import ReportRow, write_csv, write_jsonl
from callsavvy_async.bulk.spool import Spool
from callsavvy_async.errors import CallsavvyError, RequestError
from callsavvy_async.redaction import redact
from callsavvy_async.resources.sends import SendReceipt


class ChunkState(enum.Enum):
    """What is known of one request of a bulk send (semantics: "One chunk of a bulk send")."""

    ACCEPTED = "accepted"
    """The API took the request. Not "delivered": nobody can know that."""
    FAILED = "failed"
    """The API took the request and said that the sending failed. It may have been charged."""
    REJECTED = "rejected"
    """The API said that it did not do it."""
    UNKNOWN = "unknown"
    """The request left, and nothing tells what became of it. Never repeated."""
    PENDING = "pending"
    """Not sent: the run stopped before, or it is proved that nothing was done."""


class StopReason(enum.Enum):
    """Why a run ended before its input did."""

    AUTHENTICATION = "the keys were refused"
    BALANCE = "the account's balance is used up"
    MAX_COST = "max_cost would be passed"
    REJECTIONS = "the API rejected one request after the other for the same reason"
    UNREACHABLE = "the API could not be reached, one request after the other"
    INTERRUPTED = "the run was stopped"
    DEADLINE = "the run's deadline came"
    ERROR = "an error ended it"


@attrs.frozen
class ChunkResult:
    """What became of one request."""

    chunk: Chunk
    state: ChunkState
    receipt: SendReceipt | None = None
    error: RequestError | None = None

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """Whom the request was for."""
        return self.chunk.recipients

    @property
    def detail(self) -> str:
        """Why, without personal data."""
        if self.error is not None:
            said = f": {redact(self.error.message)}" if self.error.message else ""
            return f"{self.error.reason}{said}"
        return "" if self.receipt is None else str(self.receipt.status or "")


class ReportError(CallsavvyError):
    """A report does not add up: a bug in the SDK. The numbers are in the text; do not trust the report."""


@attrs.define
class Sums:
    """What became of the recipients, counted. Their states add up to those given, or `check` raises.

    Attributes:
        given: recipients read from the input.
        accepted: recipients in requests that the API took. Not "delivered".
        failed: recipients in requests that the API took and said that the sending failed.
        rejected: recipients in requests that the API refused; not charged.
        unknown: recipients in requests of which nothing is known; perhaps charged, never repeated.
        pending: recipients to whom nothing was sent, because the run stopped before.
        skipped: recipients left out before sending, by reason.
        requests: requests settled.
        cost: sum of the costs that the API reported, in its units.
        requests_without_cost: accepted or failed requests for which it reported none.
        rate_limited: answers 429.
        elapsed: seconds.
        stopped: why the run ended early; None when it did not.
        input_complete: whether the input was read to its end.
        doubtful: numbers without ``+`` that were taken to be international.
    """

    given: int = 0
    accepted: int = 0
    failed: int = 0
    rejected: int = 0
    unknown: int = 0
    pending: int = 0
    skipped: Counter[SkipReason] = attrs.field(factory=Counter[SkipReason])
    requests: int = 0
    cost: Decimal = Decimal(0)
    requests_without_cost: int = 0
    rate_limited: int = 0
    elapsed: float = 0.0
    stopped: StopReason | None = None
    input_complete: bool = False
    doubtful: Doubtful = attrs.field(factory=Doubtful)

    def settle(self, result: ChunkResult) -> None:
        """Count a request's outcome."""
        word = result.state.value
        setattr(self, word, getattr(self, word) + len(result.recipients))
        if result.state is not ChunkState.PENDING:
            self.requests += 1
        if result.receipt is not None:
            if result.receipt.cost is None:
                self.requests_without_cost += 1
            else:
                self.cost += result.receipt.cost

    @property
    def reported_cost(self) -> str:
        """The sum of what the API reported, in words: none may have been reported, as for WhatsApp (quirk Q48)."""
        if not self.requests_without_cost:
            return str(self.cost)
        return f"{self.cost} and more ({self.requests_without_cost:,} reported none)" if self.cost else "not reported"

    @property
    def accounted(self) -> int:
        """Recipients in any state."""
        return self.accepted + self.failed + self.rejected + self.unknown + self.pending + self.skipped.total()

    @property
    def unsent(self) -> int:
        """Recipients who definitely got nothing, but were to."""
        return self.failed + self.rejected + self.pending

    def check(self) -> None:
        """Raise `ReportError` unless the states of all recipients add up to those given."""
        total = self.accounted
        if total != self.given:
            raise ReportError(f"{self.given} recipients were given, but {total} are accounted for: {self!r}")

    @property
    def complete(self) -> bool:
        """Whether every recipient who was not skipped is in an accepted call."""
        return self.input_complete and not (self.failed or self.rejected or self.unknown or self.pending)

    def as_dict(self) -> Mapping[str, object]:
        """Return the sums as JSON-able values."""
        return {
            "given": self.given,
            "accepted": self.accepted,
            "failed": self.failed,
            "rejected": self.rejected,
            "unknown": self.unknown,
            "pending": self.pending,
            "skipped": {reason.value: count for reason, count in self.skipped.items()},
            "requests": self.requests,
            "cost": str(self.cost),
            "requests_without_cost": self.requests_without_cost,
            "rate_limited": self.rate_limited,
            "elapsed": round(self.elapsed, 3),
            "stopped": self.stopped.value if self.stopped else None,
            "input_complete": self.input_complete,
            "doubtful": self.doubtful.count,
        }

    def _cost_line(self) -> str:
        return f"cost: {self.reported_cost}" if self.requests_without_cost else f"cost as reported: {self.cost} units"

    def __str__(self) -> str:
        skipped = ", ".join(f"{count} {reason.value}" for reason, count in sorted(self.skipped.items(), key=str))
        lines = [
            f"{self.given} recipients given"
            + (": the list was empty" if self.input_complete and not self.given else ""),
            f"  {self.accepted} accepted in {self.requests} requests",
            f"  {self.failed} failed, {self.rejected} rejected, {self.unknown} unknown, {self.pending} pending",
            f"  {self.skipped.total()} skipped" + (f" ({skipped})" if skipped else ""),
            f"{self._cost_line()}; {self.elapsed:.1f} s; {self.rate_limited} answers 429",
        ]
        if self.doubtful.count:
            lines.append(f"doubtful: {self.doubtful}")
        if self.stopped:
            lines.append(f"stopped early: {self.stopped.value}")
        if not self.input_complete:
            lines.append("the input was not read to its end: what follows is not counted here")
        return "\n".join(lines)


@attrs.define
class BulkReport(Sums):
    """What became of a bulk send: the sums, and one row per recipient."""

    _spool: Spool = attrs.field(factory=Spool, repr=False, eq=False)

    # ------------------------------------------------------------------------------------------------ writing it

    def skip(self, skipped: Skipped) -> None:
        """Take down a recipient that is left out."""
        self.skipped[skipped.reason] += 1
        self._spool.append(
            (f"skipped: {skipped.reason.value}", None, None, skipped.detail, [(skipped.row, skipped.given)])
        )

    def settle(self, result: ChunkResult) -> None:
        """Take down a request's outcome."""
        super().settle(result)
        chunk, receipt = result.chunk, result.receipt
        rows = [(recipient.row, recipient.number) for recipient in chunk.recipients]
        message_id = None if receipt is None else receipt.message_id
        self._spool.append((result.state.value, chunk.number, message_id, result.detail, rows))

    # ------------------------------------------------------------------------------------------------ reading it

    def rows(self) -> Iterator[ReportRow]:
        """Yield one row per recipient, in the order in which they settled. Numbers are in clear."""
        for outcome, call, message_id, detail, recipients in self._spool:
            for row, number in recipients:
                yield ReportRow(row, number, outcome, call, message_id, detail)

    def message_ids(self) -> Iterator[str]:
        """Yield the ids that the API gave to requests."""
        return (message_id for _, _, message_id, _, _ in self._spool if message_id)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one row per recipient as CSV. The file holds phone numbers: it is made readable for its owner only."""
        write_csv(path, self.rows())

    def to_jsonl(self, path: str | os.PathLike[str]) -> None:
        """Write one JSON object per recipient and line. The file holds phone numbers: it is readable for its owner only."""
        write_jsonl(path, self.rows())
