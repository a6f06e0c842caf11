"""Loading: everybody once, whatever happens in between."""

from __future__ import annotations

import resource
from decimal import Decimal
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, example, given, strategies as st

from callsavvy_async import SMS
from callsavvy_async.bulk import source
from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.recipients import Recipient, RecipientFilter, SkipReason
from callsavvy_async.bulk.row_block import RowBlock
from callsavvy_async.campaigns import JournalUnavailableError, load as load_module, sqlite_number_set as seen_module
from callsavvy_async.campaigns.canonical_rows import _canonical, canonical_rows
from callsavvy_async.campaigns.load import _HashedFilter
from callsavvy_async.campaigns.spec import plan_campaign
from callsavvy_async.campaigns.sqlite_number_set import SqliteNumberSet
from callsavvy_async.errors import ConfigurationError, InvalidRequestError
from callsavvy_async.messages.templates import Template
from callsavvy_async.resources.contacts import Contact
from tests.profiles import examples

from .conftest import only_sqlite
from .fakes import FakeClient, numbers
from .raw import TABLES

pytestmark = pytest.mark.anyio

HELLO = SMS("Hello")


class Cut(Exception):
    pass


def cut_after(rows, count):
    for n, row in enumerate(rows):
        if n == count:
            raise Cut
        yield row


async def test_the_same_list_again_changes_nothing(journal):
    """A list that was loaded to its end adds nobody, and counts nobody twice."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    rows = [
        *numbers(25),
        numbers(1)[0],
        "nobody",
        Recipient(numbers(1, 90)[0], {"a": "b"}),
        {"phone": numbers(1, 91)[0]},
    ]
    first = await campaign.load(rows)
    assert (first.given, first.pending, first.input_complete) == (29, 27, True)
    assert first.skipped == {SkipReason.DUPLICATE: 1, SkipReason.INVALID: 1}
    assert await campaign.load(iter(rows)) == first


async def test_a_larger_limit_adds_the_next(journal):
    """`max_recipients` counts over all loads: the same list under a larger limit adds those who come next, and nobody twice."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    first = await campaign.load(numbers(25), max_recipients=10)
    assert (first.pending, first.skipped[SkipReason.LIMIT]) == (10, 15)
    assert await campaign.load(numbers(25), max_recipients=10) == first
    assert (await campaign.load(numbers(25), max_recipients=12)).pending == 12


