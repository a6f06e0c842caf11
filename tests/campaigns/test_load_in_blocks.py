"""A list that is read, admitted and packed in blocks gives the journal that reading it row by row gives."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, example, given, strategies as st

from callsavvy_async import SMS
from callsavvy_async.bulk import file_lines
from callsavvy_async.bulk.chunks import Chunker
from callsavvy_async.bulk.file_lines import FileLines
from callsavvy_async.bulk.recipient_files import FileRows, read_stream
from callsavvy_async.bulk.recipients import RecipientFilter
from callsavvy_async.bulk.source import InputSource, Recipients
from callsavvy_async.campaigns import Campaign
from callsavvy_async.campaigns.journal.payload import pack
from callsavvy_async.campaigns.load import _HashedFilter, _LoadTally
from callsavvy_async.campaigns.sqlite_number_set import SqliteNumberSet
from callsavvy_async.errors import InvalidRequestError
from tests.profiles import examples, trio_is_long

from .raw import Raw

PLAIN = st.integers(0, 12).map(lambda number: f"+23480123456{number:02}")
NAMES = st.sampled_from(["O'Brien", "back\\slash", "Àdá", '"two\nlines"', '"a ""b"""', '"x, y"', "\t", ""])
ODD = st.sampled_from(["0803 1", "2348012345601", "+2348012345601 ", "=+2348012345602", "+234(0)8012345603", "", "tel"])
ALIKE = st.lists(st.tuples(PLAIN, st.just("Ada")), max_size=12)
ROWS = st.lists(
    st.one_of(
        st.tuples(PLAIN, NAMES),
        st.tuples(ODD, NAMES),
        st.tuples(PLAIN),
        st.tuples(PLAIN, NAMES, st.just("")),
        st.just(()),
    ),
    max_size=4,
)
HEADER = "phone,first_name"
HEADERS = st.just(HEADER) | st.sampled_from(["first,phone", "phone", "phone,", "Kontakt", "+2348012345600"])
OPTIONS = st.sampled_from(
    [{}, {"suppress": ["+2348012345603"]}, {"max_recipients": 7}, {"international": True}, {"column": "phone"}]
)
BLOCK = st.sampled_from([5, 60, 200, 10_000])
LINE_END = st.sampled_from(["\n", "\r\n", "\r"])
DOUBLES = [("+2348012345601", "Ada"), ("+2348012345602", "Bayo"), ("+2348012345601", "Chi"), ("+2348012345604", "Ada")]

