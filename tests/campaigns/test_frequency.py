"""A campaign with a frequency cap sends nothing to a person whom another campaign of the journal reached within its period."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import anyio
import pytest

from callsavvy_async import SMS, WhatsApp
from callsavvy_async.bulk.recipients import SkipReason
from callsavvy_async.campaigns import Campaign, CampaignReport, Journal, journal_source, reach_index
from callsavvy_async.campaigns.journal import copies
from callsavvy_async.campaigns.spec import plan_campaign
from callsavvy_async.errors import ConfigurationError, InvalidRequestError
from callsavvy_async.resources.sends import SendReceipt
from callsavvy_async.transport.request_context import current_context
from callsavvy_async.values import SendStatus
from tests.bulk.fakes import rejected, unknown

from .conftest import only_postgresql, only_sqlite
from .fakes import FakeClient, Raising, numbers
from .raw import Raw

pytestmark = pytest.mark.anyio

HELLO = SMS("Hello")
WEEK = timedelta(days=7)
DAY = 86_400


async def loaded(journal: Journal, name: str, people: list[str], **options: Any) -> Campaign:
    message = options.pop("message", HELLO)
    campaign = await journal.campaign(name, message, **{"chunk_size": 4, **options})
    await campaign.load(people)
    return campaign


async def sent(journal: Journal, name: str, people: list[str], client: FakeClient, **options: Any) -> CampaignReport:
    """Send a campaign. Its plan, made before, leaves out the same people."""
    campaign = await loaded(journal, name, people, **options)
    plan = await campaign.plan()
    report = await campaign.run(client)
    if type(client) is FakeClient:  # others change something meanwhile
        assert (plan.skipped, plan.recipients) == (report.skipped, report.given - report.skipped.total())
    assert (await campaign.verify()).sound
    return report


async def left_in_flight(campaign: Campaign) -> None:
    """Run a campaign whose first request never ends, and abandon it."""
    run = campaign.run(hanging := FakeClient())
    hanging.hang = True
    hanging.on_wire = run.abandon
    async with anyio.create_task_group() as group:
        group.start_soon(run._run)


def age(raw: Raw, days: float) -> None:
    """Make every request older."""
    raw(f"UPDATE chunk SET at = at - {days * DAY}")


@pytest.mark.every_journal
async def test_whom_another_campaign_reached_is_left_out_with_the_reason(journal: Journal) -> None:
    """A campaign without a cap counts, also one that was sent before the first cap; sums, checksums and rows agree."""
    people = numbers(12)
    await sent(journal, "before", people[:3], FakeClient())
    report = await sent(journal, "capped", people[:9], client := FakeClient(), not_within=WEEK)
    assert (report.complete, report.accepted, report.skipped) == (True, 6, {SkipReason.RECENT: 3})
    assert sorted(client.reached) == people[3:9]
    rows = {row.recipient: row for row in await (await journal.campaign("capped")).rows(list)}
    assert (rows[people[1]].outcome, rows[people[1]].row) == ("skipped: recent", 2)
    assert rows[people[1]].detail == "another campaign sent to the number within the last 7 days, or may have."
    await sent(journal, "no cap", people[9:], FakeClient())
    report = await sent(journal, "second", people, client, not_within=WEEK)
    assert (report.accepted, report.skipped.total()) == (0, 12)
    assert (await sent(journal, "third", people, client)).accepted == 12


async def test_chunks_whose_people_are_all_left_out_are_not_waited_for(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next claim follows at once: the run waits only for what other runs hold."""
    monkeypatch.setattr(journal_source, "_BETWEEN_LOOKS", 3600.0)
    people = numbers(12)
    await sent(journal, "a", people, FakeClient())
    with anyio.fail_after(60):
        report = await sent(journal, "b", people, FakeClient(), not_within=WEEK)
    assert report.skipped == {SkipReason.RECENT: 12}


async def test_a_list_is_planned_without_those_whom_another_campaign_reached(journal: Journal) -> None:
    """Before it is loaded. Whom others reached means nothing without a period."""
    await sent(journal, "a", numbers(3), FakeClient())
    reached = await journal.reached_within(WEEK, SMS.channel, but="b")
    plan = plan_campaign(numbers(5), HELLO, {"not_within": WEEK}, {}, reached=reached)
    assert (plan.recipients, plan.skipped) == (2, {SkipReason.RECENT: 3})
    with pytest.raises(InvalidRequestError, match="no not_within"):
        plan_campaign(numbers(5), HELLO, {}, {}, reached=reached)


