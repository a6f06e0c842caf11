"""Mask keys, phone numbers and personal text in reprs, logs and errors."""

from __future__ import annotations

import re

_LONG_NUMBER = re.compile(r"\+?\d(?:[\d\-() ]{4,}\d)")
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")

MASK = "***"


def mask_number(number: str) -> str:
    """Return the first four and last two characters of a phone number (``+234********78``); other text is masked fully."""
    hidden = len(number) - 6
    if hidden <= 2 or any(c.isalpha() for c in number):  # noqa: PLR2004 - two stars hide too little
        return MASK
    return f"{number[:4]}{'*' * hidden}{number[-2:]}"


def mask_text(value: object) -> str:
    """Return the masked repr of a private field, which shows only whether it is empty."""
    return repr(value) if value is None or value in ("", ()) else MASK


def redact(text: str) -> str:
    """Mask phone numbers and e-mail addresses in a foreign text, such as an API message or a URL."""
    return _LONG_NUMBER.sub(lambda found: mask_number(found.group()), _EMAIL.sub(MASK, text))
