"""Recognise blocks of rows in which no row needs a closer look, by functions that take a whole block at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import itemgetter, methodcaller
from typing import cast

from callsavvy_async.bulk.row_fields import LONGEST
from callsavvy_async.encodable import is_encodable
from callsavvy_async.phone_numbers import is_certain


def plain_numbers(items: Sequence[object], column: str | None) -> list[str] | None:
    """Return the numbers of a block of rows, or None if a row needs a closer look.

    Args:
        items: the rows.
        column: column of the number, if there is only one.
    """
    kinds = set(map(type, items))
    if kinds == {str}:
        numbers = list(cast("Sequence[str]", items))
    elif kinds == {dict} and column is not None:
        rows = cast("Sequence[dict[str, str]]", items)
        try:
            numbers = list(map(itemgetter(column), rows))
            texts = "".join(_all_texts(rows))
        except (KeyError, TypeError):  # a row without the column, or with another value than a text
            return None
        if len(texts) > LONGEST or not is_encodable(texts):
            return None
    else:
        return None
    return numbers if all(map(is_certain, numbers)) else None


def are_texts(rows: Sequence[dict[str, str]]) -> bool:
    """Return whether all names and values of rows are plain texts."""
    return set(map(type, _all_texts(rows))) <= {str}


def _all_texts(rows: Iterable[dict[str, str]]) -> Iterable[str]:
    return chain.from_iterable(chain.from_iterable(map(methodcaller("items"), rows)))
