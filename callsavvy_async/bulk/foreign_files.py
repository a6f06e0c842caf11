"""Refuse files of other kinds that users give for lists of recipients."""

from __future__ import annotations

from callsavvy_async.errors import InvalidRequestError

_AS_CSV = "save it as CSV (in Excel: 'CSV UTF-8')"
_FOREIGN = (
    (
        b"\xd0\xcf\x11\xe0",
        "an old Excel workbook (.xls), or one with a password",
        "save it as .xlsx without a password",
    ),
    (b"sqlite format 3", "an SQLite database", "export the rows as CSV"),
    (b"%pdf", "a PDF", "give the list that it was made from"),
    (b"{\\rtf", "a word processor's document", "save it as plain text"),
    (b"<!doctype", "a web page", _AS_CSV),
    (b"<html", "a web page", _AS_CSV),
    (b"<table", "a web page", _AS_CSV),
    (b"<?xml", "an XML document", _AS_CSV),
)


def refuse_foreign(beginning: bytes, name: str) -> None:
    """Raise `InvalidRequestError` for a file whose first bytes show another kind."""
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for magic, kind, fix in _FOREIGN:
        if text.startswith(magic):
            raise InvalidRequestError(f"{name} is {kind}, which is not supported; {fix}.")
