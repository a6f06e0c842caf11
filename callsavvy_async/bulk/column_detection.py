"""Find the column that holds the phone number.

A column is found by its name if it is the only candidate. Between several candidates the user has to choose. Exports of
Google Contacts and Outlook always hold several, and are read in a fixed order.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from unicodedata import normalize

import attrs

from callsavvy_async.bulk.report_files import REPORT_COLUMNS
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.redaction import redact

_USUAL = re.compile(
    r"(?:(?:mobile|whatsapp|contact|home|work|business|primary|other|cell) ?)?(?:phone|tel|telephone)(?: ?(?:no|number|1|2))?"
    r"|(?:mobile|whatsapp|contact|cell)(?: ?(?:no|number))|mobile|whatsapp|number|recipient|msisdn|gsm"
)
_ABROAD = re.compile(
    r"(?:n[uú]mero d[ei] )?(?:telefon(?:nummer)?|tel[eé]fono|telefone|téléphone|tél)(?: .*)?"
    r"|(?:mobil|handy|ruf)(?:telefon|nummer)|mobil|handy|(?:n[uú]mero (?:d[ei] )?)?(?:celular|cellulare|m[oó]vil)"
)
"""Usual names in German, Spanish, French, Portuguese and Italian, for example in exports of Outlook."""
_BETWEEN_WORDS = re.compile(r"[\s_.\-]+")
_OUTLOOK = ("Mobile Phone", "Primary Phone", "Home Phone", "Business Phone", "Other Phone")
_GOOGLE_PERSON = ("First Name", "Given Name", "Name")
_GOOGLE = re.compile(r"Phone (\d+) - Value")
GOOGLE_SEPARATOR = ":::"
"""Separator of several numbers in one cell."""
_MOBILE = re.compile(r"mobil|cell|handy", re.IGNORECASE)


@attrs.frozen
class NumberColumns:
    """The columns that may hold a row's number. The first one that is not blank counts.

    Attributes:
        names: the columns.
        labels: for each of them, the column with the kind of its number. Mobile numbers come first.
        separator: delimiter between several numbers of one cell. The first number counts.
        is_address_book: whether a person has several numbers, of which the first mobile one counts, else the first.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...] = ()
    separator: str | None = None
    is_address_book: bool = False

    @property
    def only(self) -> str | None:
        """The column that holds each number as it is; None if it takes more to find it."""
        return self.names[0] if len(self.names) == 1 and self.separator is None else None

    def number_of(self, row: Mapping[str, str]) -> str:
        """Return the number of a row, or a blank text."""
        if (only := self.only) is not None:
            return row.get(only, "")
        return next(iter(self.numbers_of(row)), "")

    def _mobile_first(self, row: Mapping[str, str]) -> Sequence[str]:
        labels = dict(zip(self.names, self.labels, strict=True))
        return sorted(self.names, key=lambda name: not is_mobile(row.get(labels[name], "")))

    def numbers_of(self, row: Mapping[str, str]) -> list[str]:
        """Return all numbers of a row, in order of preference."""
        names = self._mobile_first(row) if self.labels else self.names
        cells = (row.get(name, "") for name in names)
        parts = cells if self.separator is None else (part for cell in cells for part in cell.split(self.separator))
        return [part for part in parts if part.strip()]

    def __str__(self) -> str:
        names = ", else ".join(repr(redact(name)) for name in self.names)
        return names + (" (the first mobile number of each person, else the first)" if self.is_address_book else "")


def number_columns(row: Collection[str], asked: str | Sequence[str] | None) -> NumberColumns:
    """Return the columns that hold the number.

    Args:
        row: the names of the columns.
        asked: the column, or several in order of preference; None for the only one with a usual name ("phone", "mobile",
            ...), else the only one.

    Raises:
        InvalidRequestError: the column does not exist, or several columns are candidates.
    """
    if asked is not None:
        return _asked_columns(row, (asked,) if isinstance(asked, str) else tuple(asked))
    if frozenset(row) == REPORT_COLUMNS:
        raise InvalidRequestError(
            "this file is the report of a send, so all its recipients would get a second message. Read it with"
            " only=('pending', 'rejected') to pick those who got nothing."
        )
    return _google(row) or _outlook(row) or _only_column(row)


def _only_column(row: Collection[str]) -> NumberColumns:
    candidates = [name for name in row if has_usual_name(name)]
    names = candidates or list(row)
    if len(names) == 1:
        return NumberColumns(tuple(names))
    raise InvalidRequestError(
        f"several columns may hold the phone numbers: {_listed(candidates)}. Name one: column='...'."
        if candidates
        else f"the column of the phone numbers was not found; {_columns_of(row)}. Name it: column='...'. If these are no names,"
        " remove the lines above the names of the columns."
    )


def is_mobile(label: str) -> bool:
    """Return whether the kind of a number, as an address book calls it, is a mobile one."""
    return _MOBILE.search(label) is not None


def has_usual_name(column: str) -> bool:
    """Return whether a column has a usual name of a phone number's column, in any case."""
    name = _BETWEEN_WORDS.sub(" ", normalize("NFC", column)).strip().casefold()
    return (_USUAL.fullmatch(name) or _ABROAD.fullmatch(name)) is not None


def _asked_columns(row: Collection[str], asked: tuple[str, ...]) -> NumberColumns:
    for name in asked:
        if name not in row:
            raise InvalidRequestError(f"column {name!r} does not exist; {_columns_of(row)}.")
    if not asked:
        raise InvalidRequestError(f"column is empty; {_columns_of(row)}. Name one of them, or leave it out.")
    return NumberColumns(asked, separator=GOOGLE_SEPARATOR if all(map(_GOOGLE.fullmatch, asked)) else None)


def _google(row: Collection[str]) -> NumberColumns | None:
    """Recognise Google Contacts: "Phone 1 - Value" and "Phone 1 - Label" ("Phone 1 - Type" before 2024)."""
    names = tuple(name for name in row if _GOOGLE.fullmatch(name))
    if not names or not any(name in row for name in _GOOGLE_PERSON):
        return None
    kind = "Label" if f"{names[0].removesuffix('Value')}Label" in row else "Type"
    labels = tuple(f"{name.removesuffix('Value')}{kind}" for name in names)
    return NumberColumns(names, labels, GOOGLE_SEPARATOR, is_address_book=True)


def _outlook(row: Collection[str]) -> NumberColumns | None:
    """Recognise Outlook, which exports a column for each kind of number."""
    names = tuple(name for name in _OUTLOOK if name in row)
    is_export = "First Name" in row and "Mobile Phone" in row and len(names) > 2  # noqa: PLR2004 - of five
    return NumberColumns(names, is_address_book=True) if is_export else None


def _columns_of(row: Collection[str]) -> str:
    return f"the columns are {_listed(row)}" if row else "the row is empty"


def _listed(names: Collection[str]) -> str:
    # Redacted, because a file without a header has the data of its first row as names.
    return ", ".join(repr(redact(name)) for name in names)
