"""A journal in a file: private, one process at a time, never anything but a journal."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

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

from .fakes import FakeClient, numbers

pytestmark = pytest.mark.anyio

HELLO = SMS("Hello")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/journal.db"


def path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


async def test_its_files_are_its_owners_alone(journal, url):
    """Numbers and texts lie in them: 0600, whatever the umask."""
    await journal.campaign("c", HELLO, chunk_size=10)
    files = list(path(url).parent.iterdir())
    assert len(files) == 4  # the database, its log and index, the lock
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
    with pytest.raises(JournalDamagedError, match="something else"):
        async with Journal.open(url):
            pass


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


@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("suffix", ["", ".lock"])
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
    assert (await campaign.status()).in_flight == 10
