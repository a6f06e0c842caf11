"""Rows that are mappings: in which column the number stands.

A column is found by its name where there is one candidate. Between several nobody but the user can choose; only the exports
of the usual address books, which always hold several, are known, and read in an order of their own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import attrs

from callsavvy_async.bulk.report_files import ReportRow
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.redaction import redact

_USUAL = re.compile(
    r"(?:(?:mobile|whatsapp|contact|home|work|business|primary|other|cell) ?)?(?:phone|tel|telephone)(?: ?(?:no|number|1|2))?"
    r"|(?:mobile|whatsapp|contact|cell)(?: ?(?:no|number))|mobile|whatsapp|number|recipient|msisdn|gsm"
)
_BETWEEN_WORDS = re.compile(r"[\s_.\-]+")
_OUTLOOK = ("Mobile Phone", "Primary Phone", "Home Phone", "Business Phone", "Other Phone")
_GOOGLE = re.compile(r"Phone (\d+) - Value")
_GOOGLE_SEPARATOR = ":::"
_MOBILE = re.compile(r"mobil|cell|handy", re.IGNORECASE)
_REPORT = {field.name for field in attrs.fields(ReportRow)}


@attrs.frozen
class NumberColumns:
    """Where the number of a row stands: in the first of these columns that is not blank.

    Attributes:
        names: the columns.
        labels: for each, the column that says what kind of number it holds; mobile ones come first.
        separator: what stands between several numbers of one cell, of which the first counts.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...] = ()
    separator: str | None = None

    def number_of(self, row: Mapping[str, str]) -> str:
        """Return the number of a row, blank when it has none."""
        if len(self.names) == 1 and self.separator is None:
            return row.get(self.names[0], "")
        return next(iter(self.numbers_of(row)), "")

    def numbers_of(self, row: Mapping[str, str]) -> list[str]:
        """Return all numbers of a row, the one that counts first."""
        names: Sequence[str] = self.names
        if self.labels:
            is_mobile = {
                name: bool(_MOBILE.search(row.get(label, ""))) for name, label in zip(names, self.labels, strict=True)
            }
            names = sorted(names, key=lambda name: not is_mobile[name])
        cells = (row.get(name, "") for name in names)
        parts = cells if self.separator is None else (part for cell in cells for part in cell.split(self.separator))
        return [part for part in parts if part.strip()]

    def __str__(self) -> str:
        return ", else ".join(repr(redact(name)) for name in self.names) + (" (mobile first)" if self.labels else "")


def number_columns(row: Collection[str], asked: str | Sequence[str] | None) -> NumberColumns:
    """Find out which columns hold the number.

    Args:
        row: the names of the columns.
        asked: the column, or several in their order; None for the only one with a usual name ("phone", "mobile", ...),
            else the only one there is.

    Raises:
        InvalidRequestError: naming the columns there are, or the candidates.
    """
    if asked is not None:
        return _asked_columns(row, (asked,) if isinstance(asked, str) else tuple(asked))
    if set(row) == _REPORT:
        raise InvalidRequestError(
            "this is the report of a send: everybody in it would be sent to again. Pick those you mean, and keep their"
            " numbers as a list."
        )
    known = _google(row) or _outlook(row)
    if known is not None:
        return known
    candidates = [name for name in row if has_usual_name(name)]
    names = candidates or list(row)
    if len(names) == 1:
        return NumberColumns(tuple(names))
    raise InvalidRequestError(
        f"several columns may hold the phone numbers: {_listed(candidates)}. Name the one: column='...'."
        if candidates
        else f"none of the columns is known to hold phone numbers; {_columns_of(row)}. Name it: column='...'."
    )


def has_usual_name(column: str) -> bool:
    """Whether a column is named as those are that hold phone numbers, whatever its case."""
    return _USUAL.fullmatch(_BETWEEN_WORDS.sub(" ", column).strip().casefold()) is not None


def _asked_columns(row: Collection[str], asked: tuple[str, ...]) -> NumberColumns:
    for name in asked:
        if name not in row:
            raise InvalidRequestError(f"there is no column {name!r}; {_columns_of(row)}.")
    if not asked:
        raise InvalidRequestError(f"column names no column; {_columns_of(row)}.")
    return NumberColumns(asked, separator=_GOOGLE_SEPARATOR if all(map(_GOOGLE.fullmatch, asked)) else None)


def _google(row: Collection[str]) -> NumberColumns | None:
    """Recognise Google Contacts: "Phone 1 - Value" beside "Phone 1 - Label", which was "Phone 1 - Type" before 2024."""
    names = tuple(name for name in row if _GOOGLE.fullmatch(name))
    if not names:
        return None
    kind = "Label" if f"{names[0].removesuffix('Value')}Label" in row else "Type"
    return NumberColumns(names, tuple(f"{name.removesuffix('Value')}{kind}" for name in names), _GOOGLE_SEPARATOR)


def _outlook(row: Collection[str]) -> NumberColumns | None:
    """Recognise Outlook, whose contacts have a column for each kind of number."""
    names = tuple(name for name in _OUTLOOK if name in row)
    return NumberColumns(names) if "First Name" in row and len(names) > 2 else None  # noqa: PLR2004 - of five


def _columns_of(row: Collection[str]) -> str:
    return f"the columns are {_listed(row)}" if row else "the row is empty"


def _listed(names: Collection[str]) -> str:
    # A file without a header has its first row's data for names.
    return ", ".join(repr(redact(name)) for name in names)
