"""Phone numbers in the shape that the API takes: ``+`` and 6 to 15 digits (ITU-T E.164; quirk Q43).

Only the shape is checked. The API document's own samples are not valid numbers, so validity is a question for the
``phone`` extra, asked by those who want it.
"""

from __future__ import annotations

import re

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.redaction import mask_number

_FILLERS = str.maketrans("", "", " \t\u00a0\u2007\u202f\u200e\u200f\u202a\u202c-\u2010\u2011\u2012\u2013().[]/")
_SHAPE = re.compile(r"\+[1-9][0-9]{5,14}")
_SCIENTIFIC = re.compile(r"\+?\d(?:[.,]\d+)?[eE]\+?\d+")
_DECIMAL = re.compile(r"\+?\d{6,}\.0+")


def normalise_number(text: str) -> str:
    """Strip what people write between digits, turn a leading ``00`` into ``+``, and check the shape.

    Raises:
        InvalidRequestError: naming the number (masked), the rule and the fix.
    """
    if _SHAPE.fullmatch(text):
        return text
    number = strip_fillers(text)
    if number.startswith("00"):
        number = f"+{number[2:]}"
    elif number[:1].isdecimal() and number[0] != "0":
        number = f"+{number}"
    if _SHAPE.fullmatch(number):
        return number
    raise InvalidRequestError(f"{mask_number(text.strip())!r} is no phone number in international format: {_why(text)}")


def strip_fillers(text: str) -> str:
    """Remove blanks, dashes, dots, slashes, brackets and invisible marks, but leave a decimal number as it is.

    In ``2348012345678.0`` the point is no filler: without it the number would be another person's.
    """
    return text if _DECIMAL.fullmatch(text.strip()) else text.translate(_FILLERS)


def _why(text: str) -> str:
    if not text.strip():
        return "it is blank."
    if _SCIENTIFIC.fullmatch(text.strip()):
        return (
            "a spreadsheet rounded it to scientific notation and its last digits are lost; format the column as text."
        )
    if _DECIMAL.fullmatch(text.strip()):
        return "a program made a decimal number of it, which ends in '.0'; write the column as text."
    if "," in text or ";" in text:
        return "it holds a comma or semicolon, which would make two recipients of it; give each number by itself."
    digits = sum(c.isdecimal() for c in text)
    if any(c.isalpha() for c in text):
        return "it holds letters; write digits only, as in +2348012345678."
    if not 6 <= digits <= 15:  # noqa: PLR2004 - E.164
        return f"it has {digits} digits; 6 to 15 are possible."
    return "write it with '+' and the country code, as in +2348012345678."