Reader: TypeAlias = Callable[[bytes, "int | None"], Recipients]
Way: TypeAlias = "tuple[object, str | None]"


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Return what reads a list in blocks of some bytes; or row by row, each line checked by itself, for None."""

    def read(content: bytes, block: int | None) -> Recipients:
        monkeypatch.undo()
        monkeypatch.setattr(file_lines, "_BLOCK", block or 1)
        if block is None:
            monkeypatch.setattr(FileLines, "_are_valid", lambda *_: False)
        rows = read_stream(io.BufferedReader(io.BytesIO(content)), "people.csv")
        return _one_by_one(rows) if block is None else rows

    return read


async def _one_by_one(rows: FileRows) -> AsyncIterator[Any]:
    for row in rows:
        yield row


def _file(header: str, rows: list[tuple[str, ...]], line_end: str = "\n") -> bytes:
    return line_end.join([header, *map(",".join, rows)]).encode("utf-8", "surrogateescape")


async def _loaded(rows: Recipients, options: Any) -> Way:
    """Load a list into memory, and return all that the journal would get, and the error of a bad list."""
    with SqliteNumberSet() as number_set:
        recipient_filter = RecipientFilter(**options, number_set=number_set)
        hashed, tally = _HashedFilter(recipient_filter), _LoadTally(recipient_filter.doubtful)
        chunker = Chunker(size=[2, 3], message=SMS("Hello"), with_fields=False)
        source = InputSource(rows, recipient_filter=hashed, chunker=chunker, report=tally)
        packed: list[object] = []
        try:
            while (chunks := await source.next_chunks()) is not None:
                packed += [(chunk.number, chunk.text, pack(chunk.recipients), chunk.estimate) for chunk in chunks]
        except InvalidRequestError as error:
            return None, str(error)
        return (packed, tally.given, list(tally.take_skipped()), tally.doubtful, hashed.digest(), len(number_set)), None


@trio_is_long
@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(HEADER, DOUBLES, [], DOUBLES, {}, 100, "\n")
@example(HEADER, [], [("+2348012345601", "Àdá")], [], {}, 1, "\n")
@example(HEADER, [], [("+2348012345601", "O'Brien")], [], {}, 10_000, "\n")
@example(HEADER, [], [("+2348012345602", "back\\slash")], [], {}, 10_000, "\n")
@example(HEADER, DOUBLES, [("+2348012345604", "a"), ("+2348012345604", "b"), ("", "")], DOUBLES, {}, 100, "\n")
@example(HEADER, [("", ""), *DOUBLES], [("+2348012345605", '"two\nlines"')], DOUBLES, {}, 40, "\r\n")
@example(HEADER, DOUBLES, [], [("+2348012345603", "Ada")], {"suppress": ["+2348012345603"]}, 60, "\n")
@example(HEADER, DOUBLES, [], DOUBLES, {"max_recipients": 2}, 60, "\n")
@example(HEADER, DOUBLES, [("+2348012345603", "a", "b")], [], {}, 10_000, "\n")
@example(HEADER, DOUBLES, [("+2348012345603", "\udcff")], [], {}, 10_000, "\n")
@example(HEADER, DOUBLES, [("+2348012345603", "\0")], [], {}, 10_000, "\n")
@example(HEADER, DOUBLES, [("+2348012345603", '"')], DOUBLES, {}, 10_000, "\n")
@example(HEADER, DOUBLES, [("+2348012345603", '"a"b')], [], {}, 60, "\n")
@given(HEADERS, ALIKE, ROWS, ALIKE, OPTIONS, BLOCK, LINE_END)
async def test_blocks_give_what_single_rows_give(
    anyio_backend, reader: Reader, header, before, odd, behind, options, block, line_end
):
    """Chunks, packed numbers, skipped rows, counts and the digest are the same, and so is the error of a bad list."""
    content = _file(header, [*before, *odd, *behind, *before[:3]], line_end)
    assert await _loaded(reader(content, block), options) == await _loaded(reader(content, None), options)


@pytest.mark.parametrize("options", [{}, {"suppress": ["+2348012345602"]}])
async def test_the_journals_are_equal(journal, raw: Raw, reader: Reader, options):
    """The tables hold the same rows after both, apart from the identifiers of the campaign."""
    content = _file(HEADER, [(f"+234801234{number % 170:04}", "Ada") for number in range(400)] + [*DOUBLES, ("0", "")])
    for name, block in (("blocks", 2_000), ("rows", None)):
        campaign: Campaign = await journal.campaign(name, SMS("Hello"), chunk_size=30)
        await campaign.load(reader(content, block), **options)
    blocks, rows = _tables(raw, "blocks"), _tables(raw, "rows")
    assert blocks == rows
    assert all(blocks)


def _tables(raw: Raw, name: str) -> list[object]:
    ((campaign,),) = raw(f"SELECT id FROM campaign WHERE name = '{name}'")
    return [
        raw(f"SELECT {columns} FROM {table} WHERE campaign = {campaign} ORDER BY {columns}")
        for table, columns in (
            ("chunk", "number, state, zone, recipients, estimate"),
            ("payload", "number, body, text"),
            ("skipped", "row, reason, given, detail"),
            ("load", "given, digest, doubtful, first_doubtful"),
        )
    ]
