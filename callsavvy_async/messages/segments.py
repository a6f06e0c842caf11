"""Count the segments of an SMS text ("Standard GSM SMS pagination rules applies", API document, "Send SMS Message").

Theory:

1. One short message carries 140 bytes.
2. GSM-7: if all characters are in the GSM 7-bit default alphabet or its extension table (3GPP TS 23.038, 6.2.1 and 6.2.1.1),
   160 septets fit a message. A character of the extension table takes two septets.
3. UCS-2: otherwise the whole text takes 16-bit units, 70 to a message. A character past U+FFFF takes two (a surrogate pair).
4. A longer text is split into parts (3GPP TS 23.040, 9.2.3.24.1). Their headers of six bytes leave 153 septets or 67 units.
   Characters of two units are never split between parts.

For example, 161 plain letters take two segments; with one "ş", 71 characters do.
Networks and aggregators ignore the national language tables (TS 23.038, annex A), and so does this module.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM_7 = _BASIC | _EXTENSION

_REPLACEMENTS: Mapping[str, str] = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4`", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    **dict.fromkeys("\t\u00a0\u2002\u2003\u2007\u2009\u200a\u202f\u3000", " "),
    **dict.fromkeys("\u00ad\u200b\u2060\ufeff", ""),
    "\u2022": "-",
    "\u2026": "...",
    "\u20a6": "NGN",
    "\u2122": "TM",
}
_TRANSLATION = str.maketrans(dict(_REPLACEMENTS))


class Encoding(enum.Enum):
    """Encoding of a short message (3GPP TS 23.038)."""

    GSM_7 = "GSM-7"
    """Septets: 160 in a single message, 153 in each part of a longer one."""
    UCS_2 = "UCS-2"
    """16-bit units: 70 in a single message, 67 in each part of a longer one."""


_ROOM = {Encoding.GSM_7: (160, 153), Encoding.UCS_2: (70, 67)}


@attrs.frozen
class Segments:
    """The size of one SMS text.

    Attributes:
        encoding: GSM-7 or UCS-2.
        units: Septets (GSM-7) or 16-bit units (UCS-2).
        segments: Number of short messages, each of which is charged.
        left_in_last: Units left in the last segment.
        forced_by: The distinct characters that force UCS-2, in the order of the text.
        replacements: GSM-7 replacement for each of these characters that has one.
    """

    encoding: Encoding
    units: int
    segments: int
    left_in_last: int
    forced_by: tuple[str, ...] = ()
    replacements: Mapping[str, str] = attrs.field(factory=dict[str, str], hash=False)


def count_segments(text: str) -> Segments:
    """Count the segments of an SMS text. A blank text counts as one segment, although the API rejects it."""
    if _GSM_7.issuperset(text):
        encoding = Encoding.GSM_7
        sizes = [2 if char in _EXTENSION else 1 for char in text]
        forced_by: tuple[str, ...] = ()
    else:
        encoding = Encoding.UCS_2
        sizes = [2 if char > "\uffff" else 1 for char in text]
        forced_by = tuple(dict.fromkeys(char for char in text if char not in _GSM_7))
    segments, left = _fill(sizes, *_ROOM[encoding])
    replacements = {char: _REPLACEMENTS[char] for char in forced_by if char in _REPLACEMENTS}
    return Segments(encoding, sum(sizes), segments, left, forced_by, replacements)


def replace_ucs2(text: str) -> str:
    """Replace typographic characters by GSM-7 ones of the same meaning: quotes, dashes, blanks, dots, some signs.

    Letters stay unchanged, because an accent can distinguish words and names.
    """
    return text.translate(_TRANSLATION)


def _fill(sizes: list[int], whole: int, part: int) -> tuple[int, int]:
    """Return the number of segments for characters of these sizes, and the units left in the last one."""
    units = sum(sizes)
    if units <= whole:
        return 1, whole - units
    segments, left = 1, part
    for size in sizes:
        if size > left:
            segments, left = segments + 1, part
        left -= size
    return segments, left
