"""Rules that end a run early: a budget, and errors that will recur for every later chunk."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.bulk.report import ChunkResult, ChunkState, StopReason
from callsavvy_async.errors import (
    AuthenticationError,
    InsufficientBalanceError,
    NotSentError,
    PermissionDeniedError,
    RejectedError,
    RequestError,
)
from callsavvy_async.policy.rejection import names_recipient

_DIGITS = re.compile(r"\d+")


def counted(estimate: Decimal, reported: Decimal | None) -> Decimal:
    """Return the units that a perhaps charged request counts against `max_cost`: the larger of estimate and reported cost.

    The API document does not say whether a reported cost is per request or per recipient, so a cost below the estimate
    proves nothing. A negative cost would raise the limit.
    """
    return estimate if reported is None else max(estimate, reported)


@attrs.define
class Budget:
    """Limits the units spent. It reserves the estimate of a chunk, then replaces it by the cost."""

    limit: Decimal | None
    committed: Decimal = Decimal(0)
    """Units spent, perhaps spent or reserved; not counted without a limit."""

    def reserve(self, chunk: Chunk) -> bool:
        """Reserve the estimate of a chunk. Return False if it would exceed the limit."""
        if self.limit is None:
            return True
        if self.committed + chunk.estimate > self.limit:
            return False
        self.committed += chunk.estimate
        return True

    @property
    def is_exceeded(self) -> bool:
        """Whether the units spent, perhaps spent or reserved exceed the limit."""
        return self.limit is not None and self.committed > self.limit

    def settle(self, result: ChunkResult) -> None:
        """Release the reservation of a chunk that was not charged, or replace it by the cost (`counted`)."""
        estimate = result.chunk.estimate
        if result.state in {ChunkState.REJECTED, ChunkState.PENDING}:
            self.committed -= estimate
        elif result.receipt is not None:
            self.committed += counted(estimate, result.receipt.cost) - estimate


@attrs.define
class StopRules:
    """Decides by the results whether to stop early.

    Attributes:
        most_in_a_row: number of consecutive equal failures that stops the run.
    """

    most_in_a_row: int
    _last: str = ""
    _in_a_row: int = 0

    def judge(self, result: ChunkResult) -> StopReason | None:
        """Return the reason to stop after a result, or None to continue."""
        error = result.error
        if isinstance(error, AuthenticationError | PermissionDeniedError):
            return StopReason.AUTHENTICATION
        if isinstance(error, InsufficientBalanceError):
            return StopReason.BALANCE
        if error is None or not _may_recur(error, result.recipients):
            self._in_a_row = 0
            return None
        kind = f"{type(error).__name__} {_DIGITS.sub('#', error.message or '')}"
        self._in_a_row = self._in_a_row + 1 if kind == self._last else 1
        self._last = kind
        if self._in_a_row < self.most_in_a_row:
            return None
        return StopReason.UNREACHABLE if isinstance(error, NotSentError) else StopReason.REJECTIONS


def _may_recur(error: RequestError, recipients: Iterable[Recipient]) -> bool:
    """Return True if other recipients may get the same error: nothing was sent, or the reason names no recipient."""
    if isinstance(error, NotSentError):
        return True
    return isinstance(error, RejectedError) and not names_recipient(error, (each.number for each in recipients))
