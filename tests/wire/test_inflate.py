"""Decompression in bounded memory."""

from __future__ import annotations

import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.wire.inflate import STEP, BoundedBody, decoder_for
from tests.profiles import examples


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS = {
    ("gzip", "gzip"): gzip.compress,
    ("x-gzip", "gzip"): gzip.compress,
    ("deflate", "zlib"): zlib.compress,
    ("deflate", "raw"): raw_deflate,
    (" GZIP ", "gzip"): gzip.compress,
    ("identity", "none"): bytes,
    ("", "none"): bytes,
}
packed = pytest.mark.parametrize(
    ("encoding", "pack"), [(name, pack) for (name, _), pack in PACKERS.items()], ids=map(str, PACKERS)
)


def unpack(encoding: str, chunks: list[bytes], max_bytes: int = 10**6) -> bytes:
    body = BoundedBody(decoder_for(encoding), max_bytes)
    for chunk in chunks:
        body.take(chunk)
    return body.finish()


@packed
@examples(50)
@given(
    data=st.binary(max_size=300) | st.just(b'{"status":"success"}' * 50), cuts=st.lists(st.integers(1, 50), max_size=8)
)
def test_any_cut_of_the_stream_reads_the_same(encoding: str, pack: object, data: bytes, cuts: list[int]) -> None:
    """However the network cuts the bytes, one by one too, the same comes out."""
    stream = pack(data)
    chunks, rest = [], stream
    for cut in cuts:
        chunks.append(rest[:cut])
        rest = rest[cut:]
    assert unpack(encoding, [*chunks, rest]) == data
    assert unpack(encoding, [stream[i : i + 1] for i in range(len(stream))]) == data


@packed
def test_no_more_than_the_room(encoding: str, pack: object) -> None:
    """A bomb is cut off at one byte past what is allowed, however it is fed."""
    bomb = pack(bytes(5_000_000))
    body = BoundedBody(decoder_for(encoding), 1000)
    assert body.take(bomb) is False
    assert body.full
    assert len(body.finish()) == 1001
    assert body.take(b"more") is False
    assert len(body.finish()) == 1001


@given(st.binary(min_size=1, max_size=200), st.sampled_from(["gzip", "deflate"]))
def test_garbage_is_a_value_error(garbage: bytes, encoding: str) -> None:
    """What is not what it says is told as ValueError, never as zlib's own error."""
    try:
        unpack(encoding, [garbage])
    except ValueError:
        return


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_broken_stream(encoding: str) -> None:
    """Damage in the middle is noticed, and what follows is not wanted."""
    stream = bytearray((gzip if encoding == "gzip" else zlib).compress(bytes(range(256)) * 40))
    stream[40:60] = b"\xff" * 20
    body = BoundedBody(decoder_for(encoding), 10**6)
    assert not body.take(bytes(stream[:100])) or not body.take(bytes(stream[100:]))
    assert body.take(b"more") is False
    with pytest.raises(ValueError, match="Error -3"):
        body.finish()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_stream_cut_short(encoding: str) -> None:
    """An end before the end is told."""
    stream = (gzip if encoding == "gzip" else zlib).compress(b"hello" * 100)
    with pytest.raises(ValueError, match="cut short"):
        unpack(encoding, [stream[:-5]])


def test_an_empty_body_is_no_cut_stream() -> None:
    """No bytes at all are an empty body, whatever the header says."""
    assert unpack("gzip", []) == b""


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
def test_what_was_not_offered(encoding: str) -> None:
    """Another encoding is refused by name."""
    with pytest.raises(ValueError, match="the request offered"):
        decoder_for(encoding)


@pytest.mark.parametrize("size", [9, 10, 11])
def test_the_limit_itself_is_allowed(size: int) -> None:
    """A body of exactly the largest size is taken; one byte more is too much."""
    body = BoundedBody(decoder_for(""), 10)
    assert body.take(bytes(size)) is (size <= 10)
    assert body.full is (size > 10)


@packed
@pytest.mark.parametrize("size", [STEP - 1, STEP, STEP + 1, 2 * STEP, 2 * STEP + 257, 3 * STEP - 1])
def test_bodies_of_the_size_of_a_step(encoding: str, pack: object, size: int) -> None:
    """Where the decoder stops for want of room, and all of its input is read, nothing is lost and nothing is cut short."""
    for data in (bytes(size), b"abc" * (size // 3) + b"x" * (size % 3)):
        assert unpack(encoding, [pack(data)]) == data


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_lies_behind_the_stream_is_not_kept(encoding: str) -> None:
    """Bytes behind the end of a compressed stream are dropped, however many."""
    stream = (gzip if encoding == "gzip" else zlib).compress(b"{}")
    body = BoundedBody(decoder_for(encoding), 1000)
    body.take(stream)
    assert peak_of(body, (bytes(10_000) for _ in range(1000))) < 100_000
    assert body.finish() == b"{}"


MEBIBYTE = 2**20


def peak_of(body: BoundedBody, chunks: Iterator[bytes]) -> int:
    tracemalloc.start()
    try:
        for chunk in chunks:
            if not body.take(chunk):
                break
        with contextlib.suppress(ValueError):  # of a stream that is not whole
            body.finish()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.long
@pytest.mark.parametrize("size", [2, 1000, 65_536])
def test_the_memory_of_a_body_in_pieces(size: int) -> None:
    """Small pieces cost no more than their bytes: a body of the largest size takes at most half as much again."""
    most = MEBIBYTE
    body = BoundedBody(None, most)
    assert peak_of(body, (bytes(size) for _ in range(most // size))) <= 1.5 * most


def test_the_memory_of_a_bomb() -> None:
    """The same for a compressed body, of which one chunk yields all."""
    most = 8 * MEBIBYTE
    bomb = gzip.compress(bytes(most))
    body = BoundedBody(decoder_for("gzip"), most)
    assert peak_of(body, iter([bomb])) <= 1.5 * most


@pytest.mark.parametrize("header", [b"", b"\x78\x9c"], ids=["raw", "zlib"])
def test_blocks_that_yield_nothing(header: bytes) -> None:
    """Deflate has blocks without content; they are not kept, however many come."""
    body = BoundedBody(decoder_for("deflate"), MEBIBYTE)
    body.take(header)
    empty = b"\x00\x00\x00\xff\xff" * 1000
    assert peak_of(body, (empty for _ in range(2000))) < 200_000