async def test_another_list_adds_to_it(journal):
    """Who is there already is a duplicate; the others are added."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(25))
    report = await campaign.load(numbers(25, 15))
    assert (report.given, report.pending, report.skipped[SkipReason.DUPLICATE]) == (50, 40, 10)
    report = await campaign.run(client := FakeClient())
    assert report.accepted == 40
    assert set(client.reached.values()) == {1}


async def test_a_load_that_was_cut_off_is_loaded_anew(journal, monkeypatch):
    """Half a list is not sent to; the whole list afterwards takes nobody twice and loses nobody."""
    monkeypatch.setattr(load_module, "BATCH", 3)
    monkeypatch.setattr(source, "ROWS_BETWEEN_CHECKPOINTS", 40)
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    with pytest.raises(Cut):
        await campaign.load(cut_after(numbers(200), 155))
    halfway = await campaign.status()
    assert 0 < halfway.pending < 200
    assert not halfway.input_complete
    with pytest.raises(InvalidRequestError, match="load them"):
        await campaign.run(FakeClient())
    report = await campaign.load(numbers(200))
    assert (report.given, report.pending) == (200, 200)
    await campaign.run(client := FakeClient())
    assert client.reached == dict.fromkeys(numbers(200), 1)


@examples(10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 40), max_size=60), st.integers(0, 60), st.integers(1, 30))
async def test_any_list_cut_anywhere(journal, monkeypatch, people, cut, block):
    """Each number of a list is pending exactly once after it was cut off and loaded again."""
    monkeypatch.setattr(source, "ROWS_BETWEEN_CHECKPOINTS", block)
    name = f"{people} {cut} {block}"
    campaign = await journal.campaign(name, HELLO, chunk_size=10)
    rows = [f"+2348000{n:06}" for n in people]
    try:
        await campaign.load(cut_after(rows, cut))
    except Cut:
        await campaign.load(rows)
    report = await campaign.status()
    assert report.pending == len(set(people))
    assert report.given == len(people)
    report.check()


async def test_templates_make_chunks_of_one_text(journal):
    """Who gets the same text shares a call; the texts come back as they were."""
    campaign = await journal.campaign("c", SMS(template="Hi {name}"), chunk_size=2)
    rows = [{"phone": number, "name": "AB"[n % 2]} for n, number in enumerate(numbers(6))]
    await campaign.load([*rows, {"phone": numbers(1, 50)[0], "name": ""}])
    report = await campaign.run(client := FakeClient())
    assert sorted(client.texts) == ["Hi A", "Hi A", "Hi B", "Hi B"]
    assert (report.accepted, report.skipped[SkipReason.INVALID]) == (6, 1)


async def test_many_skipped_rows_are_written_as_they_come(journal, monkeypatch):
    """Rows that make no chunk do not pile up in memory."""
    monkeypatch.setattr(load_module, "_MOST_SKIPPED", 100)
    most = 0
    insert = load_module.sql.insert_skipped

    def spy(cursor, campaign, load, skipped):
        nonlocal most
        most = max(most, len(skipped))
        insert(cursor, campaign, load, skipped)

    monkeypatch.setattr(load_module.sql, "insert_skipped", spy)
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    report = await campaign.load(["nobody"] * 5000)
    assert report.skipped.total() == 5000
    assert most < 1000


@only_sqlite
async def test_a_full_disk_is_said(journal):
    """When the file cannot grow, loading ends with the journal's error, and is done anew when it can."""
    campaign = await journal.campaign("c", HELLO, chunk_size=1)
    await journal._writer.run(lambda cursor: cursor.execute("PRAGMA max_page_count = 20"))
    with pytest.raises(JournalUnavailableError, match="full"):
        await campaign.load(numbers(2000))
    await journal._writer.run(lambda cursor: cursor.execute("PRAGMA max_page_count = 1000000"))
    assert (await campaign.load(numbers(2000))).pending == 2000


async def test_sizes_that_the_balance_can_tell_apart(journal):
    """With reconcilable=True the sizes of neighbouring chunks have distinct subset sums."""
    campaign = await journal.campaign("c", HELLO, reconcilable=True)
    await campaign.load(numbers(577))
    await campaign.run(client := FakeClient(), max_in_flight=1)
    assert [len(call) for call in client.calls] == [84, 83, 82, 80, 77, 71, 60, 40]


async def test_the_journal_holds_no_more_than_it_must(journal, raw):
    """Fields of recipients are not kept: only what is sent."""
    campaign = await journal.campaign("c", SMS(template="Hi {name}"))
    await campaign.load([{"phone": numbers(1)[0], "name": "Ada", "salary": "secret-salary"}])
    assert "Hi Ada" in raw.rows()
    assert "secret-salary" not in raw.rows()


async def versions(journal, raw):
    """Return what differs after any row was written."""
    if raw.is_file:
        return await journal._writer.run(lambda cursor: cursor.connection.total_changes)
    return [raw(f"SELECT ctid::text, xmin::text FROM {table}") for table in TABLES]


async def test_a_list_that_is_there_is_not_written_again(journal, raw):
    """Loading a list once more, as a resumed program does, writes nothing: the journal does not grow by its doubles."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    rows = [*numbers(300), "nobody", *numbers(300)]
    await campaign.load(rows)
    before = await versions(journal, raw)
    await campaign.load(rows)
    assert await versions(journal, raw) == before


async def test_a_list_that_adds_nobody_is_taken_down(journal):
    """Doubles of another list are in the report, one row each."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(25))
    report = await campaign.load([*numbers(5), "nobody"])
    assert (report.given, report.pending, report.input_complete) == (31, 25, True)
    assert report.skipped == {SkipReason.DUPLICATE: 5, SkipReason.INVALID: 1}


