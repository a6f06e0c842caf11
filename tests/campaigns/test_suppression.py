"""A number on the journal's suppress list is sent to by no run from its next claim on, and is never left out silently."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import anyio
import pytest

from callsavvy_async import SMS
from callsavvy_async.bulk.recipients import SkipReason
from callsavvy_async.campaigns import Campaign, Journal
from callsavvy_async.errors import InvalidRequestError
from tests.profiles import mostly_long, trio_is_long

from .fakes import FakeClient, numbers

pytestmark = pytest.mark.anyio

HELLO = SMS("Hello")


async def loaded(journal: Journal, count: int = 10, **options) -> Campaign:
    campaign = await journal.campaign("c", HELLO, **{"chunk_size": 4, **options})
    await campaign.load(numbers(count))
    return campaign


@pytest.mark.every_journal
async def test_a_suppressed_number_is_left_out_with_the_reason(journal: Journal) -> None:
    """Written in any form; the sums, the budget, the checksums and the rows of the report agree."""
    campaign, people = await loaded(journal), numbers(10)
    assert await journal.suppress("+234 80 0000 0001", "00234" + people[5][4:], author="ada") == 2
    assert await journal.suppress(people[1]) == 0
    report = await campaign.run(client := FakeClient(), max_cost=8)
    assert report.complete
    assert (report.accepted, report.skipped) == (8, {SkipReason.SUPPRESSED: 2})
    assert sorted(client.reached) == [each for index, each in enumerate(people) if index not in {1, 5}]
    assert report.committed == Decimal(8)
    rows = {row.recipient: row for row in await campaign.rows(list)}
    assert (rows[people[5]].outcome, rows[people[5]].row) == ("skipped: suppressed", 6)
    assert rows[people[5]].detail == "the number is on the journal's suppress list."
    assert (await campaign.verify()).sound
    assert (await campaign.load(people)).pending == 0


@pytest.mark.every_journal
async def test_a_request_without_people_is_not_made(journal: Journal) -> None:
    """If everybody of a request is suppressed, it is gone, and the other requests leave."""
    campaign, people = await loaded(journal, chunk_size=1), numbers(10)
    await journal.suppress(*people[:9])
    report = await campaign.run(client := FakeClient())
    assert (report.complete, report.accepted, report.skipped.total()) == (True, 1, 9)
    assert client.reached == {people[9]: 1}
    assert (await campaign.verify()).sound


@pytest.mark.every_journal
@pytest.mark.parametrize("template", mostly_long([True, False]))
async def test_it_holds_for_a_campaign_that_runs(journal: Journal, url: str, template: bool) -> None:
    """Given from a journal that is open for reading, it holds from the next claim on, for texts of their own as well."""
    message = SMS(template="Hi {name}") if template else HELLO
    campaign = await journal.campaign("c", message, chunk_size=2)
    people = numbers(120)
    await campaign.load([{"phone": number, "name": f"{index // 4}"} for index, number in enumerate(people)])
    client = FakeClient()
    begun = anyio.Event()
    client.on_wire = begun.set
    client.seconds = 0.02
    run = campaign.run(client, max_in_flight=2)
    async with Journal.open(url, read_only=True) as other, anyio.create_task_group() as group:
        group.start_soon(run._run)
        await begun.wait()
        await other.suppress(*people[61::2])
    assert not set(people[61::2]) & set(client.reached)
    assert (run.report.accepted, run.report.skipped) == (90, {SkipReason.SUPPRESSED: 30})
    assert client.texts[0] == ("Hi 0" if template else "Hello")
    assert (await campaign.verify()).sound


async def test_a_number_that_is_removed_is_sent_to_again(journal: Journal) -> None:
    """The list says who added what, oldest first; a removal counts for later claims only."""
    people = numbers(3)
    await journal.suppress(people[2], author="ada")
    await journal.suppress(people[0], region=None)
    first, second = await journal.suppress_list.read()
    assert (first.number, first.author, second.number) == (people[2], "ada", people[0])
    assert "@" in second.author
    assert people[2] not in repr(first)
    assert await journal.suppress_list.remove(people[0], people[1]) == 1
    assert [entry.number for entry in await journal.suppress_list.read()] == [people[2]]
    report = await (await loaded(journal, 3)).run(client := FakeClient())
    assert (sorted(client.reached), report.skipped.total()) == (people[:2], 1)
    await journal.suppress_list.remove(people[2])
    assert (await (await journal.campaign("c")).run(client)).skipped.total() == 1


async def test_it_holds_in_every_campaign_and_for_resends(journal: Journal) -> None:
    """An unknown request that is sent again leaves out those who were suppressed meanwhile."""
    client = FakeClient()
    client.hang = True
    campaign = await loaded(journal, 2)
    run = campaign.run(client)
    async with anyio.create_task_group() as group:
        client.on_wire = run.abandon
        group.start_soon(run._run)
    assert (await campaign.status()).unknown == 2
    await journal.suppress(numbers(2)[0])
    client.hang = False
    client.on_wire = None
    await campaign.resend_unknown(client)
    assert client.reached == {numbers(2)[0]: 1, numbers(2)[1]: 2}
    other = await journal.campaign("d", HELLO)
    await other.load(numbers(2))
    await other.run(client)
    assert client.reached[numbers(2)[0]] == 1


async def test_wrong_numbers_are_refused(journal: Journal) -> None:
    """Of several numbers all or none are added; the error shows no number."""
    with pytest.raises(InvalidRequestError, match="phone number"):
        await journal.suppress(numbers(1)[0], "nobody")
    assert not await journal.suppress_list.read()


async def test_a_repeated_claim_finds_the_same(journal: Journal) -> None:
    """A run that dies between its claim and its requests leaves the sums as they are."""
    campaign = await loaded(journal, 10)
    await journal.suppress(numbers(10)[0])
    run = campaign.run(FakeClient())
    run.stop()
    await run
    status = await campaign.status()
    assert (status.pending + status.skipped.total(), status.given) == (10, 10)
    assert (await campaign.run(FakeClient())).complete


@trio_is_long
async def test_it_outlives_a_journal_of_the_same_name(tmp_path: Path) -> None:
    """Whoever was suppressed stays so when the journal's file is deleted and made anew."""
    url = f"sqlite:///{tmp_path}/journal.db"
    async with Journal.open(url) as journal:
        await journal.suppress(numbers(1)[0])
    (tmp_path / "journal.db").unlink()
    async with Journal.open(url) as journal:
        assert [entry.number for entry in await journal.suppress_list.read()] == numbers(1)
        (report,) = [await (await loaded(journal, 1)).run(FakeClient())]
        assert report.skipped == {SkipReason.SUPPRESSED: 1}
