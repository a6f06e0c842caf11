"""Read vCards (RFC 6350 and 2426, and version 2.1 of phones) as Google Contacts would export them.

Each card is one row. "Phone 1 - Value" has all numbers of the person, mobile ones first, as in that export.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator

from callsavvy_async.bulk.column_detection import GOOGLE_SEPARATOR, is_mobile
from callsavvy_async.bulk.file_lines import FileLines

_ESCAPE = re.compile(r"\\(.)")
_FIELD_BREAK = re.compile(r"(?<!\\);")
_PROPERTY = re.compile(r'((?:[^":]|"[^"]*")*):(.*)', re.DOTALL)
"""A property and its value. The value of a parameter may be quoted, and then hold a colon (RFC 6350, section 3.3)."""
_NAMES = ("Last Name", "First Name")
_SIMPLE = {"FN": "Name", "ORG": "Organization Name", "EMAIL": "E-mail 1 - Value"}
"""Column of each property that has one."""


def vcard_rows(lines: FileLines) -> Iterator[dict[str, str]]:
    """Yield a row for each card.

    Raises:
        InvalidRequestError: a card has no end, or a line is not part of a card.
    """
    card: _Card | None = None
    for number, line in _unfolded(lines):
        match line.strip().upper():
            case "":
                continue
            case "BEGIN:VCARD":
                card = _Card()
            case "END:VCARD" if card is not None:
                yield card.row()
                card = None
            case _ if card is not None:
                card.add(line)
            case _:
                raise lines.fault("the line is not part of a vCard; begin each card with BEGIN:VCARD.", line=number)
    if card is not None:
        raise lines.fault("the last vCard has no END:VCARD, so the file may be cut short; export the contacts again.")


class _Card:
    """The properties of one card that recipients need."""

    def __init__(self) -> None:
        self._fields = dict.fromkeys((*_NAMES, *_SIMPLE.values()), "")
        self._numbers: list[tuple[bool, str]] = []

    def add(self, line: str) -> None:
        """Read one property: ``group.NAME;PARAMETER=...:value``."""
        found = _PROPERTY.fullmatch(line)
        before, value = found.groups() if found else line.partition(":")[::2]
        name, _, parameters = before.partition(";")
        name = name.rpartition(".")[2].upper()
        value = _decoded(value, parameters.upper())
        if name == "TEL":
            self._numbers.append((is_mobile(parameters), value.partition(";")[0]))
        elif name == "N":
            self._fields.update(zip(_NAMES, map(_unescaped, _FIELD_BREAK.split(value)), strict=False))
        elif name in _SIMPLE and not self._fields[_SIMPLE[name]]:
            self._fields[_SIMPLE[name]] = _unescaped(value)

    def row(self) -> dict[str, str]:
        numbers = [number for _, number in sorted(self._numbers, key=lambda one: not one[0])]
        return {**self._fields, "Phone 1 - Value": f" {GOOGLE_SEPARATOR} ".join(numbers)}


def _unfolded(lines: FileLines) -> Iterator[tuple[int, str]]:
    """Join folded lines: the next one begins with a blank, or a quoted-printable one ends with an equals sign.

    Yields:
        The number of the first line, and the whole line.
    """
    number, whole = 0, ""
    for line in lines:
        text = line.rstrip("\r\n")
        if text[:1] in {" ", "\t"}:
            whole += text[1:]
        elif whole.endswith("=") and "QUOTED-PRINTABLE" in whole.upper():
            whole = whole[:-1] + text
        else:
            yield number, whole
            number, whole = lines.number, text
    yield number, whole


def _decoded(value: str, parameters: str) -> str:
    if "QUOTED-PRINTABLE" not in parameters:
        return value
    return quopri.decodestring(value.encode()).decode("utf-8", "replace")


def _unescaped(value: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found.group(1) in "nN" else found.group(1), value).strip()
