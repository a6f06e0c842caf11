"""What is no list of recipients is refused before anything is read, and the way to do it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsavvy_async.bulk.bulk import Bulk
from callsavvy_async.bulk.misuse import refuse_misuse
from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import SMS
from callsavvy_async.resources.contacts import Contact

from .fakes import FakeMessaging, bulk_over

NUMBER = "+2348012345678"


class Frame(list[str]):
    """A data frame, as far as this matters: iterating over it yields the names of its columns."""

    columns = ("phone", "name")


class Result(list[str]):
    """A result of SQLAlchemy: its rows are what it yields."""

    def columns(self) -> None:
        """Choose columns."""


MISUSE = [
    (NUMBER, "of type str; give a list of numbers"),
    (b"+234", "of type bytes; give a list"),
    (Path("people.csv"), r"read_rows\(path\)"),
    ({"phone": NUMBER}, "of type dict; give a list of recipients"),
    (Recipient(NUMBER), "of type Recipient; give a list"),
    (Contact(phone=NUMBER), "of type Contact; give a list"),
    (Frame(["phone", "name"]), r"to_dict\('records'\)"),
    (None, "recipients is None; give a list"),
    (5, "of type int; give a list"),
]


@pytest.mark.parametrize(("given", "error"), MISUSE, ids=range(9))
def test_misuse_is_refused_everywhere(given: object, error: str) -> None:
    """Planning and sending refuse it alike, and nothing is sent."""
    fake = FakeMessaging()
    for use in (refuse_misuse, lambda rows: Bulk.plan(rows, SMS("x")), lambda rows: bulk_over(fake).sms(rows, "x")):
        with pytest.raises(InvalidRequestError, match=error):
            use(given)  # type: ignore[arg-type]
    assert not fake.calls


async def _asynchronous():
    yield NUMBER


@pytest.mark.parametrize(
    "given", [[NUMBER], (NUMBER,), {NUMBER}, iter([NUMBER]), Result([NUMBER]), _asynchronous()], ids=range(6)
)
def test_lists_and_streams_are_taken(given: object) -> None:
    """Whatever yields recipients is no misuse."""
    refuse_misuse(given)


def test_a_plan_does_not_wait() -> None:
    """A plan is made at once, so it reads no asynchronous iterable."""
    with pytest.raises(InvalidRequestError, match="a plan reads a list or a generator"):
        Bulk.plan(_asynchronous(), SMS("x"))  # type: ignore[arg-type]
