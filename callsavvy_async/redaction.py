"""Mask keys, phone numbers and personal text in reprs, logs and errors."""

from __future__ import annotations

import re

_LONG_NUMBER = re.compile(r"\+?\d(?:[\d\-() ]{4,}\d)")
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")

MASK = "***"
_SHOWN_OF_KEY = 4


def mask_number(number: str) -> str:
    """Return the first four and last two characters of a phone number (``+234********78``); other text is masked fully."""
    hidden = len(number) - 6
    if hidden <= 2 or any(c.isalpha() for c in number):  # noqa: PLR2004 - two stars hide too little
        return MASK
    return f"{number[:4]}{'*' * hidden}{number[-2:]}"


def mask_key(key: str) -> str:
    """Return the last four characters of a key (``***nbDY``); a short key is masked fully."""
    return f"{MASK}{key[-_SHOWN_OF_KEY:]}" if len(key) >= 4 * _SHOWN_OF_KEY else MASK


def mask_text(value: object) -> str:
    """Return the masked repr of a private field, which shows only whether it is empty."""
    return repr(value) if value is None or value in ("", ()) else MASK


def redact(text: str, *, keep: str = "") -> str:
    """Mask phone numbers and e-mail addresses in a foreign text, such as an API message or a URL.

    Args:
        text: the text.
        keep: a text whose numbers and addresses are no secret.
    """

    def masked(found: re.Match[str], mask: str) -> str:
        return found.group() if found.group() in keep else mask

    text = _EMAIL.sub(lambda found: masked(found, MASK), text)
    return _LONG_NUMBER.sub(lambda found: masked(found, mask_number(found.group())), text)