async def test_the_period_ends(journal: Journal, raw: Raw) -> None:
    """A request counts from the moment before its first byte. Whoever was left out stays so in that campaign."""
    people = numbers(2)
    await sent(journal, "a", people, FakeClient())
    age(raw, 6.9)
    assert (await sent(journal, "b", people, FakeClient(), not_within=WEEK)).skipped.total() == 2
    age(raw, 0.2)
    assert (await (await journal.campaign("b")).run(FakeClient())).accepted == 0
    assert (await sent(journal, "c", people, FakeClient(), not_within=WEEK)).accepted == 2


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (unknown(), True),
        (rejected(), False),
        (SendReceipt(message_id="m", status=SendStatus.FAILED), False),
    ],
    ids=["unknown", "rejected", "failed"],
)
async def test_only_what_may_have_arrived_counts(journal: Journal, outcome: Any, counts: bool) -> None:
    """An unknown request counts as sent. One that was rejected or failed reached nobody."""
    script = Raising(outcome) if isinstance(outcome, Exception) else lambda _: outcome
    await sent(journal, "a", numbers(1), FakeClient(script))
    report = await sent(journal, "b", numbers(1), FakeClient(), not_within=WEEK)
    assert (report.accepted, report.skipped.total()) == ((0, 1) if counts else (1, 0))


async def test_a_decision_about_an_unknown_request_counts_at_once(journal: Journal) -> None:
    """What a person declares not sent did not reach anybody."""
    await sent(journal, "a", numbers(1), FakeClient(Raising(unknown())))
    await (await journal.campaign("a")).resolve(1, as_sent=False)
    assert (await sent(journal, "b", numbers(1), FakeClient(), not_within=WEEK)).accepted == 1


async def test_its_own_attempt_stops_no_resend(journal: Journal) -> None:
    """A person's wish to send unknown requests again is obeyed, but for those whom another campaign reached meanwhile."""
    people = numbers(2)
    campaign = await loaded(journal, "a", people, not_within=WEEK)
    await left_in_flight(campaign)
    await sent(journal, "b", people[:1], FakeClient())
    report = await campaign.resend_unknown(client := FakeClient())
    assert (list(client.reached), report.skipped) == (people[1:], {SkipReason.RECENT: 1})


async def test_channels_and_rehearsals_are_apart(journal: Journal) -> None:
    """A cap is about one channel. A rehearsal reaches no real recipient, and counts for other rehearsals only."""
    people = numbers(1)
    await sent(journal, "a", people, FakeClient(), message=WhatsApp("Hello", channel_uid="w"))
    journal._simulated = True
    await sent(journal, "b", people, FakeClient())
    assert (await sent(journal, "c", people, FakeClient(), not_within=WEEK)).skipped.total() == 1
    journal._simulated = False
    assert (await sent(journal, "d", people, FakeClient(), not_within=WEEK)).accepted == 1


class Overtaken(FakeClient):
    """A client whose first request waits while something else happens, for its turn or because of a 429."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]], *, limited: bool) -> None:
        super().__init__()
        self.meanwhile: Callable[[], Awaitable[object]] | None = meanwhile
        self.limited = limited

    async def send_sms(self, recipients, message, **options):
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            context = current_context.get()
            assert context is not None
            if self.limited:
                await context.about_to_send("00fe")
                await context.about_to_wait()
            await meanwhile()
        return await super().send_sms(recipients, message, **options)


@pytest.mark.parametrize("limited", [False, True])
async def test_what_departs_after_the_claim_counts(journal: Journal, limited: bool) -> None:
    """A claim may be old when its request or a retry is due. Whom another campaign reached in between is left out."""
    people, other = numbers(8), FakeClient()
    client = Overtaken(partial(sent, journal, "fast", people[2:4], other, not_within=WEEK), limited=limited)
    report = await sent(journal, "slow", people, client, not_within=WEEK)
    assert (list(other.reached), sorted(client.reached)) == (people[2:4], [*people[:2], *people[4:]])
    assert (report.complete, report.accepted, report.skipped) == (True, 6, {SkipReason.RECENT: 2})


async def test_halves_of_a_split_request_count(journal: Journal) -> None:
    """A request that was rejected because of one number is split. The half that was accepted counts, the other does not."""
    people = numbers(4)

    def refuse(batch: list[str]) -> SendReceipt:
        if people[0] in batch:
            raise rejected("recipient")
        return SendReceipt(message_id="m", status=SendStatus.SENT)

    await sent(journal, "warm", numbers(1, 90), FakeClient(), not_within=WEEK)
    report = await sent(journal, "a", people, FakeClient(refuse))
    assert (report.accepted, report.rejected) == (3, 1)
    report = await sent(journal, "b", people, client := FakeClient(), not_within=WEEK)
    assert (list(client.reached), report.skipped.total()) == (people[:1], 3)


async def test_many_requests_before_the_first_cap_are_found(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run with a cap indexes them page by page; one that was killed between two pages is continued."""
    people = numbers(50)
    await sent(journal, "a", people, FakeClient(), chunk_size=1)
    index = reach_index._index_page
    pages: list[bool] = []

    def page(*given: Any) -> bool:
        if len(pages) == 1:
            raise KeyboardInterrupt
        pages.append(index(*given))
        return pages[-1]

    campaign = await loaded(journal, "b", people, not_within=WEEK)
    with monkeypatch.context() as patch:
        patch.setattr(reach_index, "_index_page", page)
        with pytest.raises(KeyboardInterrupt):
            await campaign.run(FakeClient())
    assert (await campaign.run(FakeClient())).skipped.total() == 50
    assert pages == [False]


