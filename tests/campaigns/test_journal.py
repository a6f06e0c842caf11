"""Opening a journal: private, one process at a time, never anything but a journal."""

from __future__ import annotations

import zlib
from decimal import Decimal

import pytest

from callsavvy_async import SMS
from callsavvy_async.campaigns import (
    Journal,
    JournalDamagedError,
    JournalError,
    State,
)
from callsavvy_async.campaigns.journal import sql
from callsavvy_async.campaigns.journal.payload import unpack
from callsavvy_async.errors import ConfigurationError, InvalidRequestError

from .fakes import FakeClient, numbers

pytestmark = pytest.mark.anyio

HELLO = SMS("Hello")


async def test_it_may_be_opened_again(url, raw):
    """Closing gives the lock back, and nothing is lost."""
    for name in ("a", "b"):
        async with Journal.open(url) as journal:
            await journal.campaign(name, HELLO, chunk_size=10)
    async with Journal.open(url) as journal:
        assert [report.name for report in await journal.campaigns()] == ["a", "b"]
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


async def test_versions(url, raw):
    """A later version is refused; an earlier one is brought forward, but not by a reader."""
    async with Journal.open(url):
        pass
    for version, message in (("99", "later version"), ("0", "older version")):
        raw(f"UPDATE journal SET value = '{version}' WHERE name = 'version'")
        with pytest.raises(JournalError, match=message):
            async with Journal.open(url, read_only=True):
                pass


async def test_an_older_journal_is_brought_forward(url, monkeypatch):
    """Every migration that is missing is run once, in order."""
    async with Journal.open(url):
        pass
    monkeypatch.setattr(sql, "VERSION", sql.VERSION + 1)
    monkeypatch.setattr(sql, "MIGRATIONS", (*sql.MIGRATIONS, ("ALTER TABLE campaign ADD COLUMN note TEXT",)))
    for _ in range(2):
        async with Journal.open(url) as journal:
            await journal._writer.run(lambda cursor: cursor.execute("SELECT note FROM campaign"))


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
