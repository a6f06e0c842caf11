"""Opening a journal: private, one process at a time, never anything but a journal."""

from __future__ import annotations

import sqlite3
import stat
import zlib
from decimal import Decimal
from pathlib import Path

import pytest

from callsavvy_async.bulk.report import ReportError
from callsavvy_async.campaigns import (
    Campaign,
    Journal,
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    JournalUnavailableError,
    State,
    sql,
)
from callsavvy_async.campaigns.payload import unpack
from callsavvy_async.errors import ConfigurationError, InvalidRequestError

from .fakes import FakeClient, numbers

pytestmark = pytest.mark.anyio

SPEC = Campaign.sms("Hello", chunk_size=10)


def path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


async def test_its_files_are_its_owners_alone(journal, url):
    """Numbers and texts lie in them: 0600, whatever the umask."""
    await journal.campaign("c", SPEC)
    files = list(path(url).parent.iterdir())
    assert len(files) == 4  # the database, its log and index, the lock
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_one_writer_at_a_time(journal, url):
    """A second writer is refused, a reader is not; when the first is gone, the second may."""
    await journal.campaign("c", SPEC)
    with pytest.raises(JournalInUseError, match="open in another process"):
        async with Journal.open(url):
            pass
    async with Journal.open(url, read_only=True) as reader:
        assert [report.name for report in await reader.campaigns()] == ["c"]
        with pytest.raises(JournalError, match="reading only"):
            await reader.campaign("d", SPEC)


async def test_it_may_be_opened_again(url):
    """Closing gives the lock back, and nothing is lost."""
    for name in ("a", "b"):
        async with Journal.open(url) as journal:
            await journal.campaign(name, SPEC)
    async with Journal.open(url) as journal:
        assert [report.name for report in await journal.campaigns()] == ["a", "b"]
        assert "journal.db" in repr(journal)


async def test_a_changed_text_under_an_old_name_is_refused(journal):
    """What differs is named, and no text is shown."""
    campaign = await journal.campaign("c", SPEC)
    assert (await journal.campaign("c")).spec == SPEC == campaign.spec
    with pytest.raises(InvalidRequestError, match="another message, sender_id;") as refused:
        await journal.campaign("c", Campaign.sms("Secret", sender_id="Acme", chunk_size=10))
    assert "Secret" not in str(refused.value)
    assert "Hello" not in repr(SPEC)
    assert repr(campaign) == "<Campaign 'c': sms>"


async def test_a_name_is_needed_and_known(journal):
    """A blank name, or one that is not there, is refused."""
    with pytest.raises(InvalidRequestError, match="blank"):
        await journal.campaign(" ", SPEC)
    with pytest.raises(InvalidRequestError, match="no campaign 'c'"):
        await journal.campaign("c")


async def test_only_sqlite_is_opened():
    """Another URL is refused at once."""
    for url in ("postgresql://host/db", "sqlite:///", "x.db"):
        with pytest.raises(ConfigurationError, match="sqlite:///"):
            Journal.open(url)


@pytest.mark.parametrize(
    "content", [b"This is no database at all, but a text file.\n" * 50, b"SQLite format 3\0" + b"x" * 5000]
)
async def test_a_damaged_file_is_refused(url, content):
    """What cannot be read is named, and left as it is."""
    path(url).write_bytes(content)
    for read_only in (False, True):
        with pytest.raises(JournalDamagedError, match="damaged"):
            async with Journal.open(url, read_only=read_only):
                pass
    assert path(url).read_bytes() == content


async def test_a_foreign_database_is_refused(url):
    """Somebody else's tables are not written into."""
    with sqlite3.connect(path(url)) as foreign:
        foreign.execute("CREATE TABLE journal (name TEXT, value TEXT)")
    foreign.close()
    with pytest.raises(JournalDamagedError, match="something else"):
        async with Journal.open(url):
            pass
    path(url).unlink()
    with sqlite3.connect(path(url)) as foreign:
        foreign.execute("CREATE VIEW journal AS SELECT 'a' AS name, 'b' AS value")
    foreign.close()
    with pytest.raises(JournalDamagedError, match="something else"):
        async with Journal.open(url):
            pass


async def test_versions(url):
    """A later version is refused; an earlier one is brought forward, but not by a reader."""
    async with Journal.open(url):
        pass
    for version, message in (("99", "later version"), ("0", "older version")):
        with sqlite3.connect(path(url)) as raw:
            raw.execute("UPDATE journal SET value = ? WHERE name = 'version'", (version,))
        raw.close()
        with pytest.raises(JournalError, match=message):
            async with Journal.open(url, read_only=True):
                pass


