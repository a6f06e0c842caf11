"""Loads recipients into a campaign, in batches and atomically: an interrupted load has no effect.

1. The first batch with a new number creates a row in `load`. Later batches add their chunks.
2. A digest of the list in that row completes the load. The digest identifies the list, so a repeated load writes nothing.
3. The next load deletes an incomplete one and never continues it, because the list may have changed.

Memory does not grow with the list: a set on disk holds the numbers in the journal, and a spool holds the skipped rows.

One process at a time loads a campaign. It holds a lock that ends with its connection. If a process loses its lock
unnoticed, the next process deletes its load. The deletion starts with the row that each batch updates first, so a late
batch fails and leaves no chunk behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import islice

import anyio
import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.doubtful import Doubtful
from callsavvy_async.bulk.recipients import Admitted, Recipient, RecipientFilter, RecipientInput, Skipped, SkipReason
from callsavvy_async.bulk.source import InputSource, Recipients
from callsavvy_async.bulk.spool import Spool
from callsavvy_async.campaigns.canonical_rows import canonical_rows
from callsavvy_async.campaigns.errors import JournalInUseError, JournalUnavailableError
from callsavvy_async.campaigns.journal import copies, repository, runs, sql
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.writer import Work, Writer
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.campaigns.sqlite_number_set import SqliteNumberSet

BATCH = 64
"""Chunks per transaction."""
_PAGE = 200
_MOST_SKIPPED = 5_000
"""Skipped rows per transaction."""


class _HashedFilter:
    """A filter that also hashes its options and every row."""

    def __init__(self, recipient_filter: RecipientFilter) -> None:
        self._filter = recipient_filter
        self.close = recipient_filter.close
        self._hash = hashlib.sha256(f"{recipient_filter.rules!a}\n".encode())

    @property
    def is_looking(self) -> bool:
        return self._filter.is_looking

    def admit(self, item: RecipientInput, row: int) -> Recipient | Skipped:
        admitted = self._filter.admit(item, row)
        self._hash.update(canonical_rows([item]))
        return admitted

    def admit_block(self, items: Sequence[RecipientInput], row: int) -> Admitted:
        admitted = self._filter.admit_block(items, row)
        self._hash.update(canonical_rows(items))
        return admitted

    def digest(self) -> str:
        return self._hash.hexdigest()


@attrs.define
class _LoadTally:
    """Counts of the rows read, and the skipped rows that are not written yet."""

    doubtful: Doubtful
    given: int = 0
    input_complete: bool = False
    skipped: int = 0
    _spool: Spool = attrs.field(factory=Spool)

    def skip(self, skipped: Skipped) -> None:
        """Keep a skipped row."""
        self._spool.append((skipped.reason.value, None, None, skipped.detail, [(skipped.row, skipped.given)]))
        self.skipped += 1

    def take_skipped(self) -> Iterator[Skipped]:
        """Remove and return the skipped rows."""
        spool, self._spool, self.skipped = self._spool, Spool(), 0
        return (Skipped(row, given, SkipReason(reason), detail) for reason, _, _, detail, ((row, given),) in spool)


@asynccontextmanager
async def loading_alone(writer: Writer, campaign: int) -> AsyncGenerator[None]:
    """Lock a campaign against loads by other processes, and delete an incomplete load.

    Raises:
        JournalInUseError: another process loads the campaign.
    """
    with anyio.CancelScope(shield=True):  # `alone` locks exactly once; the shield ensures the unlock
        await writer.run(lambda cursor: _lock(cursor, campaign), alone=True)
    try:
        await writer.run(lambda cursor: _delete_incomplete(cursor, campaign))
        yield
    finally:
        with anyio.CancelScope(shield=True), suppress(JournalUnavailableError):  # a lost connection unlocks too
            await writer.run(lambda cursor: _unlock(cursor, campaign), alone=True)


async def fill_number_set(writer: Writer, campaign: int, number_set: SqliteNumberSet) -> None:
    """Add every number of a campaign to a set."""
    after = 0
    while page := await writer.run(partial(repository.page_of_numbers, campaign=campaign, after=after, limit=_PAGE)):
        for number, numbers in page:
            after = number
            number_set.add_all(numbers)


async def load(
    writer: Writer, campaign: int, spec: Spec, recipients: Recipients, recipient_filter: RecipientFilter
) -> None:
    """Load recipients, unless the same list was loaded before.

    Raises:
        InvalidRequestError: the input is unusable, or the campaign has an active run.
        Exception: an error of the iterable; the load is then incomplete.
    """
    tally, hashed = _LoadTally(recipient_filter.doubtful), _HashedFilter(recipient_filter)
    chunker = spec.chunker(await writer.run(lambda cursor: sql.count_recipients(cursor, campaign)))
    source = InputSource(recipients, recipient_filter=hashed, chunker=chunker, report=tally)
    loading = _Loading(writer, campaign, spec, tally)
    while (chunks := await source.next_chunks()) is not None:
        await loading.add(chunks)
    await loading.finish(hashed.digest())


@attrs.define
class _Loading:
    """A load in progress."""

    writer: Writer
    campaign: int
    spec: Spec
    tally: _LoadTally
    _id: int | None = None
    _batch: list[Chunk] = attrs.field(factory=list[Chunk])

    async def add(self, chunks: Iterable[Chunk]) -> None:
        """Add chunks, and write a batch when it is full. Skipped rows alone do not start a load."""
        self._batch += chunks
        many_skipped = self._id is not None and self.tally.skipped >= _MOST_SKIPPED
        if len(self._batch) >= BATCH or many_skipped:
            await self._write()

    async def finish(self, digest: str) -> None:
        """Write the rest and complete the load, unless the same list was loaded before."""
        if self._id is None and await self.writer.run(lambda cursor: _is_loaded(cursor, self.campaign, digest)):
            return
        loading = await self._write()
        await self.writer.run(lambda cursor: _complete(cursor, self.campaign, loading, digest))

    async def _write(self) -> int:
        if self._id is None:
            self._id = await self.writer.run(lambda cursor: _begin(cursor, self.campaign))
        loading = self._id
        with anyio.CancelScope(shield=True):
            skipped = self.tally.take_skipped()
            while page := tuple(islice(skipped, _MOST_SKIPPED)):
                await self.writer.run(self._write_skipped(loading, page))
            await self.writer.run(self._write_chunks(loading))
        return loading

    def _write_skipped(self, loading: int, page: tuple[Skipped, ...]) -> Work[None]:
        def write(cursor: Cursor) -> None:
            _update(cursor, loading, self.tally.given, self.tally.doubtful)
            sql.insert_skipped(cursor, self.campaign, loading, page)

        return write

    def _write_chunks(self, loading: int) -> Work[None]:
        chunks, self._batch = self._batch, []
        given, doubtful = self.tally.given, attrs.evolve(self.tally.doubtful)

        def write(cursor: Cursor) -> None:
            _update(cursor, loading, given, doubtful)
            first = repository.next_number(cursor, self.campaign)
            numbered = (attrs.evolve(chunk, number=first + index) for index, chunk in enumerate(chunks))
            repository.insert_chunks(cursor, self.campaign, numbered, common=self.spec.message.common, load=loading)

        return write


def _lock(cursor: Cursor, campaign: int) -> None:
    """Take the lock for loading a campaign.

    Raises:
        JournalInUseError: another process holds the lock.
    """
    if not all(cursor.execute(sql.LOCK_LOADING, (campaign,)).fetchone()):
        raise JournalInUseError("another process loads the recipients of this campaign; wait until it ends.")


def _unlock(cursor: Cursor, campaign: int) -> None:
    cursor.execute(sql.UNLOCK_LOADING, (campaign,)).fetchone()


def _update(cursor: Cursor, loading: int, given: int, doubtful: Doubtful) -> None:
    """Update the counts of a load, and lock its row until the transaction ends.

    Raises:
        JournalInUseError: another process deleted the load.
    """
    cursor.execute(
        "UPDATE load SET given = ?, doubtful = ?, first_doubtful = ? WHERE id = ? AND digest IS NULL",
        (given, doubtful.count, doubtful.first_row, loading),
    )
    _refuse_if_deleted(cursor)


def _refuse_if_deleted(cursor: Cursor) -> None:
    if cursor.rowcount != 1:
        raise JournalInUseError(
            "another process began to load recipients of this campaign and deleted this load; repeat it after the other one."
        )


def _delete_incomplete(cursor: Cursor, campaign: int) -> None:
    query = "SELECT id FROM load WHERE campaign = ? AND digest IS NULL"
    for (loading,) in cursor.execute(query, (campaign,)).fetchall():
        _delete(cursor, campaign, loading)


def _begin(cursor: Cursor, campaign: int) -> int:
    """Begin a load, and return its id.

    Raises:
        InvalidRequestError: the campaign has an active run, which would send chunks of an incomplete load.
        JournalError: the journal is an older copy that lacks recipients of sent requests.
    """
    runs.lock_without_run(cursor, campaign, "load recipients before or after it")
    copies.refuse_if_incomplete(cursor)
    loading = sql.next_id(cursor, "load")
    cursor.execute("INSERT INTO load (id, campaign, given) VALUES (?, ?, 0)", (loading, campaign))
    return loading


def _complete(cursor: Cursor, campaign: int, loading: int, digest: str) -> None:
    """Complete a load, or delete it if the same list was loaded before."""
    if _is_loaded(cursor, campaign, digest):
        _delete(cursor, campaign, loading)
    else:
        cursor.execute("UPDATE load SET digest = ? WHERE id = ?", (digest, loading))
        _refuse_if_deleted(cursor)


def _is_loaded(cursor: Cursor, campaign: int, digest: str) -> bool:
    query = "SELECT 1 FROM load WHERE campaign = ? AND digest = ?"
    return cursor.execute(query, (campaign, digest)).fetchone() is not None


def _delete(cursor: Cursor, campaign: int, loading: int) -> None:
    cursor.execute("DELETE FROM load WHERE id = ?", (loading,))  # first: a concurrent batch waits for it, then fails
    chunks = "SELECT number FROM chunk WHERE campaign = ? AND load = ?"
    cursor.execute(
        f"DELETE FROM payload WHERE campaign = ? AND number IN ({chunks})",  # noqa: S608 - a constant
        (campaign, campaign, loading),
    )
    for table in ("chunk", "skipped"):
        cursor.execute(f"DELETE FROM {table} WHERE campaign = ? AND load = ?", (campaign, loading))  # noqa: S608 - constants
