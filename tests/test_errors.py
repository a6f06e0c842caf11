"""Errors: the drawn tree, what they carry, what they never show."""

from __future__ import annotations

import builtins
import copy
import inspect
import pickle
import re

import pytest

from callsavvy_async import errors
from callsavvy_async.errors import Attempt, CallsavvyError, Outcome, RequestError

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, CallsavvyError)]
CALL_ERRORS = [cls for cls in CLASSES if issubclass(cls, RequestError)]


def build(cls: type[RequestError], **changes: object) -> RequestError:
    fields: dict[str, object] = {
        "endpoint": "sendSMS",
        "outcome": Outcome.REJECTED,
        "attempts": (Attempt(Outcome.UNKNOWN, "lost", 0.5), Attempt(Outcome.REJECTED, "422", 0.1, 422)),
        "status_code": 422,
        "message": "Invalid recipient: +2348012345678",
        "retry_after": 1.5,
        "body": b"{}",
    }
    return cls("422", **{**fields, **changes})


def test_the_tree_is_as_drawn() -> None:
    """The tree in the module's docstring names every class below its parent, and nothing else."""
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").split("```")[1].splitlines():
        found = re.match(r"([│ ├└─]*)(\w+)", line)
        if found:
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            drawn[found[2]] = path[depth - 1] if depth else "Exception"
    assert drawn == {cls.__name__: cls.__bases__[0].__name__ for cls in CLASSES}


def test_builtin_bases_are_as_drawn() -> None:
    """The built-in class in brackets is a base too, for those who catch by it."""
    for name, builtin in re.findall(r"(\w+Error) .*\((\w+Error)\)$", errors.__doc__ or "", re.MULTILINE):
        assert issubclass(getattr(errors, name), getattr(builtins, builtin))


@pytest.mark.parametrize("cls", CALL_ERRORS)
@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301
def test_call_errors_survive(cls: type[RequestError], clone: object) -> None:
    """Pickled or copied, an error keeps its type, its text and everything that it carries."""
    error = build(cls)
    again = clone(error)
    assert type(again) is cls
    assert vars(again) == vars(error)
    assert str(again) == str(error)


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls not in CALL_ERRORS])
def test_other_errors_survive(cls: type[CallsavvyError]) -> None:
    """The plain ones too."""
    again = pickle.loads(pickle.dumps(cls("why")))  # noqa: S301
    assert (type(again), str(again)) == (cls, "why")
    assert str(copy.copy(cls("why"))) == "why"


@pytest.mark.parametrize("outcome", Outcome)
def test_safe_to_resend(outcome: Outcome) -> None:
    """Only what is proved not to have been done is safe to send again."""
    assert build(RequestError, outcome=outcome).safe_to_resend is (outcome in {Outcome.NOT_SENT, Outcome.REJECTED})


def test_the_text() -> None:
    """Endpoint, reason, the API's words, outcome, tries and what to do; numbers and addresses masked."""
    error = build(errors.InsufficientBalanceError, message="No units for +2348012345678, ask ada@example.com")
    assert str(error) == (
        "sendSMS: 422: No units for +234********78, ask *** [REJECTED after 2 attempts]."
        " Top up the account; account.summary() shows the balances."
    )
    assert error.message == "No units for +2348012345678, ask ada@example.com"


def test_the_shortest_text() -> None:
    """What is not known is left out."""
    assert str(RequestError("why", endpoint="x", outcome=Outcome.NOT_SENT)) == "x: why [NOT_SENT]."


@pytest.mark.parametrize("cls", CALL_ERRORS)
def test_no_text_shows_personal_data(cls: type[RequestError]) -> None:
    """Neither str nor repr show the recipient or the body."""
    error = build(cls, body=b"secret-body")
    for shown in (str(error), repr(error)):
        assert "8012345678" not in shown
        assert "secret-body" not in shown