async def test_a_known_list_read_by_other_rules_changes_nothing(journal):
    """The digest is of the rows: whom another suppress list would let in now is not added under the old list."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    before = await campaign.load(numbers(900), suppress=numbers(800))
    assert await campaign.load(numbers(900)) == before
    assert (await campaign.verify()).sound


async def test_a_list_that_was_misread_is_loaded_when_it_is_read_otherwise(journal):
    """How rows are read belongs to the list: what is said the second time is not ignored."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    rows = [{"id": str(n), "cell": number} for n, number in enumerate(numbers(20))]
    assert (await campaign.load(rows, column="id")).skipped == {SkipReason.INVALID: 20}
    report = await campaign.load(rows, column="cell")
    assert (report.given, report.pending) == (40, 20)
    assert await campaign.load(rows, column="cell") == report


async def test_doubtful_numbers_are_counted_in_the_journal(journal):
    """Numbers without plus are in the report of whoever looks, with the row of the first."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load([*numbers(3), *(number[1:] for number in numbers(4, 50))])
    report = await campaign.status()
    assert (report.doubtful.count, report.doubtful.first_row) == (4, 4)
    assert "4 without '+'" in str(report)
    report = await campaign.load([number[1:] for number in numbers(4, 70)], international=True)
    assert report.doubtful.count == 4


ODD = ["\ud83d", "a\0b", b"\xff", object(), float("nan"), None]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
async def test_an_odd_field_is_one_skipped_row(journal, odd):
    """A row that cannot be sent keeps nobody else from being loaded, and damages no journal."""
    campaign = await journal.campaign("c", SMS(template="Hi {name}"), chunk_size=3)
    rows = [{"phone": number, "name": "Ada" if n != 5 else odd} for n, number in enumerate(numbers(10))]
    report = await campaign.load([*rows, odd, {"phone": "+1\ud83d", "name": "x"}])
    report.check()
    assert (report.given, report.pending, report.skipped) == (12, 9, {SkipReason.INVALID: 3})
    assert (await campaign.verify()).sound


@pytest.mark.long
async def test_mail_merge_in_any_order_makes_full_chunks(journal):
    """Texts wait for company while a list is loaded, however many there are and in whatever order."""
    campaign = await journal.campaign("c", SMS(template="Hi {name}"), chunk_size=5)
    await campaign.load({"phone": number, "name": str(n % 400)} for n, number in enumerate(numbers(4000)))
    report = await campaign.run(FakeClient())
    assert (report.accepted, report.requests) == (4000, 800)


async def test_nothing_is_loaded_while_it_is_sent(journal):
    """A run would send what a load that is cut off deletes again, so a load of somebody new is refused meanwhile."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(100))
    run = campaign.run(client := FakeClient(), max_in_flight=1)
    refused = []

    async def load_more(rows) -> None:
        try:
            await campaign.load(rows)
        except InvalidRequestError as error:
            refused.append(str(error))

    async with anyio.create_task_group() as group:
        client.on_wire = lambda: (
            len(client.calls) == 2
            and (
                group.start_soon(load_more, numbers(100)),
                group.start_soon(load_more, numbers(110)),
            )
        )
        report = await run
    assert (report.accepted, report.given) == (100, 100)
    assert len(refused) == 1
    assert "active run" in refused[0]
    assert (await campaign.load(numbers(110))).pending == 10


