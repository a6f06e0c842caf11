"""Loading recipients into a campaign: in batches, and so that a load that was cut off is as if it had never been.

A load begins in the journal with the first batch that holds somebody new; it is finished when its digest is written, in
the transaction that adds its last chunks. An unfinished one is deleted by the next, never continued: nobody knows that the
list is still the same. A list that was loaded to its end is told by its digest, and loading it again writes nothing at
all. Memory does not grow with the list: who is in the journal already is found in a set on disk, which is filled from the
payloads, and rows that are left out wait for their batch in a spool.

One process loads a campaign at a time: it holds a lock, which it loses with its connection. Should it lose it unawares,
whoever comes next deletes its load, beginning with the row that each of its batches touches first: so the batch finds
that row gone, and nothing of a deleted load is left or comes back.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import islice
from typing import Protocol, cast

import anyio
import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.recipients import Doubtful, Recipient, RecipientFilter, RecipientInput, Skipped, SkipReason
from callsavvy_async.bulk.source import InputSource, Recipients
from callsavvy_async.bulk.spool import Spool
from callsavvy_async.campaigns.errors import JournalInUseError, JournalUnavailableError
from callsavvy_async.campaigns.journal import copies, repository, runs, sql
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.writer import Work, Writer
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.campaigns.sqlite_number_set import SqliteNumberSet
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.resources.contacts import Contact

BATCH = 64
"""Chunks in a transaction."""
_PAGE = 200
_MOST_SKIPPED = 5_000
"""Rows that are left out, in a transaction."""


class Digest(Protocol):
    """What `hashlib` makes."""

    def update(self, data: bytes, /) -> None:
        """Take in more."""
        ...

    def hexdigest(self) -> str:
        """Return what it comes to."""
        ...


@attrs.define
class Digested:
    """A recipient filter that keeps a digest of how rows are read, and of everything that came in."""

    recipient_filter: RecipientFilter
    digest: Digest = attrs.field(
        default=attrs.Factory(
            lambda self: hashlib.sha256(f"{self.recipient_filter.rules!a}\n".encode()), takes_self=True
        )
    )

    @property
    def is_looking(self) -> bool:
        """Whether the filter needs more recipients before anything may be sent."""
        return self.recipient_filter.is_looking

    def close(self) -> None:
        """Note that there are no more."""
        self.recipient_filter.close()

    def admit(self, item: RecipientInput, row: int) -> Recipient | Skipped:
        """Admit a recipient, and take it into the digest."""
        admitted = self.recipient_filter.admit(item, row)
        self.digest.update(_canonical(item))
        return admitted


@attrs.define
class Tally:
    """What was read, and of it the rows that are left out and not written yet."""

    doubtful: Doubtful
    given: int = 0
    input_complete: bool = False
    skipped: int = 0
    _spool: Spool = attrs.field(factory=Spool)

    def skip(self, skipped: Skipped) -> None:
        """Keep a row that is left out."""
        self._spool.append((skipped.reason.value, None, None, skipped.detail, [(skipped.row, skipped.given)]))
        self.skipped += 1

    def take_skipped(self) -> Iterator[Skipped]:
        """Return what was kept, and forget it."""
        spool, self._spool, self.skipped = self._spool, Spool(), 0
        return (Skipped(row, given, SkipReason(reason), detail) for reason, _, _, detail, ((row, given),) in spool)


@asynccontextmanager
async def loading_alone(writer: Writer, campaign: int) -> AsyncGenerator[None]:
    """Keep other processes from loading a campaign, and delete what a load that was cut off left behind.

    Raises:
        JournalInUseError: another process loads it.
    """
    with anyio.CancelScope(shield=True):  # alone, so that it is taken once, and shielded, so that it is given back
        await writer.run(lambda cursor: lock(cursor, campaign), alone=True)
    try:
        await writer.run(lambda cursor: delete_unfinished(cursor, campaign))
        yield
    finally:
        with anyio.CancelScope(shield=True), suppress(JournalUnavailableError):  # the lock went with the connection
            await writer.run(lambda cursor: unlock(cursor, campaign), alone=True)


async def fill_number_set(writer: Writer, campaign: int, number_set: SqliteNumberSet) -> None:
    """Take in the numbers of everybody who is in the journal."""
    after = 0
    while page := await writer.run(partial(repository.page_of_numbers, campaign=campaign, after=after, limit=_PAGE)):
        for number, numbers in page:
            after = number
            number_set.add_all((number,) for number in numbers)


async def load(
    writer: Writer, campaign: int, spec: Spec, recipients: Recipients, recipient_filter: RecipientFilter
) -> bool:
    """Load recipients; False when this list was loaded before, and nothing changed.

    Raises:
        InvalidRequestError: the input as a whole is misused, or a run of the campaign is under way.
        Exception: whatever reading the recipients raised; the load is unfinished then.
    """
    tally, digested = Tally(recipient_filter.doubtful), Digested(recipient_filter)
    chunker = spec.chunker()
    source = InputSource(recipients, recipient_filter=digested, chunker=chunker, report=tally)
    loading = _Loading(writer, campaign, spec, tally)
    while (chunks := await source.next_chunks()) is not None:
        await loading.add(chunks)
    return await loading.finish(digested.digest.hexdigest())


@attrs.define
class _Loading:
    """A load on its way into the journal."""

    writer: Writer
    campaign: int
    spec: Spec
    tally: Tally
    _id: int | None = None
    _batch: list[Chunk] = attrs.field(factory=list[Chunk])

    async def add(self, chunks: Iterable[Chunk]) -> None:
        """Take in chunks, and write when there are enough. Before there is anybody new, there is nothing to write."""
        self._batch += chunks
        many_skipped = self._id is not None and self.tally.skipped >= _MOST_SKIPPED
        if len(self._batch) >= BATCH or many_skipped:
            await self._write()

    async def finish(self, digest: str) -> bool:
        """Write what is left; False, and nothing is written, when the same list was loaded before."""
        if self._id is None and await self.writer.run(lambda cursor: _is_loaded(cursor, self.campaign, digest)):
            return False
        loading = await self._write()
        return await self.writer.run(lambda cursor: finish(cursor, self.campaign, loading, digest))

    async def _write(self) -> int:
        self._id = loading = self._id or await self._begin()
        with anyio.CancelScope(shield=True):
            skipped = self.tally.take_skipped()
            while page := tuple(islice(skipped, _MOST_SKIPPED)):
                await self.writer.run(self._write_skipped(loading, page))
            await self.writer.run(self._write_chunks(loading))
        return loading

    async def _begin(self) -> int:
        return await self.writer.run(lambda cursor: begin(cursor, self.campaign))

    def _write_skipped(self, loading: int, page: tuple[Skipped, ...]) -> Work[None]:
        def write(cursor: Cursor) -> None:
            hold(cursor, loading, self.tally.given, self.tally.doubtful)
            repository.insert_skipped(cursor, campaign=self.campaign, load=loading, skipped=page)

        return write

    def _write_chunks(self, loading: int) -> Work[None]:
        chunks, self._batch = self._batch, []
        given, doubtful = self.tally.given, attrs.evolve(self.tally.doubtful)

        def write(cursor: Cursor) -> None:
            hold(cursor, loading, given, doubtful)
            first = repository.next_number(cursor, self.campaign)
            numbered = (attrs.evolve(chunk, number=first + index) for index, chunk in enumerate(chunks))
            repository.insert_chunks(cursor, self.campaign, numbered, common=self.spec.message.common, load=loading)

        return write


def lock(cursor: Cursor, campaign: int) -> None:
    """Take the lock of those who load a campaign.

    Raises:
        JournalInUseError: another process has it.
    """
    if not all(cursor.execute(sql.LOCK_LOADING, (campaign,)).fetchone()):
        raise JournalInUseError("another process loads the recipients of this campaign; wait for it to end.")


def unlock(cursor: Cursor, campaign: int) -> None:
    """Give the lock back."""
    cursor.execute(sql.UNLOCK_LOADING, (campaign,)).fetchone()


def hold(cursor: Cursor, loading: int, given: int, doubtful: Doubtful) -> None:
    """Note how many recipients were given, how many of them are doubtful, and keep the load until the transaction ends.

    Raises:
        JournalInUseError: it was deleted.
    """
    cursor.execute(
        "UPDATE load SET given = ?, doubtful = ?, first_doubtful = ? WHERE id = ? AND digest IS NULL",
        (given, doubtful.count, doubtful.first_row, loading),
    )
    _refuse_if_deleted(cursor)


def _refuse_if_deleted(cursor: Cursor) -> None:
    if cursor.rowcount != 1:
        raise JournalInUseError("another process began to load the recipients of this campaign; leave it to that one.")


def delete_unfinished(cursor: Cursor, campaign: int) -> None:
    """Delete what a load that was cut off left behind."""
    query = "SELECT id FROM load WHERE campaign = ? AND digest IS NULL"
    for (loading,) in cursor.execute(query, (campaign,)).fetchall():
        _delete(cursor, campaign, loading)


def begin(cursor: Cursor, campaign: int) -> int:
    """Begin a load, and return its id.

    Raises:
        InvalidRequestError: a run is under way; it would send what may yet have to be deleted.
        JournalError: the journal is an older copy that lacks recipients who were sent to.
    """
    cursor.execute(sql.LOCK_CAMPAIGN, (campaign,)).fetchone()  # a run begins under the same lock
    if not runs.nobody_runs(cursor, campaign):
        raise InvalidRequestError("a run of this campaign is under way; load the recipients before it or after it.")
    copies.refuse_if_incomplete(cursor)
    cursor.execute(sql.LOCK_NUMBERS).fetchone()
    (loading,) = cursor.execute(sql.NEXT_ID["load"]).fetchone()
    cursor.execute("INSERT INTO load (id, campaign, given) VALUES (?, ?, 0)", (loading, campaign))
    return int(loading)


def finish(cursor: Cursor, campaign: int, loading: int, digest: str) -> bool:
    """Finish a load, or delete it when the same list was loaded before."""
    if _is_loaded(cursor, campaign, digest):
        _delete(cursor, campaign, loading)
        return False
    cursor.execute("UPDATE load SET digest = ? WHERE id = ?", (digest, loading))
    _refuse_if_deleted(cursor)
    return True


def _is_loaded(cursor: Cursor, campaign: int, digest: str) -> bool:
    query = "SELECT 1 FROM load WHERE campaign = ? AND digest = ?"
    return cursor.execute(query, (campaign, digest)).fetchone() is not None


def _delete(cursor: Cursor, campaign: int, loading: int) -> None:
    cursor.execute("DELETE FROM load WHERE id = ?", (loading,))  # first: whoever writes to it has to wait, and sees
    chunks = "SELECT number FROM chunk WHERE campaign = ? AND load = ?"
    cursor.execute(
        f"DELETE FROM payload WHERE campaign = ? AND number IN ({chunks})",  # noqa: S608 - no value in it
        (campaign, campaign, loading),
    )
    cursor.execute("DELETE FROM chunk WHERE campaign = ? AND load = ?", (campaign, loading))
    cursor.execute("DELETE FROM skipped WHERE campaign = ? AND load = ?", (campaign, loading))


def _canonical(item: object) -> bytes:
    """Write a row so that equal rows are equal bytes, and no two others are."""
    if isinstance(item, str):
        return f"{item}\n".encode("utf-8", "surrogatepass")
    fields: object = item
    if isinstance(item, Recipient):
        fields = {"": item.number, **item.fields}
    elif isinstance(item, Contact):
        fields = item.as_row()
    if not isinstance(fields, Mapping):
        return f"{_text(fields)!a}\n".encode()
    pairs = cast("Mapping[object, object]", fields)
    return f"{sorted([(_text(name), _text(value)) for name, value in pairs.items()])!a}\n".encode()


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - of a class of somebody's; the row is left out
        return type(value).__name__
