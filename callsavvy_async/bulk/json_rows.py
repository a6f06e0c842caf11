"""Read rows of JSON: one a line, or all in one array."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import cast

from callsavvy_async.bulk.file_lines import LONGEST_LINE, FileLines
from callsavvy_async.errors import InvalidRequestError

# Numbers stay text, so that spoilt phone numbers (2.3e12, 2348012345678.0) are recognised later.
_decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=lambda _: "")
_BLANK = re.compile(r"\s*")


def json_rows(lines: FileLines) -> Iterator[str | dict[str, str]]:
    """Yield the rows, each an object or a string.

    Raises:
        InvalidRequestError: a row is not valid. The error names the line and the rule.
    """
    if (lines.skip_to_content() or "").lstrip().startswith("["):
        yield from _rows_of_array(_Window(lines))
        return
    for line in lines:
        if line.strip():
            try:
                value: object = _decoder.decode(line.strip())
            except (ValueError, RecursionError):
                raise lines.fault(
                    "the line is not valid JSON; write one object or one string a line, or one array of them."
                ) from None
            row = _as_row(value)
            if row is None:
                raise lines.fault("the line is neither an object nor a string; write one recipient a line.")
            yield row


class _Window:
    """A moving window over the text of an array, in constant memory."""

    def __init__(self, lines: FileLines) -> None:
        self._lines = lines
        self._line = lines.number + 1
        self._blocks = lines.blocks()
        self._text = ""
        self._at = 0

    def peek(self) -> str:
        """Skip blanks and return the next character, without consuming it; "" at the end."""
        while True:
            blank = _BLANK.match(self._text, self._at)
            self._at = self._at if blank is None else blank.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_on():
                return ""

    def skip(self) -> None:
        """Skip one character."""
        self._at += 1

    def value(self) -> object:
        """Read the next value."""
        while True:
            with suppress(ValueError, RecursionError):
                value, end = _decoder.raw_decode(self._text, self._at)
                if end < len(self._text):  # a number at the end of the block may be incomplete
                    self._at = end
                    return cast("object", value)
            if len(self._text) - self._at > LONGEST_LINE or not self._read_on():
                raise self.fault(
                    "an entry of the array is not valid JSON, or longer than 1 MiB; write texts in double quotes, or the file"
                    " again."
                )

    def fault(self, rule: str) -> InvalidRequestError:
        """Return the error for the current line."""
        return self._lines.fault(rule, line=self._line + self._text.count("\n", 0, self._at))

    def _read_on(self) -> bool:
        block = next(self._blocks, "")
        self._line += self._text.count("\n", 0, self._at)
        self._text, self._at = self._text[self._at :] + block, 0
        return bool(block)


def _rows_of_array(window: _Window) -> Iterator[str | dict[str, str]]:
    window.peek()
    window.skip()
    between = "]" if window.peek() == "]" else ","
    while between == ",":
        row = _as_row(window.value())
        if row is None:
            raise window.fault("an entry of the array is neither an object nor a string; write one recipient an entry.")
        yield row
        between = window.peek()
        if between not in {",", "]"}:
            raise window.fault("a comma or the closing bracket is missing after an entry of the array; add it.")
        if between == ",":
            window.skip()
            window.peek()
    window.skip()
    if window.peek():
        raise window.fault("there is text after the array; write one array, or one object a line.")


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
