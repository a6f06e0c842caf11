"""Every recipient leaves in exactly one chunk, with its own text, and memory is bounded."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.bulk.chunks import Chunk, Chunker
from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import SMS, count_segments


def recipient(row: int, name: str = "") -> Recipient:
    return Recipient(f"+{234_800_000_000 + row}", {"name": name}, row)


def added(chunker: Chunker, who: Recipient) -> tuple[Chunk, ...]:
    return chunker.add(who)


@given(st.integers(1, 5), st.integers(1, 3), st.lists(st.sampled_from("abcde")))
def test_every_recipient_leaves_once(size: int, open_groups: int, names: list[str]) -> None:
    """Nobody is lost, doubled or given another's text; order is kept within a text; sizes and memory are bounded."""
    chunker = Chunker(size=size, message=SMS(template="Hi {name}"), open_groups=open_groups)
    chunks: list[Chunk] = []
    waiting = 0
    for row, name in enumerate(names, 1):
        left = added(chunker, recipient(row, name))
        chunks += left
        waiting += 1 - sum(len(chunk.recipients) for chunk in left)
        assert waiting <= (size - 1) * open_groups
    chunks += chunker.close()
    by_text: defaultdict[str, list[int]] = defaultdict(list)
    for number, chunk in enumerate(chunks, 1):
        assert chunk.number == number
        assert 1 <= len(chunk.recipients) <= size
        for who in chunk.recipients:
            assert chunk.text == f"Hi {who.fields['name']}"
            by_text[chunk.text].append(who.row)
    assert sorted(chain.from_iterable(by_text.values())) == list(range(1, len(names) + 1))
    assert all(rows == sorted(rows) for rows in by_text.values())


@given(st.integers(1, 7), st.integers(0, 50))
def test_one_text_is_plain_slicing(size: int, count: int) -> None:
    """Without a template, chunks are slices: all full but the last."""
    chunker = Chunker(size=size, message=SMS("Hello"))
    chunks = [chunk for row in range(count) for chunk in added(chunker, recipient(row))]
    chunks += chunker.close()
    assert [who.row for chunk in chunks for who in chunk.recipients] == list(range(count))
    assert [len(chunk.recipients) for chunk in chunks[:-1]] == [size] * (len(chunks) - 1)


def test_least_recently_fed_text_leaves_first() -> None:
    """When one text more would be open, the one that was fed least recently goes out; feeding keeps a text open."""
    chunker = Chunker(size=10, message=SMS(template="{name}"), open_groups=2)
    for row, name in enumerate("aba"):
        assert added(chunker, recipient(row, name)) == ()
    (left,) = added(chunker, recipient(3, "c"))
    assert left.text == "b"
    assert [chunk.text for chunk in chunker.close()] == ["a", "c"]
    assert list(chunker.close()) == []


def test_row_without_its_field_is_refused() -> None:
    """Who lacks a field of the template gets no text, and the field is named."""
    with pytest.raises(InvalidRequestError, match="'first_name'"):
        Chunker(size=2, message=SMS(template="Hi {first_name}")).add(recipient(5))


@pytest.mark.parametrize(
    ("size", "open_groups", "error"),
    [(0, 1, "size is 0"), (1, 0, "open_groups is 0")],
)
def test_misuse_is_refused(size: int, open_groups: int, error: str) -> None:
    """Sizes are at least 1."""
    with pytest.raises(InvalidRequestError, match=error):
        Chunker(size=size, message=SMS("Hello"), open_groups=open_groups)


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
