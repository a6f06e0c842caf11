"""What the operator confirms before money is spent: the plan of a new campaign, or of what is left of one."""

from __future__ import annotations

import math
import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from io import BufferedReader, BytesIO

import anyio.to_thread
import attrs

from callsavvy_async import SMS, Callsavvy
from callsavvy_async.bulk.plan import Plan
from callsavvy_async.bulk.recipient_files import FileRows, read_stream
from callsavvy_async.bulk.samples import Sample
from callsavvy_async.campaigns import Campaign, CampaignOptions, plan_campaign
from callsavvy_async.campaigns.remaining import Resend

SIZES: CampaignOptions = {"chunk_size": 20}
"""Small requests: a response that is lost leaves few recipients unknown."""
SHOWN = 5
"""Number of rows left out that the page shows."""


@attrs.frozen(kw_only=True)
class Draft:
    """A message and its recipients, before they are in the journal."""

    message: SMS
    list_name: str
    content: bytes = attrs.field(repr=False)
    """Content of the list, in any format that ``callsavvy bulk`` reads."""
    max_cost: Decimal | None

    def rows(self) -> FileRows:
        """Read the list from its beginning."""
        return read_stream(BufferedReader(BytesIO(self.content)), self.list_name)


@attrs.frozen(kw_only=True)
class Question:
    """A plan to confirm."""

    campaign: str
    """Name of the campaign."""
    plan: Plan
    account: str
    rate: str | None
    warnings: tuple[str, ...] = ()
    draft: Draft | None = None
    """None if the campaign is in the journal already."""
    resend: Resend = "nothing"
    """Requests of the campaign that are sent again."""

    @property
    def can_be_sent(self) -> bool:
        """False if the plan reaches nobody, or costs more than the balance."""
        return self.plan.recipients > 0 and self.plan.affordable is not False

    def as_dict(self) -> dict[str, object]:
        """Return what the page shows. Numbers are masked."""
        lines = (f"Account: {self.account}", *self.plan.summary_lines(), f"Time: {self._time()}")
        return {
            "campaign": self.campaign,
            "people": self.plan.recipients,
            "can_be_sent": self.can_be_sent,
            "facts": [line.partition(": ")[::2] for line in lines],
            "texts": [{"title": title_of(sample), "text": sample.text} for sample in self.plan.samples],
            "left_out": [f"Row {row.row:,}: {row.detail}" for row in self.plan.first_skipped[:SHOWN]],
            "more_left_out": max(0, sum(self.plan.skipped.values()) - SHOWN),
            "warnings": self.warnings,
        }

    def _time(self) -> str:
        if self.rate is None:
            return "unknown, because the rate limit of the API is measured while sending"
        seconds = math.ceil(self.plan.duration(self.rate).total_seconds())
        return f"about {timedelta(seconds=seconds)} at {self.rate}"


async def ask_new(client: Callsavvy, draft: Draft, *, rate: str | None) -> Question:
    """Plan a new campaign: read the whole list and the balance. Nothing is sent or recorded.

    Raises:
        InvalidRequestError: The message or the list is invalid.
        RequestError: The balance cannot be read.
    """
    balance = draft.message.balance(await client.account.summary())
    plan = await anyio.to_thread.run_sync(
        lambda: plan_campaign(draft.rows(), draft.message, SIZES, {}, balance=balance, max_cost=draft.max_cost)
    )
    name = f"{datetime.now().astimezone():%Y-%m-%d-%H%M}-{secrets.token_hex(2)}"
    return Question(campaign=name, plan=plan, account=account_of(client), rate=rate, draft=draft)


async def ask_rest(client: Callsavvy, campaign: Campaign, *, rate: str | None, resend: Resend = "nothing") -> Question:
    """Plan what is left of a campaign, and with "unknown" a second attempt for those who may have the message already.

    Raises:
        RequestError: The balance cannot be read.
    """
    balance = campaign.message.balance(await client.account.summary())
    plan, sums = attrs.evolve(await campaign.plan(resend), balance=balance), await campaign.status()
    warnings = [f"Before: {sums.accepted:,} of {sums.given:,} accepted."]
    if sums.unknown and resend == "unknown":
        warnings.append(
            f"{sums.unknown:,} of these people may get the message a second time, and you may pay twice: their requests"
            " left before, and no response says what became of them."
        )
    elif sums.unknown:
        warnings.append(f"Not sent again: {sums.unknown:,} recipients, who may have received the message.")
    return Question(
        campaign=campaign.name,
        plan=plan,
        account=account_of(client),
        rate=rate,
        warnings=tuple(warnings),
        resend=resend,
    )


def message_of(text: str) -> SMS:
    """Return the message of a text. With ``{first_name}`` it is a template; ``{{`` stands for a brace."""
    return SMS(template=text) if "{" in text else SMS(text)


def account_of(client: Callsavvy) -> str:
    """Return the account that pays, with the end of its public key."""
    return f"key {client.destination.key} at {client.destination.server}"


def title_of(sample: Sample) -> str:
    """Say which text this is."""
    which = f"{' and '.join(sample.why).capitalize()} text, row {sample.row:,}" if sample.why else "Text for everybody"
    return f"{which} ({sample.segments} segment{'' if sample.segments == 1 else 's'})"