async def test_an_older_journal_is_brought_forward(url, monkeypatch):
    """Every migration that is missing is run once, in order."""
    async with Journal.open(url):
        pass
    monkeypatch.setattr(sql, "VERSION", 2)
    monkeypatch.setattr(sql, "MIGRATIONS", (*sql.MIGRATIONS, ("ALTER TABLE campaign ADD COLUMN note TEXT",)))
    for _ in range(2):
        async with Journal.open(url) as journal:
            await journal._writer.run(lambda cursor: cursor.execute("SELECT note FROM campaign"))


async def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    """Without a place for the lock or the file, nothing is begun."""
    with pytest.raises(JournalUnavailableError, match="folder must exist"):
        async with Journal.open(f"sqlite:///{tmp_path}/nowhere/x.db"):
            pass
    (tmp_path / "x.db").mkdir()
    with pytest.raises(JournalUnavailableError, match="cannot be opened for writing"):
        async with Journal.open(f"sqlite:///{tmp_path}/x.db"):
            pass
    with pytest.raises(JournalUnavailableError, match="no journal"):
        async with Journal.open(f"sqlite:///{tmp_path}/none.db", read_only=True):
            pass


async def test_what_a_dead_process_left(url):
    """Claimed is pending, in flight is unknown, for whoever opens it next."""
    async with Journal.open(url) as journal:
        campaign = await journal.campaign("c", SPEC)
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


async def test_a_folder_that_takes_no_file_is_refused():
    """A journal that cannot be written is not run; /proc takes no file of anybody's, root's included."""
    with pytest.raises(JournalUnavailableError):
        async with Journal.open("sqlite:////proc/journal.db"):
            pass


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE campaign SET spec = replace(spec, 'Hello', 'Jello')",
        "UPDATE campaign SET spec = ''",
        "UPDATE chunk SET state = 'pe;ding' WHERE number = 1",
        "UPDATE chunk SET estimate = 'x1' WHERE number = 1",
        "UPDATE chunk SET state = CAST(x'ff70' AS TEXT) WHERE number = 1",
        "UPDATE load SET given = 'many'",
    ],
)
async def test_damaged_content_is_said_and_not_sent(url, damage):
    """A text that nobody wrote, a state that there is not: the journal's error, and nothing leaves."""
    async with Journal.open(url) as journal:
        await (await journal.campaign("c", SPEC)).load(numbers(30))
        await journal._writer.run(lambda cursor: cursor.execute(damage))
    client = FakeClient()
    with pytest.raises((JournalDamagedError, ReportError)) as refused:
        async with Journal.open(url) as journal:
            await (await journal.campaign("c")).run(client)
    assert not client.calls
    assert not any(content in str(refused.value) for content in ("Jello", "pe;ding", "x1", "p'"))


async def test_damaged_schema_is_said(url):
    """A file whose own description cannot be read is a damaged one."""
    async with Journal.open(url):
        pass
    content = bytearray(path(url).read_bytes())
    start = content.index(b"CREATE TABLE journal")
    content[start - 12 : start - 5] = b"\xff" * 7  # the name of the table
    path(url).write_bytes(content)
    with pytest.raises(JournalDamagedError):
        async with Journal.open(url):
            pass


async def test_one_writer_under_whatever_name(journal, url, tmp_path):
    """A symbolic link leads to the same lock, and a file with a second hard name is refused."""
    (tmp_path / "link.db").symlink_to(path(url))
    with pytest.raises(JournalInUseError):
        async with Journal.open(f"sqlite:///{tmp_path}/link.db"):
            pass
    (tmp_path / "hard.db").hardlink_to(path(url))
    with pytest.raises(JournalError, match="second name"):
        async with Journal.open(f"sqlite:///{tmp_path}/hard.db"):
            pass


@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("suffix", ["", ".lock"])
async def test_a_journal_that_goes_away_stops_the_run(journal, url, suffix, replaced):
    """Once its file or its lock is moved, removed or replaced, nothing more is sent: nobody would know of it."""
    file = Path(f"{path(url)}{suffix}")
    campaign = await journal.campaign("c", SPEC)
    await campaign.load(numbers(100))
    client = FakeClient()
    moved = file.with_name("moved")

    def move_away() -> None:
        if len(client.calls) == 3:
            file.rename(moved)
            if replaced:
                file.touch()

    client.on_wire = move_away
    with pytest.raises(JournalUnavailableError, match="moved or removed"):
        await campaign.run(client, max_in_flight=1)
    assert len(client.calls) == 3
    moved.rename(file)
    assert (await campaign.status()).in_flight == 10


async def test_what_is_no_error_of_the_journal_is_raised_as_it_is(journal):
    """An error of the program is not called damage."""

    def fail(_) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await journal._writer.run(fail)
