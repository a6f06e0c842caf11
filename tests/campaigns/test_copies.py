"""A journal that is an older copy of itself: noticed, and nothing of it is sent that may have been sent since."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, strategies as st

from callsavvy_async import SMS
from callsavvy_async.campaigns import Journal, JournalError
from callsavvy_async.campaigns.journal import lock as lock_module
from callsavvy_async.campaigns.journal.copies import RESTORED
from callsavvy_async.campaigns.journal.lock import FileLock
from callsavvy_async.campaigns.journal.witness import Witness, forget, state_folder
from testbed.servers.postgres import PostgresServer
from tests.profiles import mostly_long, trio_is_long

from .conftest import only_postgresql, only_sqlite
from .fakes import FakeClient, numbers

HELLO = SMS("Hello")
FIRST, SECOND, ALL = numbers(300), numbers(500), numbers(1000)


async def send_some(journal: Journal, client: FakeClient, *, upto: int) -> None:
    """Send until so many recipients are accepted."""
    campaign = await journal.campaign("c", HELLO, chunk_size=10)
    await campaign.load(ALL)
    run = campaign.run(client, max_in_flight=1, on_progress=lambda report: report.accepted >= upto and run.stop())
    await run


def put_back_the_file(folder: Path, copy: Path) -> Path:
    for file in folder.iterdir():
        if not file.name.endswith(".lock"):
            file.unlink()
    for file in copy.iterdir():
        if not file.name.endswith((".lock", "-shm")):
            shutil.copy(file, folder)
    return folder


def put_back_the_folder(folder: Path, copy: Path) -> Path:
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    return folder


def use_the_copy(_: Path, copy: Path) -> Path:
    return copy


def move_without_its_lock(folder: Path, copy: Path) -> Path:
    put_back_the_file(folder, copy)
    (folder / "journal.db.lock").unlink()
    return folder


@trio_is_long
@pytest.mark.anyio
@pytest.mark.parametrize(
    "way", mostly_long([put_back_the_file, move_without_its_lock, put_back_the_folder, use_the_copy], quick=2)
)
async def test_what_was_sent_after_the_copy_was_made_is_unknown(tmp_path: Path, way: Callable[[Path, Path], Path]):
    """Whichever way an older file comes back: what may have left since is unknown, the rest is sent, and nobody gets it twice."""
    client, folder = FakeClient(), tmp_path / "folder"
    folder.mkdir()
    async with Journal.open(f"sqlite:///{folder}/journal.db") as journal:
        await send_some(journal, client, upto=300)
        shutil.copytree(folder, tmp_path / "copy")  # with its log, while it is in use
        await send_some(journal, client, upto=500)
    folder = way(folder, tmp_path / "copy")
    for _ in range(2):  # also when it is opened again
        async with Journal.open(f"sqlite:///{folder}/journal.db") as journal:
            campaign = await journal.campaign("c")
            status = await campaign.status()
            assert (status.accepted, status.unknown, status.pending) == (300, 200, 500)
            assert {chunk.detail for chunk in await campaign.unknown()} == {RESTORED}
    async with Journal.open(f"sqlite:///{folder}/journal.db") as journal:
        report = await (await journal.campaign("c")).run(client)
        assert (report.accepted, report.unknown) == (800, 200)
    assert client.reached == dict.fromkeys(ALL, 1)


@pytest.mark.anyio
@only_sqlite
async def test_a_journal_that_was_not_exchanged_is_no_copy(url):
    """Opened again, moved, or killed between a commit and its witness: nothing becomes unknown."""
    client = FakeClient()
    async with Journal.open(url) as journal:
        await send_some(journal, client, upto=300)
    folder = Path(url.removeprefix("sqlite:///")).parent
    moved = folder.with_name(f"{folder.name}-moved")
    folder.rename(moved)
    (moved / "journal.db.lock").unlink()
    with sqlite3.connect(moved / "journal.db") as file:  # a witness that is behind by what was committed last
        file.execute("UPDATE journal SET value = value + 1 WHERE name = 'departures'")
    file.close()
    async with Journal.open(f"sqlite:///{moved}/journal.db") as journal:
        status = await (await journal.campaign("c")).status()
    assert (status.accepted, status.unknown, status.pending) == (300, 0, 700)


@pytest.mark.anyio
@only_sqlite
async def test_a_backup_is_complete_until_the_journal_goes_on(url, tmp_path: Path):
    """A copy made by `backup` may take the journal's place; once the journal went on without it, it is an older copy."""
    client, kept = FakeClient(), tmp_path / "kept.db"
    async with Journal.open(url) as journal:
        await send_some(journal, client, upto=300)
        async with Journal.open(url, read_only=True) as reader:  # also of a journal that another process has open
            await reader.backup(kept)
        with pytest.raises(JournalError, match=r"kept\.db exists"):
            await journal.backup(kept)
        with pytest.raises(JournalError, match="folder must exist"):
            await journal.backup(tmp_path / "nowhere" / "kept.db")
    assert kept.stat().st_mode & 0o777 == 0o600
    async with Journal.open(f"sqlite:///{kept}") as journal:
        assert (await (await journal.campaign("c")).status()).pending == 700
        await send_some(journal, client, upto=500)
    async with Journal.open(url) as journal:
        status = await (await journal.campaign("c")).status()
    assert (status.unknown, status.pending) == (200, 500)


