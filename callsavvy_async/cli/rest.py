"""What is left of a campaign, as ``campaigns resume`` shows it before it asks."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from callsavvy_async.bulk.plan import Plan
from callsavvy_async.campaigns import Campaign, CampaignReport
from callsavvy_async.campaigns.remaining import Resend
from callsavvy_async.cli.client import account_of, read_balance
from callsavvy_async.cli.question import Question
from callsavvy_async.client import Callsavvy
from callsavvy_async.messages import Message
from callsavvy_async.wording import quantity


@attrs.frozen
class Rest:
    """What is left of a campaign.

    Attributes:
        resend: Requests that are sent again.
        plan: Plan of the run.
        sums: Sums of the campaign.
        message: The message.
    """

    resend: Resend
    plan: Plan
    sums: CampaignReport
    message: Message

    @classmethod
    async def of(cls, campaign: Campaign, resend: Resend) -> Rest:
        """Read the journal."""
        return cls(resend, await campaign.plan(resend), await campaign.status(), campaign.message)

    def question(self, client: Callsavvy, *, rate: str | None) -> Question:
        """Return the question, with the account that pays and its balance."""
        balance = read_balance(self.message, client, needed=False)
        return Question(
            plan=attrs.evolve(self.plan, balance=balance),
            account=account_of(client),
            rate=rate,
            learned_rate=client.pacing.snapshot().learned_rate,
            warnings=tuple(self._warnings()),
        )

    def _warnings(self) -> Iterator[str]:
        sums = self.sums
        yield f"Before: {sums.accepted:,} of {sums.given:,} accepted, {sums.skipped.total():,} left out of the list"
        uncertain = sums.unknown + sums.in_flight
        if self.resend == "unknown" and uncertain:
            yield (
                f"Warning: {uncertain:,} of these people may get the message a second time, and you may pay twice: their"
                " requests left before, and no response says what became of them."
            )
        elif uncertain:
            yield f"Not sent again: {quantity(uncertain, 'recipient')} whose request may have left before"
        if sums.running:
            yield "Warning: a run of this campaign is active now, perhaps in another process."
