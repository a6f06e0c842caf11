"""After a run: unknowns, evidence, files, checks, and forgetting."""

from __future__ import annotations

import csv
import json
import stat
import sys
from decimal import Decimal

import pytest
from pyarrow import parquet

from callsavvy_async import SMS, WhatsApp
from callsavvy_async.campaigns import Campaign, Journal, integrity
from callsavvy_async.campaigns.journal import repository
from callsavvy_async.campaigns.journal.payload import checksum
from callsavvy_async.errors import ConfigurationError, InvalidRequestError
from callsavvy_async.resources.sends import SendReceipt
from tests.bulk.fakes import rejected, unknown

from .fakes import FakeClient, Raising, accept, numbers

pytestmark = pytest.mark.anyio

HELLO = SMS("Hello")


class Doubtful(FakeClient):
    """Answers `lost` calls with nothing; those in `charged` are charged all the same. The balance tells."""

    def __init__(self, lost: set[int], charged: set[int], cost: int = 1) -> None:
        super().__init__(self._answer)
        self.lost, self.charged, self.cost = lost, charged, cost

    def _answer(self, called: list[str]) -> SendReceipt:
        call = len(self.calls)
        if call not in self.lost or call in self.charged:
            self.balance -= len(called) * self.cost
        if call in self.lost:
            raise unknown()
        return SendReceipt(message_id="m", cost=Decimal(len(called) * self.cost))


async def ran(journal: Journal, client: FakeClient, count: int = 100, message=HELLO, **options) -> Campaign:
    campaign = await journal.campaign("c", message, **(options or {"chunk_size": 10}))
    await campaign.load(numbers(count))
    await campaign.run(client, max_in_flight=1)
    return campaign


async def test_a_person_resolves_what_is_unknown(journal):
    """Sent is accepted; not sent waits until it is resent; what is not unknown cannot be resolved."""
    campaign = await ran(journal, Doubtful({2, 5, 7}, set()))
    assert [chunk.number for chunk in await campaign.unknown()] == [2, 5, 7]
    await campaign.resolve(2, as_sent=True)
    await campaign.resolve(5, as_sent=False)
    with pytest.raises(InvalidRequestError, match="not unknown"):
        await campaign.resolve(1, as_sent=True)
    status = await campaign.status()
    assert (status.accepted, status.not_sent, status.unknown) == (80, 10, 10)
    report = await campaign.run(client := FakeClient())
    assert not client.calls
    report = await campaign.resend_unknown(client, only_not_sent=True)
    assert (report.accepted, report.not_sent, report.unknown) == (90, 0, 10)
    report = await campaign.resend_unknown(client, max_cost=1000)
    assert report.complete
    assert [call[0] for call in client.calls] == [numbers(100)[40], numbers(100)[60]]


@pytest.mark.parametrize("charged", [{2, 5}, set()])
async def test_the_balance_decides_all_or_none(journal, charged):
    """Equal chunks are decided when all or none were charged; without exclusive=True nothing is changed."""
    campaign = await ran(journal, client := Doubtful({2, 5}, charged))
    found = await campaign.reconcile(client)
    assert (found.balance_before, found.known_cost, found.missing) == (1000, 80, 10 * len(charged))
    assert (found.charged, found.not_charged, found.acted) == (
        (2, 5) if charged else (),
        () if charged else (2, 5),
        False,
    )
    assert "exclusive=True" in found.why
    assert (await campaign.status()).unknown == 20
    found = await campaign.reconcile(client, exclusive=True)
    assert found.acted
    status = await campaign.status()
    assert (status.accepted, status.not_sent) == ((100, 0) if charged else (80, 20))
    assert status.cost == status.accepted
    found = await campaign.reconcile(client, exclusive=True)
    assert "0 unknown requests" in found.why
    assert (found.solutions, found.acted) == (0, False)


async def test_distinct_sizes_decide_every_chunk(journal):
    """A reconcilable campaign tells which of several unknown chunks were charged."""
    client = Doubtful({2, 3, 5, 8}, {3, 8})
    campaign = await ran(journal, client, 577, reconcilable=True)
    found = await campaign.reconcile(client, exclusive=True)
    assert (found.charged, found.not_charged, found.solutions) == ((8, 3), (5, 2), 1) or set(found.charged) == {3, 8}
    status = await campaign.status()
    assert (status.unknown, status.not_sent) == (0, 83 + 77)


