"""The canary of a campaign: its first recipients, who get the message before everybody else.

Theory:

1. Cut. The canary shares no chunk with other recipients. The first run stores the number of its last chunk, before any
   chunk changes.
2. Confinement. Until the canary is over, runs claim chunks up to that number only. What ends it is a command in the log
   (`journal/commands.py`), so it is durable, and holds for every process, as any pause or stop does.
3. Verdict. The run that finds none of its chunks pending, claimed or in flight compares failed and rejected recipients with
   all who were answered. Unknown outcomes count for neither.
"""

from __future__ import annotations

import enum

import attrs

from callsavvy_async.campaigns.journal import commands, schema
from callsavvy_async.campaigns.journal.commands import Action
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.runs import process_name
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.spec import AfterCanary, CampaignSettings
from callsavvy_async.campaigns.states import State

_ACTIONS: dict[AfterCanary, tuple[Action, str]] = {
    "continue": (Action.SET, commands.PASSED),
    "pause": (Action.PAUSE, commands.HELD),
    "stop": (Action.STOP, commands.ENOUGH),
}
_SIZES = "SELECT number, recipients FROM chunk WHERE campaign = ? ORDER BY number LIMIT ?"
_CHUNKS = """SELECT count(CASE WHEN state IN (?, ?) THEN 1 END), count(CASE WHEN state = ? AND number <= ? THEN 1 END),
    count(CASE WHEN state = ? AND number > ? THEN 1 END) FROM chunk WHERE campaign = ?"""
"""A half of a split chunk has a number beyond the last one, but only the canary's can be claimed or in flight."""
_ANSWERED = """SELECT state, CAST(sum(recipients) AS BIGINT) FROM chunk
    WHERE campaign = ? AND state IN (?, ?, ?) GROUP BY state"""


class Progress(enum.Enum):
    """What a run that finds nothing to claim does."""

    BUSY = "some requests are not settled yet"
    STUCK = "this run cannot send the rest of the canary, or no recipient follows it"
    OVER = "everybody else follows"


@attrs.frozen
class Canary:
    """A canary that is not over.

    Attributes:
        writer: writer of the journal.
        campaign: id of the campaign.
        settings: settings of the campaign.
        last: number of its last chunk.
    """

    writer: Writer
    campaign: int
    settings: CampaignSettings
    last: int

    async def conclude(self) -> Progress:
        """Record its end, once all of its requests are settled and others follow."""
        progress, action, outcome = await self.writer.run(self._judge)
        if progress is not Progress.OVER:
            return progress

        def record(cursor: Cursor) -> None:
            commands.conclude_canary(cursor, self.campaign, process_name(), action, outcome)

        await self.writer.run(lambda cursor: self.writer.database.steer(cursor, record), alone=True)
        return progress

    def _judge(self, cursor: Cursor) -> tuple[Progress, Action, str]:
        """Return its progress, and the command that ends it with its outcome in words."""
        held, left, more = cursor.execute(
            _CHUNKS, (State.CLAIMED, State.IN_FLIGHT, State.PENDING, self.last, State.PENDING, self.last, self.campaign)
        ).fetchone()
        action, outcome = self._verdict(cursor)
        return Progress.BUSY if held else Progress.STUCK if left or not more else Progress.OVER, action, outcome

    def _verdict(self, cursor: Cursor) -> tuple[Action, str]:
        states = (State.ACCEPTED, State.FAILED, State.REJECTED)
        answered: dict[str, int] = dict(cursor.execute(_ANSWERED, (self.campaign, *states)).fetchall())
        total = sum(answered.values())
        failures = total - answered.get(State.ACCEPTED, 0)
        action, word = _ACTIONS[self.settings.after_canary]
        if action is not Action.STOP and failures > self.settings.max_failures * total:
            action, word = Action.STOP, commands.FAILED
        return action, f"{word}: {failures:,} of {total:,} not accepted"


def canary_of(cursor: Cursor, writer: Writer, campaign: int, settings: CampaignSettings) -> Canary | None:
    """Return the canary of a campaign; None if it has none, or if it is over. Use a transaction that locks the campaign."""
    if settings.canary is None or commands.current(cursor, campaign).canary_over:
        return None
    name = f"canary {campaign}"
    stored = schema.fact(cursor, name)
    if stored is not None:
        return Canary(writer, campaign, settings, int(stored))
    last, people = 0, 0
    for number, recipients in cursor.execute(_SIZES, (campaign, settings.canary)).fetchall():
        if people < settings.canary:
            last, people = number, people + recipients
    schema.set_fact(cursor, name, str(last))
    return Canary(writer, campaign, settings, last)
