"""The exit codes of ``callsavvy``.

If several apply, the most pressing one wins: 130, 5, 4, 3, 1, 0. Code 2 never competes, because it means that nothing was
sent (see `ending.py`). Skipped rows (duplicate, suppressed, invalid) are not failures.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from callsavvy_async.bulk.report import StopReason, Sums
from callsavvy_async.cli.arguments import UsageError
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
    """The command succeeded. For a bulk send: the API accepted every recipient that was not skipped."""
    FAILED = 1
    """Something was definitely not done, or the result could not be written."""
    REFUSED = 2
    """Wrong usage, an unreadable file, or a missing confirmation. Provably nothing was sent."""
    UNKNOWN = 3
    """Some outcomes are unknown: perhaps done, perhaps charged. They are never retried."""
    BUDGET = 4
    """Stopped at ``--max-cost`` or at the account's balance."""
    CONFIGURATION = 5
    """The API rejected the keys, or a setting is invalid."""
    INTERRUPTED = 130
    """Ctrl-C, SIGTERM, SIGHUP or ``campaigns stop``."""


_BY_STOP_REASON = {
    StopReason.INTERRUPTED: ExitCode.INTERRUPTED,
    StopReason.COMMAND: ExitCode.INTERRUPTED,
    StopReason.AUTHENTICATION: ExitCode.CONFIGURATION,
    StopReason.BALANCE: ExitCode.BUDGET,
    StopReason.MAX_COST: ExitCode.BUDGET,
    StopReason.ERROR: ExitCode.FAILED,
    StopReason.LIMIT: ExitCode.DONE,
}

_BY_ERROR: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
    (ConfigurationError, ExitCode.CONFIGURATION),
    (AuthenticationError, ExitCode.CONFIGURATION),
    (PermissionDeniedError, ExitCode.CONFIGURATION),
    (InsufficientBalanceError, ExitCode.BUDGET),
    (OutcomeUnknownError, ExitCode.UNKNOWN),
    (UsageError, ExitCode.REFUSED),
    (InvalidRequestError, ExitCode.REFUSED),
    (OSError, ExitCode.REFUSED),
)


def code_of_report(report: Sums) -> ExitCode:
    """Return the exit code of a bulk send that has started."""
    codes = {ExitCode.DONE}
    if report.stopped is not None:
        codes.add(_BY_STOP_REASON.get(report.stopped, ExitCode.FAILED))
    if report.unknown:
        codes.add(ExitCode.UNKNOWN)
    left_for_later = report.pending if report.stopped is StopReason.LIMIT else 0
    if report.unsent > left_for_later:
        codes.add(ExitCode.FAILED)
    return most_pressing(codes)


def most_pressing(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the code that wins if several apply."""
    return max(codes, key=_PRECEDENCE.index)


def code_of_worker(report: Sums) -> ExitCode:
    """Return the exit code of a worker: `DONE` if nothing is left to send, whatever the outcomes."""
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
