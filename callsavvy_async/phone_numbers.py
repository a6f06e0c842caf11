"""One form of a phone number for everything: ``+``, the country code, and the national number (ITU-T E.164).

A person must not have two numbers: who is known by one would be sent to by the other. Most numbers are in their form
already. Some may not be: ``+234 0801...`` holds the 0 that is dialled within Nigeria, while that of ``+225 07...`` belongs to
the number. Each country has its own rule. The numbering plans of the extra ``phone`` know them all, and their form is used
where it is installed; without it, a zero in brackets is dropped where the country dials one, and a bare one is refused.

Beyond that only the shape is checked: 6 to 15 digits (quirk Q43). The API document's own samples are not valid numbers, so
validity is asked by those who want it.
"""

from __future__ import annotations

import re

from callsavvy_async.phone_text import no_number, read_digits

_DIALS_ZERO = (
    "2(?:[07]|1[1-38]|3[1-4]|4[39]|5[0-24-6]|6[0-5]|91)|3(?:[1-36]|5[3589]|7[03-57]|8[0-35-79])|4(?:[013469]|2[13])"
    "|5(?:[13-578]|08|9[013-68])|6(?:[0-46]|86)|8(?:[1246]|5[056]|8[06])|9(?:[0-58]|6[1-467]|7[0-267]|9[4-6])"
)
"""The country codes of those who dial a 0 before national numbers, a prefix that E.164 leaves out."""
_OTHER_PREFIXES = (
    "11|2(?:410|61[24-9]|9810)|3(?:5215|708|758|78[89])|4(?:4180|231001)|5(?:4|590|0619)|6(?:1183|72|921)|78"
    "|861(?:[12]|79)|9938"
)
"""Code and first digits of what the numbering plans may write otherwise for another reason, as the 8 of Russia."""
_SHAPE = re.compile(r"\+[1-9][0-9]{5,14}")
_TRUNK_ZERO = re.compile(rf"\+(?:{_DIALS_ZERO})0")
_CERTAIN = re.compile(rf"\+(?!(?:{_DIALS_ZERO})0|{_OTHER_PREFIXES})[1-9][0-9]{{5,14}}")
"""Numbers of which no numbering plan makes others."""


def normalise_number(text: str) -> str:
    """Read what people write as the one form of a number.

    Raises:
        InvalidRequestError: naming the number (masked), the rule and the fix.
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
    """Whether a number that can be read has neither ``+`` nor ``00``, so that nothing says that it is international."""
    return text[:1] != "+" and read_digits(text)[0] not in "+0"


def canonical(number: str, text: str) -> str:
    """Return the one form of a number that is written with ``+`` and digits.

    Args:
        number: it may hold a bracketed zero behind the country code.
        text: what it was read from, for the error.

    Raises:
        InvalidRequestError: it has no such form, or its country's rule is not known.
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
            else f"it has {digits} digits; 6 to 15 are possible.",
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
        except phonenumbers.NumberParseException:  # no such country code: nobody has another form of it
            return number
        found = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        if phonenumbers.is_valid_number(parsed):
            return found
        if not _SHAPE.fullmatch(found) or phonenumbers.parse(found) != parsed:
            raise no_number(text, "the digits behind its country code are not those of a number.")
    if _TRUNK_ZERO.match(found):
        raise no_number(
            text,
            "behind its country code stands a 0, which is dialled within the country only; leave it out"
            " (the extra phone knows each country's rule).",
        )
    return found