@pytest.mark.anyio
@only_sqlite
async def test_a_backup_that_fails_leaves_no_file(url, tmp_path: Path):
    """Half a copy is none."""
    async with Journal.open(url) as journal:
        with pytest.raises(JournalError):
            await journal._writer.run(lambda cursor: journal._database.backup(cursor, tmp_path / "kept.db"))
    assert not (tmp_path / "kept.db").exists()


@pytest.mark.anyio
@only_postgresql
async def test_a_server_makes_its_own_backups(url, tmp_path: Path):
    """Of a journal in PostgreSQL no file is made; what makes one is named."""
    async with Journal.open(url) as journal:
        with pytest.raises(JournalError, match="pg_dump"):
            await journal.backup(tmp_path / "kept.db")


@pytest.mark.anyio
@only_sqlite
async def test_whom_a_copy_lacks_is_not_loaded_again(url, tmp_path: Path):
    """A campaign that was made and sent after the copy is not in it: made anew it would reach everybody twice."""
    client, kept = FakeClient(), tmp_path / "kept.db"
    async with Journal.open(url) as journal:
        await journal.campaign("a", HELLO, chunk_size=10)
        await journal.backup(kept)
        await send_some(journal, client, upto=1000)
    async with Journal.open(f"sqlite:///{kept}") as journal:
        campaign = await journal.campaign("c", HELLO, chunk_size=10)
        with pytest.raises(JournalError, match="lacks recipients of requests sent since"):
            await campaign.load(ALL)


@pytest.mark.anyio
@only_sqlite
async def test_a_person_settles_a_copy(url, tmp_path: Path):
    """One word settles all that is unknown for this reason, and nothing else."""
    client, kept = FakeClient(), tmp_path / "kept.db"
    async with Journal.open(url) as journal:
        await send_some(journal, client, upto=300)
        await journal.backup(kept)
        await send_some(journal, client, upto=500)
    async with Journal.open(f"sqlite:///{kept}") as journal:
        campaign = await journal.campaign("c")
        await journal._writer.run(
            lambda cursor: cursor.execute("UPDATE chunk SET state = 'unknown', detail = 'lost' WHERE number = 1")
        )
        assert await campaign.resolve_restored(as_sent=True) == 20
        status = await campaign.status()
        assert (status.accepted, status.unknown) == (490, 10)
        assert await campaign.resolve_restored(as_sent=False) == 0


@trio_is_long
@pytest.mark.anyio
async def test_a_copy_of_a_database_is_noticed(postgres: PostgresServer, anyio_backend):
    """A database that was restored is another one: all that is not settled in it is unknown, and can be declared not sent."""
    client, url = FakeClient(), postgres.new_database()
    async with Journal.open(url) as journal:
        await send_some(journal, client, upto=300)
    server, _, name = url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}_copy" TEMPLATE "{name}"')
    async with Journal.open(url) as journal:  # opened again it is the same
        await send_some(journal, client, upto=500)
        assert (await (await journal.campaign("c")).status()).pending == 500
    async with Journal.open(f"{url}_copy") as journal:
        campaign = await journal.campaign("c")
        status = await campaign.status()
        assert (status.accepted, status.unknown, status.pending) == (300, 700, 0)
        assert (await campaign.run(client)).accepted == 300
        assert await campaign.resolve_restored(as_sent=False) == 70
        assert (await campaign.status()).not_sent == 700
    assert client.reached == dict.fromkeys(SECOND, 1)


@pytest.mark.anyio
@only_postgresql
async def test_a_server_that_does_not_say_where_it_is(url, raw, monkeypatch):
    """Where the right to ask is missing, or the server is a standby, the journal is used without the check."""
    raw("CREATE FUNCTION deny() RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE insufficient_privilege; END'")
    for place in ("SELECT 'nowhere' WHERE false", "SELECT deny()"):
        monkeypatch.setattr("callsavvy_async.campaigns.journal.postgres._PLACE", place)
        async with Journal.open(url) as journal:
            await journal.campaign("c", HELLO, chunk_size=10)
    assert raw("SELECT count(*) FROM journal WHERE name = 'server'") == [(0,)]


