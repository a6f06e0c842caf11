"""Exit codes: one meaning each, and which one wins."""

from __future__ import annotations

import pytest

from callsavvy_async.bulk.report import BulkReport, StopReason
from callsavvy_async.cli.exit_codes import ExitCode, code_of_error, code_of_report
from callsavvy_async.errors import (
    AuthenticationError,
    CallsavvyError,
    ConfigurationError,
    ConnectError,
    InsufficientBalanceError,
    InvalidRequestError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    RequestError,
    ServerError,
)


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (BulkReport(), 0),
        (BulkReport(given=3, accepted=3), 0),
        (BulkReport(accepted=1, failed=1), 1),
        (BulkReport(accepted=1, rejected=1), 1),
        (BulkReport(accepted=1, pending=1), 1),
        (BulkReport(accepted=1, unknown=1), 3),
        (BulkReport(stopped=StopReason.MAX_COST), 4),
        (BulkReport(stopped=StopReason.BALANCE), 4),
        (BulkReport(stopped=StopReason.AUTHENTICATION), 5),
        (BulkReport(stopped=StopReason.INTERRUPTED), 130),
        (BulkReport(stopped=StopReason.REJECTIONS), 1),
        (BulkReport(stopped=StopReason.UNREACHABLE), 1),
        (BulkReport(stopped=StopReason.ERROR), 1),
    ],
    ids=repr,
)
def test_report(report: BulkReport, code: int) -> None:
    """A report's exit code says the worst that is in it."""
    assert code_of_report(report) == code


@pytest.mark.parametrize(
    ("stopped", "code"),
    [
        (StopReason.INTERRUPTED, 130),
        (StopReason.AUTHENTICATION, 5),
        (StopReason.BALANCE, 4),
        (StopReason.MAX_COST, 4),
        (StopReason.ERROR, 3),
        (None, 3),
    ],
)
def test_precedence(stopped: StopReason | None, code: int) -> None:
    """Why a run stopped goes before what is unknown, and what is unknown before what failed."""
    assert code_of_report(BulkReport(stopped=stopped, unknown=1, rejected=1, pending=1)) == code


def _failed(kind: type[RequestError], outcome: Outcome = Outcome.REJECTED) -> RequestError:
    return kind("for a reason", endpoint="sendSMS", outcome=outcome)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (_failed(AuthenticationError), 5),
        (_failed(PermissionDeniedError), 5),
        (ConfigurationError("no keys"), 5),
        (_failed(InsufficientBalanceError), 4),
        (_failed(OutcomeUnknownError, Outcome.UNKNOWN), 3),
        (InvalidRequestError("blank"), 2),
        (_failed(ConnectError, Outcome.NOT_SENT), 1),
        (_failed(ServerError, Outcome.UNKNOWN), 1),
        (CallsavvyError("any"), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_error(error: BaseException, code: int) -> None:
    """An error's exit code says whether something was sent, and what to look at."""
    assert code_of_error(error) == code


def test_every_code_has_one_meaning() -> None:
    """The codes are those that the help promises."""
    assert sorted(ExitCode) == [0, 1, 2, 3, 4, 5, 130]