async def test_a_plan_counts_what_a_run_or_a_resend_would_send(journal):
    """A run sends what waits; a resend also what was not sent, or what is unknown too. Nothing is written."""
    campaign = await journal.campaign("c", SMS("Hello"), chunk_size=10)
    await campaign.load(numbers(100))
    assert (await campaign.plan()).recipients == 100
    campaign = await ran(journal, Doubtful({2, 5, 7}, set()))
    await campaign.resolve(5, as_sent=False)
    plans = {resend: await campaign.plan(resend) for resend in ("nothing", "not-sent", "unknown")}
    assert {resend: (plan.requests, plan.recipients) for resend, plan in plans.items()} == {
        "nothing": (0, 0),
        "not-sent": (1, 10),
        "unknown": (3, 30),
    }
    assert plans["unknown"].source == "what is left of campaign 'c'"
    assert (await campaign.status()).unknown == 20


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (lambda client: setattr(client, "balance", client.balance - 3), "something else"),
        (lambda client: setattr(client, "balance", client.balance - 10), "share no request"),
        (lambda client: setattr(client, "balance", None), "no balance"),
    ],
)
async def test_it_never_guesses(journal, prepare, why):
    """Where the balance fits no selection, or several, or is not told, nothing is decided."""
    campaign = await ran(journal, client := Doubtful({2, 5}, set()))
    prepare(client)
    found = await campaign.reconcile(client, exclusive=True)
    assert why in found.why
    assert not found.acted
    assert (await campaign.status()).unknown == 20


async def test_sending_unknown_again_ends_what_the_balance_proves(journal):
    """What an unknown call may have cost is forgotten when it is sent again: the balance would charge another with it."""
    campaign = await ran(journal, client := Doubtful({2, 5}, {2}))
    again = Doubtful(
        {2}, set()
    )  # the one that was charged is charged again; the other is unknown again, and still free
    again.balance = client.balance
    await campaign.resend_unknown(again, max_in_flight=1)
    found = await campaign.reconcile(again, exclusive=True)
    assert (found.acted, found.charged, found.not_charged) == (False, (), ())
    assert "were resent since" in found.why
    assert (await campaign.status()).unknown == 10


async def test_costs_that_surprise_are_no_evidence(journal):
    """When the API's costs are not the estimates, what the unknown calls cost is not known."""
    campaign = await ran(journal, client := Doubtful({2}, set(), cost=2))
    assert "differ from the estimate" in (await campaign.reconcile(client, exclusive=True)).why


async def test_evidence_has_limits(journal, monkeypatch):
    """Another channel, no balance before, calls in flight, another month: said, and nothing decided."""
    whatsapp = await ran(journal, Doubtful({1}, set()), 10, WhatsApp("Hi", channel_uid="u"))
    assert "whatsapp" in (await whatsapp.reconcile(FakeClient())).why
    campaign = await journal.campaign("d", HELLO, chunk_size=10)
    await campaign.load(numbers(30))
    client = Doubtful({2}, set())
    await campaign.run(client, max_in_flight=1)
    change = journal._writer.run

    async def sql(statement):
        await change(lambda cursor: cursor.execute(statement))

    await sql("UPDATE campaign SET balance_at = 0 WHERE name = 'd'")
    assert "another month" in (await campaign.reconcile(client)).why
    await sql("UPDATE chunk SET state = 'in_flight' WHERE campaign = 2 AND number = 1")
    assert "in flight" in (await campaign.reconcile(client)).why
    await sql("UPDATE campaign SET balance = NULL WHERE name = 'd'")
    assert "is missing" in (await campaign.reconcile(client)).why


async def test_rows_are_written_in_three_formats(journal, tmp_path):
    """One row per recipient, the skipped included, the halves of a split chunk once; readable for the owner only."""

    def script(called):
        if numbers(40)[3] in called:
            raise rejected("Invalid recipient")
        return accept(called)

    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load([*numbers(40), numbers(1)[0], "nobody"])
    await campaign.run(FakeClient(script))
    files = {suffix: tmp_path / f"rows.{suffix}" for suffix in ("csv", "jsonl", "parquet")}
    for file in files.values():
        await campaign.export(file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with files["csv"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in files["jsonl"].read_text().splitlines()]
    table = parquet.read_table(files["parquet"]).to_pylist()
    assert lines == table
    assert sorted(line["row"] for line in lines) == list(range(1, 43))
    assert [row["recipient"] for row in rows if row["outcome"] == "rejected"] == [numbers(40)[3]]
    assert [line["outcome"] for line in lines[-2:]] == ["skipped: duplicate", "skipped: invalid"]


async def test_other_files_are_refused(journal, tmp_path, monkeypatch):
    """The name's end must tell a format; Parquet needs its extra."""
    campaign = await ran(journal, FakeClient(), 10)
    with pytest.raises(InvalidRequestError, match=r"\.parquet"):
        await campaign.export(tmp_path / "rows.xlsx")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"\[parquet\]"):
        await campaign.export(tmp_path / "rows.parquet")


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        ("UPDATE payload SET checksum = 'x' WHERE number = 2", "chunk 2: its checksum is wrong"),
        ("DELETE FROM payload WHERE number = 2", "chunk 2: its recipients are missing"),
        ("UPDATE chunk SET recipients = 9 WHERE number = 2", "chunk 2: its count of recipients is 9, but it has 10"),
        ("UPDATE chunk SET recipients = 0 WHERE number = 2", "chunk 2: its count of recipients is 0"),
        ("UPDATE chunk SET state = 'lost' WHERE number = 2", "chunk 2: its state 'lost' is invalid"),
        ("DELETE FROM chunk WHERE number = 2", "the payloads: 1 have no chunk"),
        ("DELETE FROM chunk WHERE number = 2", "the sums of 30 recipients add up to 20"),
    ],
)
async def test_verifying_names_what_is_wrong(journal, damage, finding):
    """Every kind of damage is found and named by its chunk."""
    campaign = await ran(journal, FakeClient(), 30)
    assert (await campaign.verify()).sound
    await journal._writer.run(lambda cursor: cursor.execute(damage))
    verification = await campaign.verify()
    assert not verification.sound
    assert any(finding in found for found in verification.findings), verification


