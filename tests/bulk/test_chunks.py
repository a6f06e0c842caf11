"""Every recipient leaves in exactly one chunk, with its own text, and memory is bounded."""

from __future__ import annotations

import random
import tracemalloc
from array import array
from collections import defaultdict
from collections.abc import Iterable
from itertools import chain

import attrs
import pytest
from hypothesis import given, strategies as st

from callsavvy_async.bulk import chunks as chunks_module
from callsavvy_async.bulk.chunks import Chunk, Chunker
from callsavvy_async.bulk.plain_recipients import PlainRecipients
from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import SMS, count_segments
from tests.profiles import mostly_long


def recipient(row: int, name: str = "") -> Recipient:
    return Recipient(f"+{234_800_000_000 + row}", {"name": name}, row)


def added(chunker: Chunker, who: Recipient) -> tuple[Chunk, ...]:
    return chunker.add(who)


@given(
    st.integers(1, 5), st.integers(1, 4), st.sampled_from([0, 600, 2_000, 10**6]), st.lists(st.sampled_from("abcde"))
)
def test_every_recipient_leaves_once(size: int, unpacked: int, memory: int, names: list[str]) -> None:
    """Nobody is lost, doubled or given another's text; rows and fields stay; order is kept within a text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks_module, "UNPACKED", unpacked)
        chunker = Chunker(size=size, message=SMS(template="Hi {name}"), memory=memory)
        chunks: list[Chunk] = []
        for row, name in enumerate(names, 1):
            chunks += added(chunker, recipient(row, name))
        chunks += chunker.close()
    by_text: defaultdict[str, list[int]] = defaultdict(list)
    for number, chunk in enumerate(chunks, 1):
        assert chunk.number == number
        assert 1 <= len(chunk.recipients) <= size
        for who in chunk.recipients:
            assert chunk.text == f"Hi {who.fields['name']}"
            assert who == recipient(who.row, who.fields["name"])
            by_text[chunk.text].append(who.row)
    assert sorted(chain.from_iterable(by_text.values())) == list(range(1, len(names) + 1))
    assert all(rows == sorted(rows) for rows in by_text.values())


@pytest.mark.parametrize("shuffled", mostly_long([True, False]))
def test_mail_merge_in_any_order_makes_no_more_requests(shuffled: bool) -> None:
    """Nearly 1,000 texts in any order make hardly more requests than the sorted list: they all wait for company."""
    texts, size, each = 997, 50, 55
    order = [row % texts for row in range(texts * each)]
    if shuffled:
        random.Random(1).shuffle(order)
    chunker = Chunker(size=size, message=SMS(template="Your branch is {name}, we open at nine."))
    requests = sum(len(chunker.add(recipient(row, f"Branch {text}"))) for row, text in enumerate(order))
    requests += len(list(chunker.close()))
    assert requests <= 1.1 * texts * -(-each // size)


@pytest.mark.long
def test_who_waits_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of their own each, with wide rows: as many leave as come, once the memory is full."""
    monkeypatch.setattr(chunks_module, "UNPACKED", 100)
    wide = {f"column {n}": f"{n}" * 20 for n in range(20)}
    chunker = Chunker(size=100, message=SMS(template="Hi {name}"), memory=2**20)
    held = 0
    tracemalloc.start()
    for row in range(4_000):
        who = Recipient(f"+{row + 10**9}", {**wide, "name": str(row)}, row)
        held += 1 - sum(len(chunk.recipients) for chunk in chunker.add(who))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 500 < held < 2_000
    assert taken < 1.5 * 2**20


@given(st.integers(1, 7), st.integers(0, 50))
def test_one_text_is_plain_slicing(size: int, count: int) -> None:
    """Without a template, chunks are slices: all full but the last."""
    chunker = Chunker(size=size, message=SMS("Hello"))
    chunks = [chunk for row in range(count) for chunk in added(chunker, recipient(row))]
    chunks += chunker.close()
    assert [who.row for chunk in chunks for who in chunk.recipients] == list(range(count))
    assert [len(chunk.recipients) for chunk in chunks[:-1]] == [size] * (len(chunks) - 1)


def test_least_recently_fed_text_leaves_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """When those who wait take too much memory, the text that was fed least recently goes out; feeding keeps a text."""
    monkeypatch.setattr(chunks_module, "UNPACKED", 1)
    chunker = Chunker(size=10, message=SMS(template="{name}"), memory=1_500)
    for row, name in enumerate("aba"):
        assert added(chunker, recipient(row, name)) == ()
    (left,) = added(chunker, recipient(3, "c"))
    assert left.text == "b"
    assert [chunk.text for chunk in chunker.close()] == ["a", "c"]
    assert list(chunker.close()) == []


def test_who_cannot_wait_gets_what_was_fed_least_recently() -> None:
    """The text that was fed least recently leaves in any case, and with it those that got nobody since."""
    chunker = Chunker(size=10, message=SMS(template="{name}"))
    assert chunker.spare(unfed_since=0) == ()
    for row, name in enumerate("abca"):
        added(chunker, recipient(row, name))
    assert [chunk.text for chunk in chunker.spare(unfed_since=0)] == ["b"]
    assert [chunk.text for chunk in chunker.spare(unfed_since=chunker.taken_in - 1)] == ["c"]
    assert [chunk.text for chunk in chunker.spare(unfed_since=0)] == ["a"]


