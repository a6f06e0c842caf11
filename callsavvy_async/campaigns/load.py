"""Loading recipients into a campaign: in batches, and so that a load that was cut off is as if it had never been.

A load is finished when its digest is written, in the transaction that adds its last chunks. An unfinished one is deleted
by the next, never continued: nobody knows that the list is still the same. A list that was loaded to its end is told by
its digest, and loading it again changes nothing. Who is in the journal already is found in a set of numbers, which is
read from the payloads.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from functools import partial
from typing import Protocol

import anyio
import attrs

from callsavvy_async.bulk.chunks import Chunk, Chunker
from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.recipients import Intake, Recipient, RecipientInput, Skipped
from callsavvy_async.bulk.source import InputSource, Recipients
from callsavvy_async.campaigns import sql, store
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.campaigns.writer import Writer

BATCH = 64
"""Chunks in a transaction."""
_PAGE = 200
_MOST_SKIPPED = 5_000


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
    """An intake that keeps a digest of everything that came in."""

    intake: Intake
    digest: Digest = attrs.field(factory=hashlib.sha256)

    def admit(self, item: RecipientInput, row: int) -> Recipient | Skipped:
        """Admit a recipient, and take it into the digest."""
        admitted = self.intake.admit(item, row)
        self.digest.update(_canonical(item))
        return admitted


@attrs.define
class Tally:
    """What was read and not written yet."""

    given: int = 0
    input_complete: bool = False
    skipped: list[Skipped] = attrs.field(factory=list[Skipped])

    def skip(self, skipped: Skipped) -> None:
        """Keep a recipient that is left out for the next batch."""
        self.skipped.append(skipped)


async def known_numbers(writer: Writer, campaign: int) -> NumberSet:
    """Collect the numbers of everybody who is in the journal."""
    numbers, after = NumberSet(), 0
    page_after = partial(store.page_of_recipients, campaign=campaign, limit=_PAGE)
    while page := await writer.run(partial(page_after, after=after)):
        for number, _, _, _, recipients in page:
            after = number
            for recipient in recipients:
                numbers.add(recipient.number)
    return numbers


async def load(writer: Writer, campaign: int, spec: Spec, recipients: Recipients, intake: Intake) -> bool:
    """Load recipients; False when this list was loaded before, and nothing changed.

    Raises:
        InvalidRequestError: the input as a whole is misused.
        Exception: whatever reading the recipients raised; the load is unfinished then.
    """
    tally, digested = Tally(), Digested(intake)
    zone_of = None if spec.window is None else spec.window.zone_of
    chunker = Chunker(size=spec.chunk_sizes, content=spec.content, zone_of=zone_of)
    source = InputSource(recipients, intake=digested, chunker=chunker, report=tally)
    loading, number = await writer.run(lambda cursor: begin(cursor, campaign))
    batch: list[Chunk] = []
    while (chunks := await source.next_chunks()) is not None:
        batch += [attrs.evolve(chunk, number=number + index) for index, chunk in enumerate(chunks)]
        number += len(chunks)
        if len(batch) >= BATCH or len(tally.skipped) >= _MOST_SKIPPED:
            await _write(writer, campaign, spec, loading=loading, chunks=batch, tally=tally)
            batch = []
    await _write(writer, campaign, spec, loading=loading, chunks=batch, tally=tally)
    digest = digested.digest.hexdigest()
    return await writer.run(lambda cursor: finish(cursor, campaign, loading, digest))


async def _write(writer: Writer, campaign: int, spec: Spec, *, loading: int, chunks: list[Chunk], tally: Tally) -> None:
    skipped, tally.skipped = tally.skipped, []
    given = tally.given

    def write(cursor: sqlite3.Cursor) -> None:
        store.insert_chunks(cursor, campaign, spec, chunks, load=loading)
        store.insert_skipped(cursor, campaign, loading, skipped)
        cursor.execute("UPDATE load SET given = ? WHERE id = ?", (given, loading))

    with anyio.CancelScope(shield=True):
        await writer.run(write)


def delete_unfinished(cursor: sqlite3.Cursor, campaign: int) -> None:
    """Delete what a load that was cut off left behind."""
    query = "SELECT id FROM load WHERE campaign = ? AND digest IS NULL"
    for (loading,) in cursor.execute(query, (campaign,)).fetchall():
        _delete(cursor, campaign, loading)


def begin(cursor: sqlite3.Cursor, campaign: int) -> tuple[int, int]:
    """Begin a load; return its id and the number of its first chunk."""
    (loading,) = cursor.execute(sql.NEXT_ID["load"]).fetchone()
    cursor.execute("INSERT INTO load (id, campaign, given) VALUES (?, ?, 0)", (loading, campaign))
    return int(loading), store.next_number(cursor, campaign)


def finish(cursor: sqlite3.Cursor, campaign: int, loading: int, digest: str) -> bool:
    """Finish a load, or delete it when the same list was loaded before."""
    query = "SELECT count(*) FROM load WHERE campaign = ? AND digest = ?"
    (before,) = cursor.execute(query, (campaign, digest)).fetchone()
    if before:
        _delete(cursor, campaign, loading)
        return False
    cursor.execute("UPDATE load SET digest = ? WHERE id = ?", (digest, loading))
    return True


def _delete(cursor: sqlite3.Cursor, campaign: int, loading: int) -> None:
    chunks = "SELECT number FROM chunk WHERE campaign = ? AND load = ?"
    cursor.execute(
        f"DELETE FROM payload WHERE campaign = ? AND number IN ({chunks})",  # noqa: S608 - no value in it
        (campaign, campaign, loading),
    )
    cursor.execute("DELETE FROM chunk WHERE campaign = ? AND load = ?", (campaign, loading))
    cursor.execute("DELETE FROM skipped WHERE campaign = ? AND load = ?", (campaign, loading))
    cursor.execute("DELETE FROM load WHERE id = ?", (loading,))


def _canonical(item: RecipientInput) -> bytes:
    """Write a row so that equal rows are equal bytes, and no two others are."""
    if isinstance(item, str):
        return f"{item}\n".encode("utf-8", "surrogatepass")
    fields: Mapping[str, object] = {"": item.number, **item.fields} if isinstance(item, Recipient) else item
    return json.dumps(sorted((str(name), str(value)) for name, value in fields.items())).encode() + b"\n"
