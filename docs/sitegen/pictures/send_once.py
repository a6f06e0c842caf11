"""A request with a key: who writes what, and when."""

from __future__ import annotations

from sitegen.pictures.svg import LINE, SOFT, Sheet

_ACTORS = {"code": (120, "your code"), "journal": (390, "the journal"), "api": (650, "the API")}
_STEPS = (
    ("code", "journal", "look up the key"),
    ("journal", "code", "no row"),
    ("code", "code", "waits for the rate limit: a kill here leaves nothing behind"),
    ("code", "journal", 'row "in flight", committed'),
    ("code", "api", "POST"),
    ("api", "code", "response"),
    ("code", "journal", 'row "accepted", with the response'),
)


def draw() -> str:
    """Draw the steps from top to bottom."""
    sheet = Sheet(760, 350, "A request with a key: the journal is written before the first byte leaves")
    for x, name in _ACTORS.values():
        sheet.line([(x, 50), (x, 336)], dashed=True)
        sheet.box((x - 75, 14), (150, 36), [name], colour=LINE)
    for number, (start, end, words) in enumerate(_STEPS):
        y = 88 + number * 38
        if start == end:
            sheet.box((_ACTORS[start][0] - 14, y - 22), (385, 28), [words], colour=LINE, text_size=12)
            continue
        there, back = _ACTORS[end][0], _ACTORS[start][0]
        gap = 4 if there > back else -4
        sheet.arrow((back, y), (there - gap, y), dashed=start != "code")
        sheet.text(((min(there, back) + 14), y - 6), words, size=11.5, colour=SOFT, anchor="start")
    return sheet.svg()