async def test_a_person_twice_is_found(journal):
    """A payload that repeats another's recipients, and one of garbage under a right checksum, are named."""
    campaign = await ran(journal, FakeClient(), 30)

    def damage(cursor):
        (body,) = cursor.execute("SELECT body FROM payload WHERE number = 1").fetchone()
        for number, content in ((2, body), (3, b"garbage")):
            values = (content, checksum(1, number, content, None), number)
            cursor.execute("UPDATE payload SET body = ?, checksum = ? WHERE number = ?", values)

    await journal._writer.run(damage)
    found = " ".join((await campaign.verify()).findings)
    assert "chunk 2: 10 of its recipients are in the journal twice" in found
    assert "chunk 3: the recipients of a chunk cannot be read back" in found


async def test_a_chunk_that_is_split_meanwhile_is_not_there_twice(journal, raw, monkeypatch):
    """The halves of a chunk that a run splits after it was checked are no duplicates; what is wrong with them is found."""
    campaign = await ran(journal, FakeClient(), 30)
    raw("UPDATE chunk SET state = 'in_flight', run = 7 WHERE number = 1")
    looked_at = integrity._page

    def split_behind(cursor, *, campaign, after):
        page = looked_at(cursor, campaign=campaign, after=after)
        if after == 0:
            chunk = repository.read_chunk(cursor, campaign, 1, "Hello")
            halves = repository.split(cursor, campaign, 7, chunk, common="Hello")
            assert [half.number for half in halves] == [4, 5]
            cursor.execute("UPDATE payload SET checksum = 'x' WHERE number = 5")
        return page

    monkeypatch.setattr(integrity, "_page", split_behind)
    assert (await campaign.verify()).findings == ("chunk 5: its checksum is wrong",)


async def test_a_purge_by_another_process_is_seen(journal):
    """Whoever opened the campaign before it was purged is told so by whatever it asks for; nothing is called damaged or sent."""
    campaign = await ran(journal, FakeClient(Raising(unknown())), 30)
    other = await journal.campaign("c")
    await other.purge()
    client = FakeClient()
    for ask in (
        lambda: campaign.load(numbers(30)),
        lambda: campaign.rows(list),
        lambda: campaign.run(client),
        lambda: campaign.resend_unknown(client),
    ):
        with pytest.raises(InvalidRequestError, match="purged"):
            await ask()
    assert (await campaign.verify()).sound
    assert [chunk.recipients for chunk in await campaign.unknown()] == [(), (), ()]
    assert not client.calls


@pytest.mark.every_journal
async def test_purging_keeps_the_sums_and_nothing_else(journal, raw):
    """After a purge no number and no text is left in the files, the sums are the same, and nothing more is sent."""
    message = SMS(template="Dear {name}")
    campaign = await journal.campaign("c", message, chunk_size=10)
    rows = [{"phone": number, "name": f"Adaeze{n % 3}"} for n, number in enumerate(numbers(60))]
    await campaign.load([*rows, {"phone": "+2349999999999x", "name": "Q"}])
    run = campaign.run(client := Doubtful({1}, set()), max_in_flight=1)
    client.on_wire = lambda: len(client.calls) == 3 and run.stop()
    before = await run
    secrets = (b"Adaeze", b"Dear", b"2349999999999")
    assert all(secret in raw.bytes() for secret in secrets)
    await campaign.purge()
    after = await campaign.status()
    assert (after.accepted, after.unknown, after.cancelled) == (before.accepted, before.unknown, before.pending)
    assert (after.cost, after.skipped, after.given) == (before.cost, before.skipped, 61)
    assert (await campaign.verify()).sound
    assert [chunk.recipients for chunk in await campaign.unknown()] == [()]
    assert not any(secret in raw.bytes() for secret in secrets)
    for refused in (lambda: campaign.load([]), lambda: campaign.export("x.csv")):
        with pytest.raises(InvalidRequestError, match="purged"):
            await refused()
    with pytest.raises(InvalidRequestError, match="purged"):
        campaign.run(FakeClient())
    assert "purged" in repr(await journal.campaign("c", message, chunk_size=10))
