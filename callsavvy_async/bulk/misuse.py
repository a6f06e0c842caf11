"""Refuse recipients of a wrong type, before anything is read."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Mapping

from callsavvy_async.bulk.arrow_rows import is_arrow_table
from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.resources.contacts import Contact


def refuse_misuse(recipients: object) -> None:
    """Raise `InvalidRequestError` unless the value is an iterable of recipients, or an Arrow table.

    Texts and old data frames are iterable too, but yield letters or columns.
    """
    fix = _fix(recipients)
    if fix is not None:
        kind = "None" if recipients is None else f"of type {type(recipients).__name__}"
        raise InvalidRequestError(f"recipients is {kind}; {fix}.")


def _fix(recipients: object) -> str | None:
    match recipients:
        case str() | bytes() | os.PathLike():
            return "give a list of numbers, [number], or read_rows(path) for a file"
        case Mapping() | Recipient() | Contact():
            return "give a list of recipients, [recipient]"
        case _ if is_arrow_table(recipients):
            return None
        case _ if _is_table(recipients):
            return "iterating over it yields its columns; give its rows, as frame.to_dict('records') does in pandas before 2.2"
        case Iterable() | AsyncIterable():
            return None
        case _:
            return "give a list, a generator or an async generator of numbers, mappings or Recipient objects"


def _is_table(recipients: object) -> bool:
    """Recognise data frames. SQLAlchemy's results have a method ``columns``, but yield rows."""
    columns = getattr(recipients, "columns", None)
    return (columns is not None and not callable(columns)) or hasattr(recipients, "column_names")
