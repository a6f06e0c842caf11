"""Rows of JSON: one a line, or all in one array, as `json.dump` and most services write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import cast

from callsavvy_async.bulk.file_lines import LONGEST_LINE, FileLines
from callsavvy_async.errors import InvalidRequestError

# Numbers stay as they are written: 2.3e12 and 2348012345678.0 must be seen for what they are.
_decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=lambda _: "")
_BLANK = re.compile(r"\s*")


def json_rows(lines: FileLines) -> Iterator[str | dict[str, str]]:
    """Yield the rows, each an object or a text.

    Raises:
        InvalidRequestError: naming the line and the rule.
    """
    if (lines.skip_to_content() or "").lstrip().startswith("["):
        yield from _rows_of_array(_Window(lines))
        return
    for line in lines:
        if line.strip():
            try:
                value: object = _decoder.decode(line.strip())
            except (ValueError, RecursionError):
                raise lines.fault("it is no JSON; write one object or one text a line.") from None
            row = _as_row(value)
            if row is None:
                raise lines.fault("it is neither an object nor a text; write one recipient a line.")
            yield row


class _Window:
    """A moving view on the text of an array; memory does not grow with it."""

    def __init__(self, lines: FileLines) -> None:
        self._lines = lines
        self._line = lines.number + 1
        self._blocks = lines.blocks()
        self._text = ""
        self._at = 0

    def peek(self) -> str:
        """Pass over blanks and return the next character, nothing at the end."""
        while True:
            blank = _BLANK.match(self._text, self._at)
            self._at = self._at if blank is None else blank.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_on():
                return ""

    def pass_over(self) -> None:
        """Pass over one character."""
        self._at += 1

    def value(self) -> object:
        """Read the value that begins here."""
        while True:
            with suppress(ValueError, RecursionError):
                value, end = _decoder.raw_decode(self._text, self._at)
                if end < len(self._text):  # a number at the edge may go on behind it
                    self._at = end
                    return cast("object", value)
            if len(self._text) - self._at > LONGEST_LINE or not self._read_on():
                raise self.fault("an entry of the array is no JSON, or longer than 1 MiB.")

    def fault(self, rule: str) -> InvalidRequestError:
        """Make the error for where it stands."""
        return self._lines.fault(rule, line=self._line + self._text.count("\n", 0, self._at))

    def _read_on(self) -> bool:
        block = next(self._blocks, "")
        self._line += self._text.count("\n", 0, self._at)
        self._text, self._at = self._text[self._at :] + block, 0
        return bool(block)


def _rows_of_array(window: _Window) -> Iterator[str | dict[str, str]]:
    window.peek()
    window.pass_over()
    between = "]" if window.peek() == "]" else ","
    while between == ",":
        row = _as_row(window.value())
        if row is None:
            raise window.fault("an entry of the array is neither an object nor a text.")
        yield row
        between = window.peek()
        if between not in {",", "]"}:
            raise window.fault("between two entries of the array, or at its end, a comma or bracket is missing.")
        if between == ",":
            window.pass_over()
            window.peek()
    window.pass_over()
    if window.peek():
        raise window.fault("something stands behind the array; write one array, or one object a line.")


def _as_row(value: object) -> str | dict[str, str] | None:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return {name: _as_text(field) for name, field in cast("dict[str, object]", value).items()}
    return None


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