def test_one_text_that_cannot_wait_leaves_as_it_is() -> None:
    """Without a template there is one chunk to leave, and none when nobody waits."""
    chunker = Chunker(size=10, message=SMS("Hello"))
    added(chunker, recipient(1))
    assert [len(chunk.recipients) for chunk in chunker.spare(unfed_since=0)] == [1]
    assert chunker.spare(unfed_since=0) == ()


def test_fields_may_be_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody needs the fields any more, they take no memory: a journal keeps numbers and rows."""
    monkeypatch.setattr(chunks_module, "UNPACKED", 1)
    chunker = Chunker(size=2, message=SMS(template="{name}"), with_fields=False)
    added(chunker, recipient(1, "a"))
    (chunk,) = chunker.close()
    assert chunk.recipients == (Recipient(recipient(1).number, {}, 1),)


def test_recipients_of_different_zones_share_no_chunk() -> None:
    """One text for all, but a chunk waits for one window."""
    chunker = Chunker(size=10, message=SMS("Hello"), zone_of=lambda who: f"zone {who.row % 2}")
    for row in range(4):
        assert added(chunker, recipient(row)) == ()
    assert [(chunk.zone, [who.row for who in chunk.recipients]) for chunk in chunker.close()] == [
        ("zone 0", [0, 2]),
        ("zone 1", [1, 3]),
    ]


def test_row_without_its_field_is_refused() -> None:
    """Who lacks a field of the template gets no text, and the field is named."""
    with pytest.raises(InvalidRequestError, match="'first_name'"):
        Chunker(size=2, message=SMS(template="Hi {first_name}")).add(recipient(5))


@pytest.mark.parametrize(("size", "error"), [(0, "size is 0"), ((3, -1), "size is -1")])
def test_misuse_is_refused(size: int | tuple[int, ...], error: str) -> None:
    """Sizes are at least 1."""
    with pytest.raises(InvalidRequestError, match=error):
        Chunker(size=size, message=SMS("Hello"))


@given(st.integers(2, 9), st.integers(1, 400))
def test_a_chunk_knows_its_estimate(recipients: int, length: int) -> None:
    """A chunk is estimated by its own text when it is cut, and its halves share that exactly."""
    chunker = Chunker(size=recipients, message=SMS(template="{name}"))
    (chunk,) = [left for row in range(recipients) for left in added(chunker, recipient(row, "a" * length))]
    assert chunk.estimate == recipients * count_segments("a" * length).segments
    first, second = chunk.halves()
    assert first.estimate + second.estimate == chunk.estimate
    assert first.estimate / len(first.recipients) == second.estimate / len(second.recipients)


def test_repr_holds_no_personal_data() -> None:
    """A chunk shows neither its text nor its recipients."""
    assert repr(Chunk(1, "secret", (recipient(1),))) == "Chunk(number=1, text=***, recipients=<1>)"


@given(st.lists(st.integers(0, 30), max_size=5), st.lists(st.integers(1, 7), min_size=1, max_size=3))
def test_blocks_are_cut_as_single_recipients_are(blocks, sizes):
    """Recipients of one text are cut into the same chunks, whether they come one by one or in blocks."""
    single, whole = (Chunker(size=sizes, message=SMS("Hello")) for _ in range(2))
    assert whole.ignores_fields
    for block in blocks:
        people = PlainRecipients(array("Q", range(2348 * 10**6, 2348 * 10**6 + block)), array("Q", range(block)))
        assert _whole(whole.add_alike(people)) == [chunk for person in people for chunk in single.add(person)]
        assert whole.taken_in == single.taken_in
    assert _whole(whole.close()) == list(single.close())


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 7)), max_size=8), st.integers(1, 5))
def test_nobody_is_lost_between_blocks_and_single_recipients(steps: list[tuple[bool, int]], size: int) -> None:
    """Recipients may be added in both ways in turn, and each leaves once."""
    chunker, left, given_to = Chunker(size=size, message=SMS("Hello")), list[Chunk](), 0
    for in_block, count in steps:
        rows = range(given_to + 1, given_to + count + 1)
        given_to += count
        if in_block:
            left += chunker.add_alike(PlainRecipients(array("Q", [10**9 + row for row in rows]), array("Q", rows)))
        else:
            left += chain.from_iterable(chunker.add(Recipient(f"+{10**9 + row}", row=row)) for row in rows)
    left += chunker.spare(unfed_since=0)
    assert sorted(one.row for chunk in left for one in chunk.recipients) == [*range(1, given_to + 1)]
    assert not [*chunker.close()]


def _whole(chunks: Iterable[Chunk]) -> list[Chunk]:
    return [attrs.evolve(chunk, recipients=tuple(chunk.recipients)) for chunk in chunks]
