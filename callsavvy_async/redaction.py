"""Masks for what must never be read in a repr, a log line or an error: keys, phone numbers, personal text."""

from __future__ import annotations

import re

_LONG_NUMBER = re.compile(r"\+?\d(?:[\d\-() ]{4,}\d)")
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")

MASK = "***"


def mask_number(number: str) -> str:
    """Show the first four and the last two characters of a phone number: ``+234********78``; of other text nothing."""
    hidden = len(number) - 6
    if hidden <= 2 or any(c.isalpha() for c in number):  # noqa: PLR2004 - two stars would hide next to nothing
        return MASK
    return f"{number[:4]}{'*' * hidden}{number[-2:]}"


def mask_text(value: object) -> str:
    """Say whether there is a value without saying which; the ``repr`` of every private field."""
    return repr(value) if value is None or value in ("", ()) else MASK


def redact(text: str) -> str:
    """Mask what looks like a phone number or an e-mail address in a text that others wrote (an API message, a URL)."""
    return _LONG_NUMBER.sub(lambda found: mask_number(found.group()), _EMAIL.sub(MASK, text))
