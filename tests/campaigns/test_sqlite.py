"""A journal in a file: private, one process at a time, never anything but a journal."""

from __future__ import annotations

import contextlib
import errno
import functools
import sqlite3
import stat
from pathlib import Path

import anyio
import pytest

from callsavvy_async import SMS
from callsavvy_async.bulk.report import ReportError
from callsavvy_async.campaigns import (
    Journal,
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    JournalUnavailableError,
)
from callsavvy_async.campaigns.journal.sqlite import SQLite
from tests.profiles import mostly_long

from .fakes import FakeClient, numbers

pytestmark = pytest.mark.anyio

HELLO = SMS("Hello")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/journal.db"


def path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def opened(url: str) -> list[str]:
    """Return the files of a journal that this process has open."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [str(link.readlink()) for link in links if str(link.readlink()).startswith(str(path(url)))]


def make_public(url: str) -> None:
    """Make empty files of its names that everybody can read."""
    for suffix in ("", ".lock", "-wal", "-shm", ".control"):
        file = Path(f"{path(url)}{suffix}")
        file.touch()
        file.chmod(0o644)


async def test_its_files_are_its_owners_alone(journal, url):
    """Numbers and texts lie in them: 0600, whatever the umask."""
    await journal.campaign("c", HELLO, chunk_size=10)
    files = list(path(url).parent.iterdir())
    assert len(files) == 5  # the database, its log and index, the lock, the control file
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_one_writer_at_a_time(journal, url):
    """A second writer is refused, a reader is not; when the first is gone, the second may."""
    await journal.campaign("c", HELLO, chunk_size=10)
    with pytest.raises(JournalInUseError, match="open in another process"):
        async with Journal.open(url):
            pass
    async with Journal.open(url, read_only=True) as reader:
        assert [report.name for report in await reader.campaigns()] == ["c"]
        with pytest.raises(JournalError, match="reading only"):
            await reader.campaign("d", HELLO, chunk_size=10)


async def test_no_row_is_left_unfetched(url, monkeypatch):
    """PyPy ends a statement only with its last row, and begins no transaction beside one: opening fetches every row."""
    connections = []

    class Watching(sqlite3.Connection):
        latest: sqlite3.Cursor | None = None

        def execute(self, *statement) -> sqlite3.Cursor:
            assert self.latest is None or self.latest.fetchone() is None, "a row was left"
            connections.append(self)
            self.latest = super().execute(*statement)
            return self.latest

    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Watching))
    async with Journal.open(url) as journal:
        await (await journal.campaign("c", HELLO, chunk_size=10)).load(numbers(3))
    assert connections


async def test_a_damaged_file_is_refused(url):
    """What cannot be read is named, and left as it is; no advice could send anything twice."""
    content = b"SQLite format 3\0" + b"x" * 5000
    path(url).write_bytes(content)
    for read_only in (False, True):
        with pytest.raises(JournalDamagedError, match=r"damaged.*An older copy lacks what was sent since"):
            async with Journal.open(url, read_only=read_only):
                pass
    assert path(url).read_bytes() == content


@pytest.mark.parametrize(
    "content", [b"name,phone\nAda,+2348012345678\n", b"a text file.\n" * 500, b"PK\x03\x04" * 2000]
)
async def test_another_file_is_no_damaged_journal(url, content):
    """A list or a workbook that is named by mistake is no journal; it is left as it is, and nothing is made beside it."""
    path(url).write_bytes(content)
    for read_only in (False, True):
        with pytest.raises(JournalError, match="is no journal; name another file") as refused:
            async with Journal.open(url, read_only=read_only):
                pass
        assert type(refused.value) is JournalError
    assert path(url).read_bytes() == content
    assert list(path(url).parent.iterdir()) == [path(url)]


@pytest.mark.parametrize(
    "theirs",
    [
        "CREATE TABLE theirs (name TEXT)",
        "CREATE TABLE journal (name TEXT, value TEXT)",
        "CREATE VIEW journal AS SELECT 'a' AS name, 'b' AS value",
    ],
)
async def test_a_foreign_database_is_refused(url, theirs):
    """Somebody else's tables are not written into, whatever they are called."""
    with sqlite3.connect(path(url)) as foreign:
        foreign.execute(theirs)
    foreign.close()
    with pytest.raises(JournalError, match="another application"):
        async with Journal.open(url):
            pass


