"""What ends a run early: a budget, and errors that will meet every chunk that follows."""

from __future__ import annotations

import re
from decimal import Decimal

import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.report import ChunkResult, ChunkState, StopReason
from callsavvy_async.errors import (
    AuthenticationError,
    InsufficientBalanceError,
    NotSentError,
    PermissionDeniedError,
    RejectedError,
)
from callsavvy_async.policy.rejection import names_recipient

_DIGITS = re.compile(r"\d+")


def counted(estimate: Decimal, reported: Decimal | None) -> Decimal:
    """Return what a request that may have been charged counts against a limit: what it is said to cost, or the estimate if more.

    The document does not say whether a cost is that of the request or of each recipient (quirk Q41). So one below the estimate
    proves nothing, and one below zero would raise the limit.
    """
    return estimate if reported is None else max(estimate, reported)


@attrs.define
class Budget:
    """Units that may be spent. The estimate of a chunk is reserved before it is sent, and raised to what it cost."""

    limit: Decimal | None
    committed: Decimal = Decimal(0)
    """What was spent, or may have been; only kept where there is a limit."""

    def reserve(self, chunk: Chunk) -> bool:
        """Reserve the estimate of a chunk; False when it would pass the limit."""
        if self.limit is None:
            return True
        if self.committed + chunk.estimate > self.limit:
            return False
        self.committed += chunk.estimate
        return True

    def settle(self, result: ChunkResult) -> None:
        """Give back what was proved not to be charged; count the rest as `counted` says."""
        estimate = result.chunk.estimate
        if result.state in {ChunkState.REJECTED, ChunkState.PENDING}:
            self.committed -= estimate
        elif result.receipt is not None:
            self.committed += counted(estimate, result.receipt.cost) - estimate


@attrs.define
class StopRules:
    """When to stop early, seen from the results: some errors will meet every chunk that follows."""

    most_in_a_row: int
    _last: str = ""
    _in_a_row: int = 0

    def judge(self, result: ChunkResult) -> StopReason | None:
        """Say why to stop after this result; None to go on."""
        error = result.error
        if isinstance(error, AuthenticationError | PermissionDeniedError):
            return StopReason.AUTHENTICATION
        if isinstance(error, InsufficientBalanceError):
            return StopReason.BALANCE
        numbers = (recipient.number for recipient in result.recipients)
        counts = isinstance(error, NotSentError) or (
            isinstance(error, RejectedError) and not names_recipient(error, numbers)
        )
        if error is None or not counts:
            self._in_a_row = 0
            return None
        kind = f"{type(error).__name__} {_DIGITS.sub('#', error.message or '')}"
        self._in_a_row = self._in_a_row + 1 if kind == self._last else 1
        self._last = kind
        if self._in_a_row < self.most_in_a_row:
            return None
        return StopReason.UNREACHABLE if isinstance(error, NotSentError) else StopReason.REJECTIONS
