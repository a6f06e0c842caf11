"""What a final rejection is about: one recipient, too many of them, or something else."""

from __future__ import annotations

import pytest

from callsavvy_async.errors import BadRequestError, InsufficientBalanceError, Outcome, OutcomeUnknownError, RequestError
from callsavvy_async.policy.rejection import names_recipient, too_large


def rejected(
    message: str | None,
    status: int = 422,
    kind: type[RequestError] = BadRequestError,
    outcome: Outcome = Outcome.REJECTED,
) -> RequestError:
    return kind(str(status), endpoint="sendSMS", outcome=outcome, status_code=status, message=message)


@pytest.mark.parametrize(
    ("error", "recipient", "large"),
    [
        (rejected("Invalid recipient: +234"), True, False),
        (rejected("Phone number is not valid"), True, False),
        (rejected("Too many recipients"), True, True),
        (rejected("recipient: maximum is 30"), True, True),
        (rejected("Up to 30 numbers are allowed"), True, True),
        (rejected("Number of recipients exceeds the limit"), True, True),
        (rejected("Message is too long"), False, False),
        (rejected(None), False, False),
        (rejected(None, 413), False, True),
        (rejected("Request Entity Too Large", 413), False, True),
        (rejected("Insufficient balance for these recipients", 402, InsufficientBalanceError), False, False),
        (rejected("Too many recipients", 500, OutcomeUnknownError, Outcome.UNKNOWN), False, False),
    ],
)
def test_what_it_is_about(error: RequestError, recipient: bool, large: bool) -> None:
    """Only a final rejection that speaks of recipients or size may be cut up; what is unknown never."""
    assert names_recipient(error) is recipient
    assert too_large(error) is large


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("+2348012345678 is not on WhatsApp", True),
        ("2348012345678: unreachable", True),
        ("0801 234 5678 is barred", True),
        ("(234) 801-234-5678 is barred", True),
        ("+2348099999999 is barred", False),
        ("error 345678", False),
        ("error 2345678", True),
        ("error 5678", False),
        ("the service is closed", False),
    ],
)
def test_digits_of_a_recipient_name_it(message: str, named: bool) -> None:
    """A message that holds a recipient's digits names that recipient, whatever its words; short digits name none."""
    assert names_recipient(rejected(message), ("+2348012345678", "+2348011111111")) is named
