"""The report of a bulk send: sums in memory, and one row per recipient in a spool."""

from __future__ import annotations

import enum
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal

import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.doubtful import Doubtful
from callsavvy_async.bulk.recipients import Recipient, Skipped, SkipReason
from callsavvy_async.bulk.report_files import ReportRow, write_csv, write_jsonl
from callsavvy_async.bulk.spool import Spool
from callsavvy_async.errors import CallsavvyError, RequestError
from callsavvy_async.jsonable import Jsonable
from callsavvy_async.redaction import redact
from callsavvy_async.resources.sends import SendReceipt
from callsavvy_async.wording import quantity


class ChunkState(enum.Enum):
    """State of one chunk of a bulk send."""

    ACCEPTED = "accepted"
    """The API accepted the request. The API does not report delivery."""
    FAILED = "failed"
    """The API accepted the request and reported that sending failed. It may have been charged."""
    REJECTED = "rejected"
    """The API rejected the request; it was not charged."""
    UNKNOWN = "unknown"
    """The request left, and its outcome is unknown. It is never retried."""
    PENDING = "pending"
    """The request was not sent, or it provably had no effect."""


class StopReason(enum.Enum):
    """Reason why a run ended before its input did."""

    AUTHENTICATION = "the API refused the keys"
    BALANCE = "the account's balance is used up"
    MAX_COST = "max_cost would be exceeded"
    REJECTIONS = "the API rejected consecutive requests for the same reason"
    UNREACHABLE = "consecutive requests could not reach the API"
    INTERRUPTED = "the run was stopped"
    COMMAND = "a command stopped the campaign"
    LIMIT = "the limit of recipients was reached; the rest is left for later"
    CANARY = "too many of the first recipients failed"
    DEADLINE = "the run reached its deadline"
    ERROR = "an error ended the run"


@attrs.frozen
class ChunkResult:
    """The result of one chunk.

    Attributes:
        chunk: the chunk: its number, text and recipients.
        state: its state.
        receipt: the API's response to an accepted request.
        error: the error of a request that was not accepted.
        request_id: identifier of the chunk's last request, as in events, logs and spans; empty if none began.
    """

    chunk: Chunk
    state: ChunkState
    receipt: SendReceipt | None = None
    error: RequestError | None = None
    request_id: str = ""

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """The recipients of the chunk."""
        return tuple(self.chunk.recipients)

    @property
    def detail(self) -> str:
        """Explanation of the result, without personal data."""
        if self.error is not None:
            message = f": {redact(self.error.message)}" if self.error.message else ""
            return f"{self.error.reason}{message}"
        return "" if self.receipt is None else str(self.receipt.status or "")


class ReportError(CallsavvyError):
    """A report does not add up. This is a bug in the SDK; do not trust the report."""