def resident() -> int:
    """Return the bytes of memory that this process holds. Linux only."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


@pytest.mark.long
async def test_memory_does_not_grow_with_the_list(monkeypatch):
    """Numbers that were seen lie on disk: once the page cache is full, half a million more cost next to no memory."""
    monkeypatch.setattr(seen_module, "CACHE", 1024)  # KiB, or the test would need millions
    with SqliteNumberSet() as number_set:
        assert all(number_set.add(number) for number in numbers(100))
        assert not any(number_set.add(number) for number in numbers(100))
        for first in range(0, 200_000, 500):
            number_set.add_all(range(first, first + 500))
        before = resident()
        for first in range(200_000, 700_000, 500):  # 5 MB of pages
            assert not number_set.add_all(range(first, first + 500))
        assert resident() - before < 1_000_000
        assert not number_set.add("+699999")


async def test_numbers_that_cannot_be_kept_end_the_load(journal, monkeypatch):
    """Without room for the temporary file the load ends with the journal's error, which says where it lies."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    original = SqliteNumberSet.__init__

    def small(number_set) -> None:
        original(number_set)
        number_set._connection.execute("PRAGMA max_page_count = 3")

    monkeypatch.setattr(SqliteNumberSet, "__init__", small)
    with pytest.raises(JournalUnavailableError, match="TMPDIR"):
        await campaign.load(numbers(5000))
    monkeypatch.setattr(SqliteNumberSet, "__init__", original)
    assert (await campaign.load(numbers(5000))).pending == 5000


class Unprintable:
    """A value of a user's class whose text cannot be had."""

    def __str__(self) -> str:
        raise ZeroDivisionError


async def test_contacts_and_odd_values_are_compared_too(journal):
    """A list is known again whatever its rows are, also those of which a value has no text."""
    campaign = await journal.campaign("c", SMS(template="Hi {name}"), chunk_size=10)
    rows = [Contact(name="Ada", phone=numbers(1)[0]), {"phone": numbers(2)[1], "name": Unprintable()}]
    first = await campaign.load(rows)
    assert (first.given, first.pending, first.skipped) == (2, 1, {SkipReason.INVALID: 1})
    assert await campaign.load(rows) == first


def test_a_plan_takes_the_options_of_a_campaign_and_of_its_load():
    """A campaign is planned as a bulk send is, with its own sizes; what would be refused later is refused now."""
    message = SMS("Hello")
    plan = plan_campaign(numbers(6), message, {"chunk_size": 3}, {"suppress": numbers(1)}, max_cost=Decimal(9))
    assert (plan.recipients, plan.requests, plan.skipped) == (5, 2, {SkipReason.SUPPRESSED: 1})
    with pytest.raises(ConfigurationError, match="chunk_sizes"):
        plan_campaign(numbers(6), message, {"chunk_sizes": 3}, {})  # type: ignore[typeddict-unknown-key]


def test_a_load_waits_for_the_template_as_a_send_does():
    """The filter of a load says, as the one that it hashes, whether more rows are needed."""
    inner = RecipientFilter(template=Template("Hi {name|friend}"))
    hashed = _HashedFilter(inner)
    hashed.admit({"phone": numbers(1)[0], "surname": "Obi"}, 1)
    assert hashed.is_looking is inner.is_looking is True


@given(st.lists(st.integers(1, 30), max_size=40), st.integers(1, 9))
def test_the_set_on_disk_is_a_set(keys, block):
    """Numbers added in blocks are new exactly once, also where one block holds equal ones; a set in memory agrees."""
    in_memory = NumberSet()
    known: set[int] = set()
    with SqliteNumberSet() as number_set:
        for begin in range(0, len(keys), block):
            part = keys[begin : begin + block]
            expected = [place for place, key in enumerate(part) if key in known or known.add(key)]
            assert list(number_set.add_all(part)) == in_memory.add_all(part) == expected
            assert len(number_set) == len(in_memory) == len(known)


NAMES = st.sampled_from(["phone", "first_name", "%s", "it's", "\ud800", "é"])
ROWS = st.fixed_dictionaries({"phone": st.text(max_size=4)}) | st.dictionaries(
    NAMES, st.text(max_size=4) | st.integers()
)


@example([{"phone": "1", "%s": "a"}, {"phone": "2", "it's": "b"}])
@given(
    st.lists(ROWS | st.text(max_size=4), max_size=4)
    | st.lists(st.dictionaries(NAMES, st.text(), min_size=6), max_size=3)
)
def test_a_block_has_the_digest_of_its_rows(rows):
    """A list keeps its digest however it is cut into blocks, so a list that was loaded before is known again."""
    assert canonical_rows(RowBlock.of(rows)) == b"".join(map(_canonical, rows))
