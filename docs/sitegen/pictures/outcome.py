"""The questions that decide the outcome of an attempt, as a diagram."""

from __future__ import annotations

from sitegen.pictures.svg import AMBER, BLUE, LINE, RED, TEAL, Sheet

_QUESTIONS = (
    ("Did a byte of the body leave this process?", "no", ("NOT_SENT", "retried"), BLUE),
    ("Is there a complete response?", "no", ("UNKNOWN", "read: retried · write, spend: never"), AMBER),
    ("Does it prove that the API did nothing?", "yes", ("REJECTED", "429 and 503 with Retry-After: retried"), RED),
    ("Is it a 2xx that says success?", "yes", ("ACCEPTED", "returned"), TEAL),
)
_PROOFS = "4xx · 429 · 503 with envelope and Retry-After · 307, 308 · 2xx that says error"


def draw() -> str:
    """Draw the questions from top to bottom, and the outcome of each to its right."""
    sheet = Sheet(760, 420, "How the outcome of an attempt is decided")
    sheet.box((30, 16), (330, 40), ["One attempt"])
    for number, (question, answer, outcome, colour) in enumerate(_QUESTIONS):
        y = 86 + number * 76
        sheet.arrow((195, y - 30 if number == 0 else y - 36), (195, y))
        if number:
            other = "yes" if _QUESTIONS[number - 1][1] == "no" else "no"
            sheet.text((208, y - 12), other, size=11.5, anchor="start")
        sheet.box((30, y), (330, 40), [question], colour=LINE)
        sheet.arrow((360, y + 20), (440, y + 20), label=answer)
        sheet.box((440, y - 4), (300, 48), outcome, colour=colour)
    y = 86 + 3 * 76
    sheet.arrow((195, y + 40), (195, y + 76), (440, y + 76))
    sheet.text((208, y + 62), "no: a gateway's page, a 5xx, HTML", size=11.5, anchor="start")
    sheet.box((440, y + 52), (300, 48), _QUESTIONS[1][2], colour=AMBER)
    return sheet.svg()
