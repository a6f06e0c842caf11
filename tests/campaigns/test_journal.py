"""Opening a journal: private, one process at a time, never anything but a journal."""

from __future__ import annotations

import zlib
from decimal import Decimal

import attrs
import pytest

from callsavvy_async import SMS, Callsavvy
from callsavvy_async.campaigns import (
    Journal,
    JournalDamagedError,
    JournalError,
    JournalUnavailableError,
    OtherAccountError,
    State,
)
from callsavvy_async.campaigns.journal import retrying_writer
from callsavvy_async.campaigns.journal.payload import unpack
from callsavvy_async.errors import ConfigurationError, InvalidRequestError
from tests.profiles import mostly_long_rows

from .fakes import FakeClient, numbers

pytestmark = [pytest.mark.anyio, pytest.mark.every_journal]

HELLO = SMS("Hello")


async def test_it_may_be_opened_again(url, raw):
    """Closing gives the lock back, and nothing is lost."""
    for name in ("a", "b"):
        async with Journal.open(url) as journal:
            await journal.campaign(name, HELLO, chunk_size=10)
    async with Journal.open(url) as journal:
        assert [report.name for report in await journal.campaigns()] == ["a", "b"]
        assert (await journal.campaign("a")).settings.chunk_size == 10
        assert ("journal.db" if raw.is_file else "postgresql://127.0.0.1/test_") in repr(journal)