async def test_a_purge_forgets(journal: Journal, raw: Raw) -> None:
    """The numbers of a purged campaign are deleted from the index too, so its requests do not count any more."""
    await sent(journal, "a", numbers(1), FakeClient())
    assert (await sent(journal, "b", numbers(1), FakeClient(), not_within=WEEK)).skipped.total() == 1
    await (await journal.campaign("a")).purge()
    assert raw("SELECT count(*) FROM reached") == [(0,)]
    assert (await sent(journal, "c", numbers(1), FakeClient(), not_within=WEEK)).accepted == 1


@only_postgresql
@pytest.mark.parametrize(
    "campaigns", [pytest.param(("a", "b"), id="2"), pytest.param(("a", "b", "c", "d"), id="4", marks=pytest.mark.long)]
)
async def test_campaigns_of_several_connections_never_reach_a_person_twice(
    url: str, campaigns: tuple[str, ...]
) -> None:
    """Overlapping lists in other orders, sent at the same moment: everybody is reached once, by one of the campaigns."""
    people, draw, client = numbers(60), random.Random(len(campaigns)), FakeClient()

    async def run(name: str, order: list[str]) -> None:
        async with Journal.open(url) as journal:
            campaign = await loaded(journal, name, order, not_within=WEEK, chunk_size=3)
            report = await campaign.run(client, max_in_flight=8)
            assert (report.complete, report.accepted + report.skipped.total()) == (True, len(order))

    async with Journal.open(url), anyio.create_task_group() as group:
        for name in campaigns:
            group.start_soon(run, name, draw.sample(people, 50))
    assert set(client.reached.values()) == {1}


@pytest.mark.long
@only_postgresql
async def test_a_cap_that_begins_while_another_process_sends(url: str, raw: Raw) -> None:
    """Requests of a campaign without a cap are indexed, those before the first cap and those after it."""
    people, client = numbers(60), FakeClient()
    client.seconds = 0.01
    enough = anyio.Event()
    client.on_wire = lambda: enough.set() if client.reached.total() == 20 else None
    async with Journal.open(url) as first, Journal.open(url) as second:
        plain = await loaded(first, "plain", people, chunk_size=1)
        run = plain.run(client, max_in_flight=3)
        async with anyio.create_task_group() as group:
            group.start_soon(run._run)
            await enough.wait()
            before = set(client.reached)
            campaign = await loaded(second, "capped", people, not_within=WEEK, chunk_size=1)
            await campaign.run(capped := FakeClient())
            assert (await campaign.verify()).sound
    assert not before & set(capped.reached)
    assert {*client.reached, *capped.reached} == {*people}
    assert raw("SELECT count(*) FROM reached WHERE campaign = 1") == [(60,)]


@only_sqlite
async def test_an_older_copy_counts_what_it_does_not_know(url: str) -> None:
    """A request that the copy lacks may have reached its people since, so they count as reached."""
    people = numbers(4)
    async with Journal.open(url) as journal:
        await sent(journal, "first cap", numbers(1, 90), FakeClient(), not_within=WEEK)
        campaign = await loaded(journal, "a", people)
        await journal._writer.run(lambda cursor: copies.recover(cursor, None))
        assert (await campaign.status()).unknown == 4
        assert (await sent(journal, "b", people, FakeClient(), not_within=WEEK)).skipped.total() == 4


async def test_the_cap_is_part_of_the_campaign(journal: Journal) -> None:
    """It is stored, and another one is another campaign."""
    await loaded(journal, "a", numbers(1), not_within=timedelta(hours=36))
    assert (await journal.campaign("a"))._spec.settings.not_within == timedelta(hours=36)


@pytest.mark.parametrize("period", [timedelta(), timedelta(days=-1), 7, "7d"])
async def test_a_period_that_makes_no_sense_is_refused(journal: Journal, period: Any) -> None:
    """The error names the value and the rule."""
    with pytest.raises(ConfigurationError, match=f"not_within is {period}; it must be a period longer than 0"):
        await journal.campaign("a", HELLO, not_within=period)