@attrs.define
class Sums(Jsonable):
    """Recipients by state. The states add up to `given`, or `check` raises.

    Attributes:
        given: recipients read from the input.
        accepted: recipients in requests that the API accepted. The API does not report delivery.
        failed: recipients in requests that the API accepted, but reported as failed.
        rejected: recipients in requests that the API rejected; not charged.
        unknown: recipients in requests with an unknown outcome; perhaps charged, never retried.
        pending: recipients to whom the run sent nothing.
        skipped: recipients skipped before sending, by reason.
        requests: number of settled requests.
        cost: sum of the costs that the API reported, in units.
        requests_without_cost: accepted or failed requests without a reported cost.
        rate_limited: number of 429 responses.
        elapsed: duration of the run in seconds.
        stopped: reason why the run ended early, or None.
        input_complete: whether the input was read to its end.
        doubtful: numbers without ``+`` that were assumed to be international.
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
        """Count the result of a chunk."""
        state = result.state.value
        setattr(self, state, getattr(self, state) + len(result.recipients))
        if result.state is not ChunkState.PENDING:
            self.requests += 1
        if result.receipt is not None:
            self.charge(result.receipt.cost)

    def charge(self, cost: Decimal | None, requests: int = 1) -> None:
        """Count the cost of accepted requests.

        Args:
            cost: cost of each in units; None if not reported.
            requests: number of requests.
        """
        self.requests_without_cost += requests if cost is None else 0
        self.cost += (cost or Decimal(0)) * requests

    def count_requests(self, requests: int) -> None:
        """Count settled requests."""
        self.requests += requests

    def move_from_pending(self, recipients: int) -> None:
        """Count recipients as no longer pending."""
        self.pending -= recipients

    @property
    def reported_cost(self) -> str:
        """The reported cost in words. The API reports no cost for WhatsApp."""
        if not self.requests_without_cost:
            return f"{self.cost:,}"
        return f"{self.cost:,} and more ({self.requests_without_cost:,} reported none)" if self.cost else "not reported"

    @property
    def accounted(self) -> int:
        """Number of recipients in any state."""
        return self.accepted + self.failed + self.rejected + self.unknown + self.pending + self.skipped.total()

    @property
    def unsent(self) -> int:
        """Number of intended recipients who definitely received nothing."""
        return self.failed + self.rejected + self.pending

    def check(self) -> None:
        """Raise `ReportError` unless the states of all recipients add up to those given.

        Raises:
            ReportError: they do not add up.
        """
        total = self.accounted
        if total != self.given:
            raise ReportError(
                f"the sums of {quantity(self.given, 'recipient')} add up to {total:,}. Please report this bug: {self!r}"
            )

    @property
    def complete(self) -> bool:
        """Whether every recipient that was not skipped is in an accepted request."""
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
            "rate_limited": self.rate_limited if self._of_a_run else None,
            "elapsed": round(self.elapsed, 3) if self._of_a_run else None,
            "stopped": self.stopped.value if self.stopped else None,
            "input_complete": self.input_complete,
            "doubtful": self.doubtful.count,
        }

    @property
    def _of_a_run(self) -> bool:
        """Whether a run made these sums. Those of a journal have neither its duration nor its rate-limited responses."""
        return bool(self.elapsed or self.rate_limited)

    def _cost_line(self) -> str:
        cost = (
            f"cost: {self.reported_cost}"
            if self.requests_without_cost
            else f"cost as reported: {quantity(self.cost, 'unit')}"
        )
        if not self._of_a_run:
            return cost
        return f"{cost}; {self.elapsed:.1f} s; {quantity(self.rate_limited, 'rate-limited response')}"

    def __str__(self) -> str:
        skipped = ", ".join(f"{count:,} {reason.value}" for reason, count in sorted(self.skipped.items(), key=str))
        lines = [
            f"{quantity(self.given, 'recipient')} given"
            + (": the list was empty" if self.input_complete and not self.given else ""),
            f"  {self.accepted:,} accepted in {quantity(self.requests, 'request')}",
            f"  {self.failed:,} failed, {self.rejected:,} rejected, {self.unknown:,} unknown, {self.pending:,} pending",
            f"  {self.skipped.total():,} skipped" + (f" ({skipped})" if skipped else ""),
            self._cost_line(),
        ]
        if self.doubtful.count:
            lines.append(f"doubtful: {self.doubtful}")
        if self.stopped:
            lines.append(f"stopped early: {self.stopped.value}")
        if not self.input_complete:
            lines.append("the input was not read to its end; its remaining rows are not counted")
        return "\n".join(lines)


@attrs.define
class BulkReport(Sums):
    """The report of a bulk send: the sums, and one row per recipient."""

    _spool: Spool = attrs.field(factory=Spool, repr=False, eq=False)

    def skip(self, skipped: Skipped) -> None:
        """Record a skipped row."""
        self.skipped[skipped.reason] += 1
        self._spool.append(
            (f"skipped: {skipped.reason.value}", None, None, skipped.detail, [(skipped.row, skipped.given)])
        )

    def settle(self, result: ChunkResult) -> None:
        """Record the result of a chunk."""
        super().settle(result)
        chunk, receipt = result.chunk, result.receipt
        rows = [(recipient.row, recipient.number) for recipient in chunk.recipients]
        message_id = None if receipt is None else receipt.message_id
        self._spool.append((result.state.value, chunk.number, message_id, result.detail, rows))

    def rows(self) -> Iterator[ReportRow]:
        """Yield one row per recipient, in the order of their results. Numbers are not masked."""
        for outcome, call, message_id, detail, recipients in self._spool:
            for row, number in recipients:
                yield ReportRow(row, number, outcome, call, message_id, detail)

    def message_ids(self) -> Iterator[str]:
        """Yield the message ids of the API, one per accepted request."""
        return (message_id for _, _, message_id, _, _ in self._spool if message_id)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one row per recipient as CSV. The file holds phone numbers, so only its owner may read it."""
        write_csv(path, self.rows())

    def to_jsonl(self, path: str | os.PathLike[str]) -> None:
        """Write one JSON object per recipient, one a line. The file holds phone numbers, so only its owner may read it."""
        write_jsonl(path, self.rows())