async def test_a_changed_text_under_an_old_name_is_refused(journal):
    """What differs is named, and no text is shown."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    assert (await journal.campaign("c")).message == HELLO == campaign.message
    with pytest.raises(InvalidRequestError, match="another text, sender_id;") as refused:
        await journal.campaign("c", SMS("Secret", sender_id="Acme"), chunk_size=10)
    assert "Secret" not in str(refused.value)
    assert "Hello" not in repr(HELLO)
    assert repr(campaign) == "<Campaign 'c': sms>"


async def test_a_name_is_needed_and_known(journal):
    """A blank name, or one that is not there, is refused."""
    with pytest.raises(InvalidRequestError, match="blank"):
        await journal.campaign(" ", HELLO, chunk_size=10)
    with pytest.raises(InvalidRequestError, match="no campaign 'c'"):
        await journal.campaign("c")


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite:///", "x.db"])
async def test_another_url_is_refused(url):
    """What is no journal is refused at once, and it is said what one looks like."""
    with pytest.raises(ConfigurationError, match=r"sqlite:///.*postgresql://"):
        Journal.open(url)


@pytest.mark.parametrize("read_only", [False, True])
async def test_another_version_is_refused(url, raw, read_only):
    """A journal of another version is not guessed at."""
    async with Journal.open(url):
        pass
    raw("UPDATE journal SET value = '99' WHERE name = 'version'")
    with pytest.raises(JournalError, match="another version"):
        async with Journal.open(url, read_only=read_only):
            pass


async def test_a_reader_makes_no_journal(url):
    """Where there is none, looking makes none."""
    for _ in range(2):
        with pytest.raises(JournalError, match="there is no journal"):
            async with Journal.open(url, read_only=True):
                pass


async def test_what_a_dead_process_left(url):
    """Claimed is pending, in flight is unknown, for whoever opens it next."""
    async with Journal.open(url) as journal:
        campaign = await journal.campaign("c", HELLO, chunk_size=10)
        await campaign.load(numbers(30))
        set_states = "UPDATE chunk SET state = ? WHERE number = ?"
        states = [(State.CLAIMED, 1), (State.IN_FLIGHT, 2)]
        await journal._writer.run(lambda cursor: cursor.executemany(set_states, states))
        assert (await campaign.status()).in_flight == 10
    async with Journal.open(url) as journal:
        campaign = await journal.campaign("c")
        status = await campaign.status()
        assert (status.pending, status.unknown, status.in_flight) == (20, 10, 0)
        (unknown,) = await campaign.unknown()
        assert (unknown.number, unknown.estimate, len(unknown.recipients)) == (2, Decimal(10), 10)
        assert "died" in unknown.detail
        assert numbers(30)[10] not in repr(unknown)
        client = FakeClient()
        report = await campaign.run(client)
        assert (report.accepted, report.unknown) == (20, 10)
        assert not set(numbers(10, 10)) & set(client.reached)


@pytest.mark.parametrize("body", [b"x", zlib.compress(b"1234567"), zlib.compress(b"12345678")])
async def test_a_payload_of_nonsense_is_damaged(body):
    """Bytes that were never packed are refused."""
    with pytest.raises(JournalDamagedError):
        unpack(body)


async def test_what_is_no_error_of_the_journal_is_raised_as_it_is(journal):
    """An error of the program is not called damage."""

    def fail(_) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await journal._writer.run(fail)


async def test_opening_waits_an_outage_out(url, monkeypatch):
    """A journal that is away for a moment is opened when it is back, and given up when patience is used up."""
    monkeypatch.setattr(retrying_writer, "_BETWEEN_ATTEMPTS", 0.001)
    journal = Journal.open(url)
    tries, really_open = [], journal._database.open

    def open_at_the_third_try() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise JournalUnavailableError("away")
        really_open()

    monkeypatch.setattr(journal._database, "open", open_at_the_third_try)
    async with journal:
        await journal.campaign("c", HELLO, chunk_size=10)
    tries.clear()
    impatient = Journal.open(url, patience=0)
    monkeypatch.setattr(impatient._database, "open", open_at_the_third_try)
    with pytest.raises(JournalUnavailableError, match="away"):
        async with impatient:
            pass
    assert len(tries) == 1


OTHERS = [
    ({"account": "another"}, False),
    ({"server": "https://other.example/v1"}, False),
    ({}, True),
]


@pytest.mark.parametrize(("other", "simulated"), mostly_long_rows(OTHERS))
async def test_a_campaign_belongs_to_one_account_and_server(url, other, simulated):
    """Another account, another server, a rehearsal: whoever did not begin it sends nothing of it, whatever is asked for."""
    client, stranger = FakeClient(), FakeClient()
    stranger.destination = attrs.evolve(client.destination, **other)
    async with Journal.open(url) as journal:
        campaign = await journal.campaign("c", HELLO, chunk_size=10)
        await campaign.load(numbers(100))
        await campaign.run(client, max_cost=30)
    async with Journal.open(url, simulated=simulated) as journal:
        campaign = await journal.campaign("c")
        for ask in (campaign.run, campaign.resend_unknown, campaign.reconcile, campaign.bind):
            with pytest.raises(OtherAccountError, match="belongs to account an-account at https://"):
                await ask(stranger)
    assert not stranger.calls
    async with Journal.open(url) as journal:
        report = await (await journal.campaign("c")).run(client)
    assert (report.accepted, report.simulated, report.server) == (100, False, "https://api.example/v1")


async def test_a_rehearsal_is_never_sent_for_real(url):
    """Every simulator has an address of its own, so rehearsals share a campaign; a real client does not join them."""
    async with Journal.open(url, simulated=True) as journal:
        campaign = await journal.campaign("c", HELLO, chunk_size=10)
        await campaign.load(numbers(100))
        for port, most in ((1, 30), (2, 60)):
            client = FakeClient()
            client.destination = attrs.evolve(client.destination, server=f"http://127.0.0.1:{port}/v1")
            report = await campaign.run(client, max_cost=most)
        assert (report.accepted, report.simulated, report.server) == (60, True, "")
        assert str(report).startswith("campaign c (simulated): 100 recipients given")
        assert report.as_dict()["simulated"] is True
    async with Journal.open(url) as journal:
        with pytest.raises(OtherAccountError, match="belongs to the simulator, not to account"):
            await (await journal.campaign("c")).run(FakeClient())


async def test_clients_tell_their_account_without_naming_it():
    """What is kept of a key is a hash of it: the same for the same account, and neither key."""
    one, same, other = (Callsavvy(public_key=key, private_key="private") for key in ("one", "one", "other"))
    assert one.destination == same.destination != other.destination
    assert len(one.destination.account) == 16
    assert one.destination.server == other.destination.server == "https://api.getcallsavvy.com/v1"