@pytest.mark.long
def test_a_forked_child_keeps_neither_the_lock_nor_the_journal(tmp_path: Path):
    """The parent may close and open its journal while a child lives; the child is told to open it anew, and does not hang."""
    program = f"""
import asyncio, os, sys
from callsavvy_async.campaigns import Journal, JournalError
URL = "sqlite:///{tmp_path}/journal.db"
async def main():
    inner, outer = os.pipe()
    async with Journal.open(URL) as journal:
        child = os.fork()
        if child == 0:
            try:
                await journal.campaigns()
            except JournalError as error:
                os.write(2, str(error).encode())
            os.read(inner, 1)
            os._exit(0)
    async with Journal.open(URL):
        os.write(outer, b"x")
    os.waitpid(child, 0)
asyncio.run(main())
"""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == "the journal was opened before this process was forked; open it again in this process."


@pytest.mark.anyio
async def test_a_child_closes_what_it_inherited_without_a_word(tmp_path: Path, monkeypatch):
    """Leaving the block in a forked process neither waits for a thread that is not there, nor closes the parent's file."""
    async with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        monkeypatch.setattr(os, "getpid", lambda: -1)
        await journal._close()
        monkeypatch.undo()
        journal._writer._closed = False
        journal._writer._thread.join()
        journal._writer._thread = None


chunks = st.dictionaries(
    st.tuples(st.integers(1, 3), st.sampled_from(["", "Africa/Lagos"])), st.integers(1, 99), min_size=1
)


@pytest.mark.long
@given(steps=st.lists(chunks, min_size=1, max_size=5), cut=st.integers(0, 60), garbage=st.binary(max_size=30))
def test_a_witness_remembers_the_highest_and_never_makes_up(tmp_path_factory, steps, cut, garbage):
    """Whatever a power cut leaves of its line, what is recalled is what was noted last, or nothing."""
    path = tmp_path_factory.mktemp("witness") / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    journal = f"test-{path.parent.name}"
    witness = Witness(journal, descriptor)
    for count, step in enumerate(steps, 1):
        witness.note(count, step)
    witness.close()
    again = Witness(journal, descriptor)
    again.recall()
    assert (again.departures, again.reached) == (len(steps), witness.reached)
    assert all(again.reached[key] >= number for step in steps for key, number in step.items())
    line = path.read_bytes()
    path.write_bytes(line[:cut] + garbage)
    alone = Witness(f"{journal}-other", descriptor)
    alone.recall()
    assert (alone.departures, alone.reached) == (0, {})
    os.close(descriptor)


def test_a_witness_that_cannot_write_is_left_out(tmp_path: Path, monkeypatch):
    """A home that takes no file, or none at all, is no reason not to send."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    Witness("j", descriptor).note(1, {(1, ""): 1})
    witness = Witness("j", descriptor)
    witness.recall()
    assert witness.departures == 1
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", classmethod(lambda _: (_ for _ in ()).throw(RuntimeError)))
    witness.note(2, {(1, ""): 2})
    witness.recall()
    assert witness.departures == 2
    os.close(descriptor)
    witness.note(3, {})


def test_a_witness_of_another_journal_is_no_witness(tmp_path: Path):
    """A lock file that was copied along tells nothing about this journal."""
    descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    Witness("theirs", descriptor).note(7, {(1, ""): 7})
    ours = Witness("ours", descriptor)
    ours.recall()
    assert (ours.departures, ours.reached) == (0, {})
    os.close(descriptor)


def test_a_child_gives_up_the_locks_that_it_inherited(tmp_path: Path):
    """After a fork the child holds no lock: its parent may close and open the journal."""
    inherited, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    inherited.acquire()
    lock_module._release_all()
    other.acquire()
    other.release()


def test_a_journal_that_is_deleted_leaves_no_record(tmp_path: Path, monkeypatch):
    """The record in the state folder goes before a temporary journal does. A journal that sent nothing has none."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    descriptor = os.open(tmp_path / "journal.db.lock", os.O_RDWR | os.O_CREAT)
    forget(tmp_path / "journal.db")
    witness = Witness("j", descriptor)
    witness.note(1, {(1, ""): 1})
    witness.close()
    record = state_folder() / "journals" / "j"
    assert record.exists()
    forget(tmp_path / "journal.db")
    assert not record.exists()
    os.close(descriptor)
