"""Read written phone numbers down to a plus sign and digits.

Blanks, dashes, dots, brackets of an area code, invisible marks, digits of other scripts and the text marks of spreadsheets are
accepted. Anything that might join two numbers is refused: an extension, a second number, or a short ending ("5678/9").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.redaction import MASK, mask_number

_BLANKS = " \t\u00a0\u2007\u2009\u202f"
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc\uff0d"
_NO_FILLERS = str.maketrans("", "", _BLANKS + _DASHES)
_NEITHER_DOTS = str.maketrans("[]", "()", _BLANKS + _DASHES + ".")
_LOOKALIKES = {"\uff0b": "+", "\uff08": "(", "\uff09": ")", "\uff3b": "[", "\uff3d": "]", "\uff0e": ".", "\uff0f": "/"}
_SPREADSHEET_MARKS = "='\"\u2018\u2019` "
_TEL = re.compile(r"tel:", re.IGNORECASE)

_DIGITS = re.compile(r"\+?[0-9]+")
_BODY = re.compile(r"(?:[0-9]|\([0-9]{1,5}\))*[0-9]{4}")
_AREA = re.compile(r"[0-9]{1,5}")
_BEHIND_SLASH = re.compile(r"[0-9]{5,}")
_COUNTRY = re.compile(r"\+(?:[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[0-9]{3})")
_CODE_AND_TRUNK = re.compile(r"\+?(?:00)?[1-9][0-9]{0,2}\(0\)")
_SCIENTIFIC = re.compile(r"\+?[0-9](?:[.,][0-9]+)?E\+?[0-9]+", re.IGNORECASE)
_DECIMAL = re.compile(r"\+?[0-9]{6,}\.(?:0+|[0-9]{1,2})")
_LONGEST_SHOWN = 40
_DATE = re.compile(
    r"(?:19|20)[0-9]{2}([-./])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12][0-9]|3[01])"
    r"|(?:0?[1-9]|[12][0-9]|3[01])([-./])(?:0?[1-9]|[12][0-9]|3[01])\2(?:19|20)[0-9]{2}"
)
"""2026-11-30, 30.11.2026 or 11/30/2026."""
_DIGITS_OF_DATE = 8


def read_digits(text: str) -> str:
    """Return the digits of a number, with its leading plus sign.

    A bracketed 0 after a country code, as in ``+234(0)801...``, stays, because the country's rule decides whether it belongs to
    the number.

    Raises:
        InvalidRequestError: the text is not a phone number. The error masks it.
    """
    bare = text.translate(_NO_FILLERS)
    if _DIGITS.fullmatch(bare) and len(bare) > _DIGITS_OF_DATE:
        return bare
    unmarked = _without_marks(text)
    if _DATE.fullmatch(unmarked):
        raise no_number(text, "it is a date; name the column of the phone numbers, or write the number with '+'.")
    bare = unmarked.translate(_NO_FILLERS)
    if _DIGITS.fullmatch(bare):
        return bare
    fault = _fault(unmarked)
    if fault is not None:
        raise no_number(text, fault)
    return _digits_of_groups(unmarked, text)


def no_number(text: str, why: str) -> InvalidRequestError:
    """Return the error for a text that is not a phone number in international format."""
    shown = text.strip()
    masked = mask_number(shown) if 0 < len(shown) <= _LONGEST_SHOWN and shown.isprintable() else MASK if shown else ""
    return InvalidRequestError(f"{masked!r} is not a phone number in international format: {why}")


def _without_marks(text: str) -> str:
    """Remove spreadsheet marks and ``tel:``, and convert the characters to ASCII."""
    text = text if text.isascii() else "".join(map(_in_ascii, text))
    text = text.strip().strip(_SPREADSHEET_MARKS)
    return text[4:] if _TEL.match(text) else text


def _in_ascii(char: str) -> str:
    if char.isascii():
        return char
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    match unicodedata.category(char):
        case "Cf":  # bidirectional and zero-width marks of copied numbers
            return ""
        case "Zs":
            return " "
        case _:
            return "-" if char in _DASHES else _LOOKALIKES.get(char, char)


def _digits_of_groups(unmarked: str, text: str) -> str:
    """Return the digits of a number with brackets, dots or a slash."""
    compact = unmarked.translate(_NEITHER_DOTS)
    if compact[:1] == "(" and compact[-1:] == ")" and compact.count("(") == 1:
        compact = compact[1:-1]
    if compact.startswith("(+"):
        compact = f"+({compact[2:]}"
    plus, body = ("+", compact[1:]) if compact[:1] == "+" else ("", compact)
    if "+" in body:
        raise no_number(text, "it holds a '+' in the middle, so it may be two numbers; give each number separately.")
    body = _joined_at_slash(plus, body, text)
    if not _BODY.fullmatch(body):
        raise no_number(text, "its brackets may hold digits that do not belong to it; write digits only.")
    trunk = _CODE_AND_TRUNK.match(plus + body)
    if trunk is None:
        return plus + _bare(body)
    return trunk.group() + _bare((plus + body)[trunk.end() :])


def _bare(grouped: str) -> str:
    return grouped.replace("(", "").replace(")", "")


def _joined_at_slash(plus: str, body: str, text: str) -> str:
    """Return a number without the slash behind its area code."""
    area, slash, rest = body.partition("/")
    if not slash:
        return body
    national = _COUNTRY.sub("", plus + area, count=1) if plus else area
    if not (_AREA.fullmatch(_bare(national)) and _BEHIND_SLASH.fullmatch(rest)):
        raise no_number(text, "it holds a slash, so it may be two numbers; give each number separately.")
    return area + rest


_FAULTS: tuple[tuple[Callable[[str], object], str], ...] = (
    (lambda text: not text, "it is blank; give a number."),
    (
        _SCIENTIFIC.fullmatch,
        "a spreadsheet rounded it to scientific notation, which lost digits; format the column as text.",
    ),
    (
        lambda text: _DECIMAL.fullmatch(text.translate(_NO_FILLERS)),
        "a program stored it as a decimal number, as in '.0'; store the column as text.",
    ),
    (
        re.compile(r"[,;\n\r]").search,
        (
            "it holds a comma, a semicolon or a line end, so it may be two numbers or an extension; give each number"
            " separately."
        ),
    ),
    (
        lambda text: any(map(str.isalpha, text)),
        "it holds letters; write digits only, as in +2348012345678, without an extension.",
    ),
    (lambda text: not any(map(str.isdecimal, text)), "it holds no digits; give a number."),
)
"""Faults of a text. The first that is found counts."""


def _fault(text: str) -> str | None:
    """Return the fault of a text, or None if its characters may form a number."""
    for is_found, fault in _FAULTS:
        if is_found(text):
            return fault
    strange = next((char for char in text if char not in "+0123456789 \t()[]./-"), None)
    return None if strange is None else f"it holds {strange!a}, which is not part of a number; remove it."
