"""What is given where a list of recipients belongs, and is none: refused before anything is read, with the way to do it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Mapping

from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.resources.contacts import Contact


def refuse_misuse(recipients: object) -> None:
    """Raise `InvalidRequestError` for what would be read letter by letter, or column by column.

    Args:
        recipients: anything; a list, a generator or an async one of recipients is right.
    """
    fix = _fix(recipients)
    if fix is not None:
        kind = "None" if recipients is None else f"a {type(recipients).__name__}"
        raise InvalidRequestError(f"recipients is {kind}; {fix}.")


def _fix(recipients: object) -> str | None:
    match recipients:
        case str() | bytes() | os.PathLike():
            return "give a list of numbers, [number], or read_rows(path) for a file"
        case Mapping() | Recipient() | Contact():
            return "give a list of recipients, [recipient]"
        case _ if _is_table(recipients):
            return (
                "it yields its columns; give its rows: frame.to_dict('records') of pandas, frame.iter_rows(named=True) of"
                " polars, table.to_pylist() of pyarrow"
            )
        case Iterable() | AsyncIterable():
            return None
        case _:
            return "give a list, a generator or an async generator of numbers, mappings or Recipient objects"


def _is_table(recipients: object) -> bool:
    """Recognise data frames; SQLAlchemy's results have a method `columns`, and yield their rows."""
    columns = getattr(recipients, "columns", None)
    return (columns is not None and not callable(columns)) or hasattr(recipients, "column_names")
