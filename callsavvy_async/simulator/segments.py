"""Count the SMS segments of a text by the "standard GSM SMS pagination rules" of sendSMS.

A text in the GSM 7-bit alphabet (3GPP TS 23.038, 6.2.1) has 160 septets in a single message, or 153 in each part of a
longer one, whose header takes seven. A character of the extension table takes two septets. Any other text is UCS-2: 70
code units, or 67 in each part. A part never begins in the middle of a character.
"""

from __future__ import annotations

from functools import lru_cache

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_LAST_OF_BMP = 0xFFFF
"""Last code point that takes one UTF-16 code unit."""
_EXTENSION = frozenset("\f^{}\\[~]|€")


@lru_cache(maxsize=128)
def segments(text: str) -> int:
    """Return the number of SMS for a text, which is 1 for an empty text."""
    if _BASIC.issuperset(text):
        return _parts([1] * len(text), single=160, joined=153)
    if (_BASIC | _EXTENSION).issuperset(text):
        return _parts([2 if char in _EXTENSION else 1 for char in text], single=160, joined=153)
    return _parts([2 if ord(char) > _LAST_OF_BMP else 1 for char in text], single=70, joined=67)


def _parts(sizes: list[int], *, single: int, joined: int) -> int:
    """Return the number of parts, filled greedily with characters of these sizes."""
    if sum(sizes) <= single:
        return 1
    parts, room = 1, joined
    for size in sizes:
        if size > room:
            parts, room = parts + 1, joined
        room -= size
    return parts
