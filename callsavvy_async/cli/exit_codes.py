"""What the exit code of ``callsavvy`` says, decided in one place.

When several hold, the most pressing one wins: 130, 5, 4, 3, 1, 0. (2 never competes: it means that nothing was sent; see
`ending.py`.)
Rows that were skipped (duplicates, suppressed, invalid) are no failures.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from callsavvy_async.bulk.report import StopReason, Sums
from callsavvy_async.errors import (
    AuthenticationError,
    ConfigurationError,
    InsufficientBalanceError,
    InvalidRequestError,
    OutcomeUnknownError,
    PermissionDeniedError,
)


class ExitCode(enum.IntEnum):
    """Exit codes of every command."""

    DONE = 0
    """Everything asked for was done; of a bulk send: every recipient not skipped is in an accepted call."""
    FAILED = 1
    """Something was definitely not done, the writing of the result included."""
    REFUSED = 2
    """Wrong usage, an unreadable file, or nobody said yes: it is proved that nothing was sent."""
    UNKNOWN = 3
    """Of some recipients (or of the one request) nothing is known: perhaps done, perhaps charged, never repeated."""
    BUDGET = 4
    """Stopped at ``--max-cost`` or at the account's balance."""
    CONFIGURATION = 5
    """The keys were refused, or a setting cannot work."""
    INTERRUPTED = 130
    """Ctrl-C, SIGTERM or SIGHUP."""


_BY_STOP_REASON = {
    StopReason.INTERRUPTED: ExitCode.INTERRUPTED,
    StopReason.AUTHENTICATION: ExitCode.CONFIGURATION,
    StopReason.BALANCE: ExitCode.BUDGET,
    StopReason.MAX_COST: ExitCode.BUDGET,
    StopReason.ERROR: ExitCode.FAILED,
}

_BY_ERROR: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
    (ConfigurationError, ExitCode.CONFIGURATION),
    (AuthenticationError, ExitCode.CONFIGURATION),
    (PermissionDeniedError, ExitCode.CONFIGURATION),
    (InsufficientBalanceError, ExitCode.BUDGET),
    (OutcomeUnknownError, ExitCode.UNKNOWN),
    (InvalidRequestError, ExitCode.REFUSED),
    (OSError, ExitCode.REFUSED),
)


def code_of_report(report: Sums) -> ExitCode:
    """Return the exit code of a bulk send that was begun."""
    return most_pressing(_findings(report))


def most_pressing(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the code that wins where several hold."""
    return max(codes, key=_PRECEDENCE.index)


def code_of_worker(report: Sums) -> ExitCode:
    """Return the exit code of one worker of many: whether something is left to send, and why it left it."""
    if report.stopped is not None:
        return _BY_STOP_REASON.get(report.stopped, ExitCode.FAILED)
    return ExitCode.FAILED if report.pending else ExitCode.DONE


def code_of_error(error: BaseException) -> ExitCode:
    """Return the exit code of a command that ended with an error."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.FAILED)


_PRECEDENCE = (
    ExitCode.DONE,
    ExitCode.REFUSED,
    ExitCode.FAILED,
    ExitCode.UNKNOWN,
    ExitCode.BUDGET,
    ExitCode.CONFIGURATION,
    ExitCode.INTERRUPTED,
)


def _findings(report: Sums) -> set[ExitCode]:
    findings = {ExitCode.DONE}
    if report.stopped is not None:
        findings.add(_BY_STOP_REASON.get(report.stopped, ExitCode.FAILED))
    if report.unknown:
        findings.add(ExitCode.UNKNOWN)
    if report.unsent:
        findings.add(ExitCode.FAILED)
    return findings