async def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    """Without a place for the lock or the file, nothing is begun."""
    with pytest.raises(JournalError, match="folder must exist"):
        async with Journal.open(f"sqlite:///{tmp_path}/nowhere/x.db"):
            pass
    (tmp_path / "x.db").mkdir()
    with pytest.raises(JournalError, match="cannot be opened for writing"):
        async with Journal.open(f"sqlite:///{tmp_path}/x.db"):
            pass
    with pytest.raises(JournalError, match="no journal"):
        async with Journal.open(f"sqlite:///{tmp_path}/none.db", read_only=True):
            pass


async def test_a_folder_that_takes_no_file_is_refused():
    """A journal that cannot be written is not run; /proc takes no file of anybody's, root's included."""
    with pytest.raises(JournalError, match="folder must exist"):
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
        await (await journal.campaign("c", HELLO, chunk_size=10)).load(numbers(30))
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


@pytest.mark.parametrize("replaced", mostly_long([False, True]))
@pytest.mark.parametrize("suffix", ["", ".lock", ".control"])
async def test_a_journal_that_goes_away_stops_the_run(journal, url, suffix, replaced):
    """Once its file or its lock is moved, removed or replaced, nothing more is sent: nobody would know of it."""
    file = Path(f"{path(url)}{suffix}")
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
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
    assert (await campaign.status()).unknown == 10


async def test_files_that_were_there_before_become_private(url):
    """A file that `touch` made, or `cp` under a wide umask, with its log: the owner's mode all the same."""
    make_public(url)
    async with Journal.open(url) as journal:
        await journal.campaign("c", HELLO, chunk_size=10)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path(url).parent.iterdir()}
    assert len(modes) == 5
    assert set(modes.values()) == {0o600}


async def test_the_same_process_goes_on_after_a_full_disk(journal, url, monkeypatch):
    """A run that could not even write that it ended keeps nothing from the next: neither a file open nor a chunk held."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(numbers(100))
    client = FakeClient()
    commit = journal._database.commit

    def full(cursor):
        if len(client.calls) >= 3:
            raise sqlite3.OperationalError("database or disk is full")
        commit(cursor)

    monkeypatch.setattr(journal._database, "commit", full)
    with pytest.raises(JournalUnavailableError, match="full"):
        await campaign.run(client, max_in_flight=1)
    monkeypatch.undo()
    with anyio.fail_after(10):
        report = await campaign.run(client, max_in_flight=1)
    assert (report.accepted, report.unknown, report.pending, report.in_flight) == (90, 10, 0, 0)
    assert client.reached == dict.fromkeys(numbers(100), 1)
    await journal._close()
    assert not opened(url)


async def test_a_file_that_was_full_when_it_was_opened_is_closed(url, monkeypatch):
    """What failed to open is open no more, even while its error is being looked at."""
    async with Journal.open(url):
        pass
    monkeypatch.setattr("callsavvy_async.campaigns.journal.sqlite._WATCH_DEPARTURES", "INSERT INTO nowhere VALUES (1)")
    with pytest.raises(JournalError) as kept:
        async with Journal.open(url):
            pass
    assert not opened(url), kept


async def test_a_file_that_cannot_be_opened_now_may_be_opened_later(url, monkeypatch):
    """Too many open files are no damage, whichever file of the journal meets them first."""

    def full(*_: object) -> bytes:
        raise OSError(errno.EMFILE, "Too many open files")

    async with Journal.open(url):
        pass
    for place in (
        "callsavvy_async.campaigns.journal.sqlite._beginning",
        "callsavvy_async.campaigns.journal.lock.os.open",
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, full)
            with pytest.raises(JournalUnavailableError, match="cannot be opened now: Too many open files"):
                async with Journal.open(url, patience=0):
                    pass


async def test_a_database_without_tables_is_no_journal_to_read(url):
    """A journal that was never completely made has nothing to show."""
    with contextlib.closing(sqlite3.connect(path(url))) as connection:
        connection.execute("PRAGMA user_version = 1")
    with pytest.raises(JournalError, match="open it once without read_only=True"):
        async with Journal.open(url, read_only=True):
            pass


def test_an_update_that_is_rejected_is_no_damage(url):
    """A constraint that an update breaks says nothing about the file."""
    error = SQLite(url, read_only=True).explain(sqlite3.IntegrityError("UNIQUE constraint failed"))
    assert type(error) is JournalError
    assert "rejects an update: UNIQUE constraint failed" in str(error)
