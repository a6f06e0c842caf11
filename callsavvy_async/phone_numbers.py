"""Normalise phone numbers to ``+``, country code and national number (ITU-T E.164).

A number must have exactly one form, or duplicates and suppressed numbers would slip through. Some written forms are ambiguous:
the 0 of ``+234 0801...`` is dialled only within Nigeria, but the 0 of ``+225 07...`` belongs to the number. Each country has
its own rule:

- With the extra ``phone``, its numbering plans decide.
- Without it, a bracketed 0 is dropped in countries that dial one, and a bare 0 is refused there.

Otherwise only the shape is checked: 6 to 15 digits. The numbers in the API document's samples are not valid, so stricter
checks are optional (`validate=`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from callsavvy_async.phone_text import no_number, read_digits
from callsavvy_async.wording import quantity

_DIALS_ZERO = (
    "2(?:[07]|1[1-38]|3[1-4]|4[39]|5[0-24-6]|6[0-5]|91)|3(?:[1-36]|5[3589]|7[03-57]|8[0-35-79])|4(?:[013469]|2[13])"
    "|5(?:[13-578]|08|9[013-68])|6(?:[0-46]|86)|8(?:[1246]|5[056]|8[06])|9(?:[0-58]|6[1-467]|7[0-267]|9[4-6])"
)
"""Codes of the countries that dial a 0 before national numbers, which E.164 omits."""
_OTHER_PREFIXES = (
    "11|2(?:410|61[24-9]|9810)|3(?:5215|708|758|78[89])|4(?:4180|231001)|5(?:4|590|0619)|6(?:1183|72|921)|78"
    "|861(?:[12]|79)|9938"
)
"""First digits of numbers that the numbering plans may rewrite for other reasons, such as the 8 of Russia."""
_SHAPE = re.compile(r"\+[1-9][0-9]{5,14}")
_TRUNK_ZERO = re.compile(rf"\+(?:{_DIALS_ZERO})0")
_CERTAIN = re.compile(rf"\+(?!(?:{_DIALS_ZERO})0|{_OTHER_PREFIXES})[1-9][0-9]{{5,14}}")
"""Numbers that the numbering plans never rewrite."""
_ALL_CERTAIN = re.compile(rf"(?:{_CERTAIN.pattern}\n)*+")


def are_certain(numbers: Sequence[str]) -> bool:
    """Return whether all texts are numbers in their normalised form, whatever the numbering plans say."""
    joined = "\n".join((*numbers, ""))
    return joined.count("\n") == len(numbers) and _ALL_CERTAIN.fullmatch(joined) is not None


def normalise_number(text: str) -> str:
    """Return the normalised form of a written number.

    Raises:
        InvalidRequestError: the text is not an international phone number. The error masks it.
    """
    if _CERTAIN.fullmatch(text):
        return text
    written = read_digits(text)
    if written.startswith("00"):
        written = f"+{written[2:]}"
    elif written.startswith("0"):
        raise no_number(text, "write it with '+' and the country code, as in +2348012345678.")
    return canonical(written if written.startswith("+") else f"+{written}", text)


def lacks_country_code(text: str) -> bool:
    """Return whether a valid number has neither ``+`` nor ``00``, so that it may not be international."""
    return text[:1] != "+" and read_digits(text)[0] not in "+0"


def canonical(number: str, text: str) -> str:
    """Return the normalised form of ``+`` and digits.

    Args:
        number: ``+`` and digits, perhaps with a bracketed 0 after the country code.
        text: the original text, for the error.

    Raises:
        InvalidRequestError: the number is not valid, or needs the extra ``phone``.
    """
    code, bracketed, rest = number.partition("(0)")
    if bracketed:
        number = code + rest if _TRUNK_ZERO.fullmatch(f"{code}0") else f"{code}0{rest}"
    if _CERTAIN.fullmatch(number):
        return number
    if not _SHAPE.fullmatch(number):
        digits = len(number) - 1
        raise no_number(
            text,
            "write it with '+' and the country code, as in +2348012345678."
            if number[1:2] == "0"
            else f"it has {quantity(digits, 'digit')}; it must have 6 to 15.",
        )
    return _by_numbering_plan(number, text)


def _by_numbering_plan(number: str, text: str) -> str:
    try:
        import phonenumbers  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        found = number
    else:
        try:
            parsed = phonenumbers.parse(number)
        except phonenumbers.NumberParseException:  # unknown country code, so there is no other form
            return number
        found = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        if phonenumbers.is_valid_number(parsed):
            return found
        if not _SHAPE.fullmatch(found) or phonenumbers.parse(found) != parsed:
            raise no_number(text, "the digits after its country code are not a number of that country; correct them.")
    if _TRUNK_ZERO.match(found):
        raise no_number(
            text,
            "the 0 after its country code is dialled only within the country; leave it out, or install the phone extra,"
            " which has the rule of each country.",
        )
    return found
