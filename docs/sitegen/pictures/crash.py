"""A campaign whose process is killed: the chunks in the journal, at five moments."""

from __future__ import annotations

from callsavvy_async.campaigns.states import State
from sitegen.pictures.svg import AMBER, BLUE, FILLS, LINE, SOFT, TEAL, Sheet

P, F, A, U = State.PENDING, State.IN_FLIGHT, State.ACCEPTED, State.UNKNOWN
MOMENTS: tuple[tuple[str, str, tuple[State, ...]], ...] = (
    ("loaded", "each chunk is|in the journal", (P,) * 12),
    ("sending", "a row before|each first byte", (A, A, A, F, F, F, P, P, P, P, P, P)),
    ("kill -9", "the journal|stays as it was", (A, A, A, A, F, F, F, P, P, P, P, P)),
    ("opened again", "in flight|becomes unknown", (A, A, A, A, U, U, U, P, P, P, P, P)),
    ("resumed", "only pending|chunks are sent", (A, A, A, A, U, U, U, A, A, A, A, A)),
)
COLOURS = {P: LINE, F: BLUE, A: TEAL, U: AMBER}


def draw() -> str:
    """Draw a column of chunks for each moment."""
    sheet = Sheet(760, 330, "The chunks of a campaign before and after its process is killed")
    for column, (title, text, states) in enumerate(MOMENTS):
        x = 18 + column * 148
        sheet.text((x + 66, 30), title, size=14, bold=True)
        for line, words in enumerate(text.split("|")):
            sheet.text((x + 66, 47 + 14 * line), words, size=11.5, colour=SOFT)
        for number, state in enumerate(states):
            at = (x + 18 + number % 3 * 33, 76 + number // 3 * 33)
            sheet.rectangle(at, (29, 29), fill=FILLS[COLOURS[state]], stroke=COLOURS[state], radius=3)
            sheet.text((at[0] + 14.5, at[1] + 19), str(number + 1), size=11, colour=SOFT)
        if column:
            sheet.arrow((x - 14, 140), (x + 10, 140))
    for number, state in enumerate((P, F, A, U)):
        at = (70 + number * 165, 236)
        sheet.rectangle(at, (16, 16), fill=FILLS[COLOURS[state]], stroke=COLOURS[state], radius=3)
        sheet.text((at[0] + 24, at[1] + 13), state.value.replace("_", " "), size=12.5, anchor="start")
    sheet.text(
        (380, 286), "Chunks 5, 6 and 7 may have reached their recipients, and the API has no way to ask.", size=12.5
    )
    sheet.text((380, 308), "They are never sent again by themselves. A person, or the balance, decides.", size=12.5)
    return sheet.svg()
