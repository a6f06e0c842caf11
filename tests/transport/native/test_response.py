"""Bytes to answers, without sockets: however they are cut, whatever is odd about them."""

from __future__ import annotations

import gzip
import itertools
import zlib

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.transport.native.response import MAX_FIELDS, MAX_HEAD, ResponseReader
from callsavvy_async.wire.failure import FailureKind

BODY = b'{"status":"success"}'
ZIPPED = gzip.compress(BODY, mtime=0)
LINE = b"HTTP/1.1 200 OK\r\n"


def answer(*fields: bytes, body: bytes = b"", line: bytes = LINE) -> bytes:
    return line + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def sized(body: bytes = BODY, *fields: bytes, line: bytes = LINE) -> bytes:
    return answer(b"Content-Length: %d" % len(body), *fields, body=body, line=line)


def chunks(body: bytes = BODY, size: int = 7, end: bytes = b"0\r\n\r\n") -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


CHUNKED = b"Transfer-Encoding: chunked"
GOOD = {
    "content-length": sized(),
    "chunked": answer(CHUNKED, body=chunks()),
    "chunked, one byte each": answer(CHUNKED, body=chunks(size=1)),
    "chunked, extensions": answer(CHUNKED, body=b'14;a="b;c";d\r\n%b\r\n0;e\r\n\r\n' % BODY),
    "chunked, trailers": answer(CHUNKED, body=chunks(end=b"0\r\nX-Sum: 1\r\nContent-Type: x\r\n\r\n")),
    "CHUNKED": answer(b"TRANSFER-ENCODING: CHUNKED", body=chunks()),
    "chunked and spaces": answer(b"Transfer-Encoding: \t chunked  ", body=chunks()),
    "gzip": sized(ZIPPED, b"Content-Encoding: gzip"),
    "gzip, chunked": answer(CHUNKED, b"Content-Encoding: gzip", body=chunks(ZIPPED)),
    "deflate": sized(zlib.compress(BODY), b"Content-Encoding: deflate"),
    "100 before": answer(line=b"HTTP/1.1 100 Continue\r\n") + sized(),
    "103 before": answer(b"Link: </a>", line=b"HTTP/1.1 103 Early Hints\r\n") * 3 + sized(),
    "no reason": sized(line=b"HTTP/1.1 200\r\n"),
    "odd reason": sized(line=b"HTTP/1.1 200 \xfc\tOK OK\r\n"),
    "HTTP/1.0 that keeps alive": sized(BODY, b"Connection: keep-alive", line=b"HTTP/1.0 200 OK\r\n"),
}
"""Answers with `BODY`, after which the connection is used again."""
LAST = {
    "connection: close": sized(BODY, b"Connection: close"),
    "Connection: Keep-Alive, Close": sized(BODY, b"Connection: Keep-Alive, Close"),
    "HTTP/1.0": sized(line=b"HTTP/1.0 200 OK\r\n"),
    "HTTP/1.0, chunked": answer(CHUNKED, b"Connection: keep-alive", body=chunks(), line=b"HTTP/1.0 200 OK\r\n"),
}
"""Answers with `BODY`, after which it is not."""
TO_EOF = {
    "close-delimited": answer(body=BODY),
    "close-delimited, HTTP/1.0": answer(b"Connection: keep-alive", body=BODY, line=b"HTTP/1.0 200 OK\r\n"),
    "close-delimited gzip": answer(b"Content-Encoding: gzip", body=ZIPPED),
}
"""Answers with `BODY` that end with the connection."""
WHOLE = GOOD | LAST


def reader(max_bytes: int = 1000) -> ResponseReader:
    made = ResponseReader()
    made.expect(max_bytes)
    return made


def named(cases: dict[str, bytes]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("data", cases.values(), ids=cases.keys())


def check(read: ResponseReader, *, reusable: bool) -> None:
    assert read.broken is None
    assert read.response is not None
    assert (read.response.status_code, read.response.body, read.reusable) == (200, BODY, reusable)


# ---------------------------------------------------------------------------------------------------------- framing


@named(WHOLE)
def test_a_whole_answer_in_two_pieces(data: bytes) -> None:
    """An answer is the same wherever it is cut, and is there with its last byte, not before."""
    for cut in range(len(data) + 1):
        read = reader()
        assert read.feed(data[:cut]) == (cut == len(data))
        if cut < len(data):
            assert read.feed(data[cut:])
        check(read, reusable=data in GOOD.values())


@named(WHOLE)
def test_a_whole_answer_byte_by_byte(data: bytes) -> None:
    """An answer may come in the smallest pieces."""
    read = reader()
    assert not any(read.feed(data[index : index + 1]) for index in range(len(data) - 1))
    assert read.feed(data[-1:])
    check(read, reusable=data in GOOD.values())


@named(TO_EOF)
def test_an_answer_that_ends_with_the_connection(data: bytes) -> None:
    """Without a length, the end of the stream is the end of the body (RFC 9112, 6.3); nothing follows on it."""
    for cut in range(len(data) + 1):
        read = reader()
        assert not read.feed(data[:cut])
        assert not read.feed(data[cut:])
        read.end(clean=True)
        check(read, reusable=False)


@named(TO_EOF)
def test_an_answer_whose_end_was_not_said(data: bytes) -> None:
    """Where the stream was cut by nobody knows whom, what came is no whole answer."""
    read = reader()
    read.feed(data)
    read.end(clean=False)
    assert read.broken is not None
    assert read.broken.kind is FailureKind.CONNECTION_LOST


@named(WHOLE)
def test_an_answer_that_is_cut_short(data: bytes) -> None:
    """Part of an answer is none, however cleanly the connection ends."""
    for cut in range(len(data)):
        read = reader()
        assert not read.feed(data[:cut])
        read.end(clean=True)
        assert read.response is None
        assert read.broken is not None
        assert read.broken.kind is FailureKind.CONNECTION_LOST
        assert not read.reusable


@named(GOOD)
def test_answers_one_after_the_other(data: bytes) -> None:
    """One connection's reader reads one answer after another, and mixes nothing up."""
    read = ResponseReader()
    for index in range(3):
        body = b'{"n":%d}' % index
        for sent, expected in ((data, BODY), (sized(body, b"X-Number: %d" % index), body)):
            read.expect(1000)
            assert read.response is None
            assert read.feed(sent)
            assert read.response.body == expected
            assert read.reusable
    assert read.response.headers == {"content-length": "7", "x-number": "2"}


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("fields", [(), (b"Content-Length: 3",), (CHUNKED,), (b"Content-Encoding: gzip",)])
def test_statuses_without_a_body(status: int, fields: tuple[bytes, ...]) -> None:
    """204 and 304 have no body, whatever their fields say (RFC 9112, 6.3)."""
    read = reader()
    assert read.feed(answer(*fields, line=b"HTTP/1.1 %d x\r\n" % status))
    assert read.response is not None
    assert (read.response.status_code, read.response.body, read.reusable) == (status, b"", True)


@pytest.mark.parametrize("status", [408, 413])
def test_a_server_that_has_not_read_the_request_to_its_end(status: int) -> None:
    """Nobody knows what it takes for the next request on the connection, so there is none (RFC 9110, 15.5.9, 15.5.14)."""
    read = reader()
    assert read.feed(sized(line=b"HTTP/1.1 %d x\r\n" % status))
    assert read.response is not None
    assert (read.response.status_code, read.reusable) == (status, False)


def test_header_fields() -> None:
    """Names in lower case, those of one name joined, bytes read as latin-1 (RFC 9110, 5)."""
    read = reader()
    read.feed(sized(b"", b"X-A: 1", b"x-a:2  ", b"X-B:\xe9", b"X-C:"))
    assert read.response is not None
    assert dict(read.response.headers) == {"content-length": "0", "x-a": "1, 2", "x-b": "é", "x-c": ""}


# ------------------------------------------------------------------------------------------------- what comes after


@pytest.mark.parametrize(
    "more", [sized(b"z"), b"H", b"HTTP/1.1 2", b"garbage", b"\0", sized(line=b"HTTP/1.1 101 x\r\n"), b"0\r\n\r\n"]
)
@named(WHOLE)
def test_more_than_was_asked_for(data: bytes, more: bytes) -> None:
    """The first answer is good; whatever follows it is nobody's, and the connection is not used again."""
    read = reader()
    assert read.feed(data + more)
    check(read, reusable=False)


# ---------------------------------------------------------------------------------------------------------- refusals

GARBLED = {
    "both lengths": answer(b"Content-Length: 3", CHUNKED, body=chunks()),
    "both lengths, the other way": answer(CHUNKED, b"Content-Length: 3", body=chunks()),
    "two lengths": answer(b"Content-Length: 3", b"Content-Length: 4", body=b"abcd"),
    "a list of lengths": answer(b"Content-Length: 3, 4", body=b"abcd"),
    "a negative length": answer(b"Content-Length: -3", body=b"abc"),
    "a signed length": answer(b"Content-Length: +3", body=b"abc"),
    "a hexadecimal length": answer(b"Content-Length: 0x3", body=b"abc"),
    "no length in the length": answer(b"Content-Length:", body=b"abc"),
    "a length past 64 bits": answer(b"Content-Length: 99999999999999999999999", body=b"abc"),
    "a chunk size that is none": answer(CHUNKED, body=b"zz\r\nabc\r\n0\r\n\r\n"),
    "a chunk size with a sign": answer(CHUNKED, body=b"+3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size with 0x": answer(CHUNKED, body=b"0x3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size past 64 bits": answer(CHUNKED, body=b"11111111111111111\r\nabc\r\n0\r\n\r\n"),
    "a chunk that is longer than it says": answer(CHUNKED, body=b"3\r\nabcd\r\n0\r\n\r\n"),
    "a chunk that is shorter than it says": answer(CHUNKED, body=b"5\r\nabc\r\n0\r\n\r\n"),
    "a chunk line of bare LF": answer(CHUNKED, body=b"3\nabc\n0\n\n"),
    "a length in the trailers": answer(CHUNKED, body=chunks(end=b"0\r\nContent-Length: 3\r\n\r\n")),
    "another transfer encoding": answer(b"Transfer-Encoding: gzip", body=b"abc"),
    "two transfer encodings": answer(b"Transfer-Encoding: gzip, chunked", body=chunks()),
    "chunked, but not last": answer(b"Transfer-Encoding: chunked, gzip", body=chunks()),
    "a tab behind chunked": answer(b"Transfer-Encoding: chunked\t", body=chunks()),
    "xchunked": answer(b"Transfer-Encoding: xchunked", body=chunks()),
    "folded fields": answer(b"X: a\r\n b", b"Content-Length: 0"),
    "space before the colon": answer(b"Content-Length : 0"),
    "no name": answer(b": 0", b"Content-Length: 0"),
    "no colon": answer(b"Content-Length"),
    "bare LF": b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
    "bare CR in a value": answer(b"X: a\rb", b"Content-Length: 0"),
    "NUL in a value": answer(b"X: a\0b", b"Content-Length: 0"),
    "HTTP/0.9": b"<html>no</html>",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x46",
    "HTTP/1.9": sized(line=b"HTTP/1.9 200 OK\r\n"),
    "a status of two digits": sized(line=b"HTTP/1.1 20 OK\r\n"),
    "a status of four digits": sized(line=b"HTTP/1.1 2000 OK\r\n"),
    "a status of letters": sized(line=b"HTTP/1.1 abc OK\r\n"),
    "101": answer(line=b"HTTP/1.1 101 Switching\r\n"),
    "101 with an upgrade": answer(b"Upgrade: h2c", b"Connection: upgrade", line=b"HTTP/1.1 101 x\r\n") + b"PRI * H",
    "garbage after a 100": answer(line=b"HTTP/1.1 100 Continue\r\n") + b"garbage",
}


@named(GARBLED)
def test_what_could_be_read_in_two_ways(data: bytes) -> None:
    """It is refused wherever it is cut, even if more comes, and the connection is not used again."""
    for cut in range(len(data) + 1):
        read = reader()
        over = read.feed(data[:cut])
        if not over:
            read.feed(data[cut:])
        read.feed(sized())
        assert read.response is None
        assert read.broken is not None
        assert read.broken.kind is FailureKind.PROTOCOL_ERROR
        assert not read.reusable
        read.end(clean=True)
        assert read.response is None


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x"])
def test_an_encoding_that_was_not_offered(encoding: str) -> None:
    """It cannot be read, so nothing is known (quirk-proof: a body in it is not taken for a plain one)."""
    read = reader()
    assert read.feed(sized(BODY, f"Content-Encoding: {encoding}".encode()))
    assert read.broken is not None
    assert read.broken.kind is FailureKind.ENCODING


def test_two_fields_of_encodings() -> None:
    """They are one list (RFC 9110, 5.3)."""
    read = reader()
    assert read.feed(sized(ZIPPED, b"Content-Encoding: gzip", b"Content-Encoding: gzip"))
    assert read.broken is not None


@pytest.mark.parametrize("body", [b"not gzip at all", ZIPPED[:-1], ZIPPED[:10], ZIPPED[:12] + b"\xff" + ZIPPED[13:]])
def test_a_broken_encoding(body: bytes) -> None:
    """A body whose encoding is broken or cut short is no body."""
    for framed in (
        sized(body, b"Content-Encoding: gzip"),
        answer(CHUNKED, b"Content-Encoding: gzip", body=chunks(body)),
    ):
        read = reader()
        assert read.feed(framed)
        assert read.response is None
        assert read.broken is not None
        assert read.broken.kind is FailureKind.ENCODING


# ------------------------------------------------------------------------------------------------------------ limits


@pytest.mark.parametrize("size", [999, 1000, 1001, 5000])
@pytest.mark.parametrize("form", ["content-length", "chunked", "gzip", "to eof"])
def test_the_largest_body(size: int, form: str) -> None:
    """A body of the largest size is taken, one byte more is not, decoded."""
    body = bytes(size)
    data = {
        "content-length": sized(body),
        "chunked": answer(CHUNKED, body=chunks(body)),
        "chunked and spaces": answer(b"Transfer-Encoding: \t chunked  ", body=chunks()),
        "gzip": sized(gzip.compress(body), b"Content-Encoding: gzip"),
        "to eof": answer(body=body),
    }[form]
    read = reader(1000)
    read.feed(data)
    read.end(clean=True)
    if size <= 1000:
        assert read.response is not None
        assert read.response.body == body
    else:
        assert read.broken is not None
        assert read.broken.kind is FailureKind.TOO_LARGE


def test_a_bomb() -> None:
    """What unpacks to a gigabyte is given up after the first piece."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(100))
    read = reader(10_000)
    read.feed(answer(CHUNKED, b"Content-Encoding: gzip"))
    assert read.feed(b"%x\r\n" % len(bomb) + bomb[:2000])
    assert read.broken is not None
    assert read.broken.kind is FailureKind.TOO_LARGE


ENDLESS = {
    "a status line": (b"HTTP/1.1 200 ", b"O" * 1000),
    "a field's name": (LINE, b"X" * 1000),
    "a field's value": (LINE + b"X: ", b"x" * 1000),
    "fields": (LINE, b"X: y\r\n" * 100),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" * 30),
    "empty lines": (b"", b"\r\n" * 500),
    "a chunk's size": (answer(CHUNKED), b"0" * 1000),
    "a chunk's extension": (answer(CHUNKED) + b"3;", b"x" * 1000),
    "a trailer": (answer(CHUNKED) + b"0\r\nX: ", b"x" * 1000),
    "trailers": (answer(CHUNKED) + b"0\r\n", b"X: y\r\n" * 100),
}


@pytest.mark.parametrize(("start", "more"), ENDLESS.values(), ids=ENDLESS.keys())
def test_what_never_ends(start: bytes, more: bytes) -> None:
    """What is not a body is read up to a limit, however it is spun out."""
    read = reader()
    over = read.feed(start) if start else False
    fed = 0
    while not over:
        assert fed <= MAX_HEAD
        over = read.feed(more)
        fed += len(more)
    assert read.broken is not None
    assert read.broken.kind in {FailureKind.TOO_LARGE, FailureKind.PROTOCOL_ERROR}


def test_a_long_body_of_small_pieces() -> None:
    """The limit of what is not a body does not count what is."""
    body = bytes(5 * MAX_HEAD)
    read = reader(len(body))
    data = answer(CHUNKED, body=chunks(body, size=50))
    for start in range(0, len(data), 1000):
        read.feed(data[start : start + 1000])
    assert read.response is not None
    assert read.response.body == body


@pytest.mark.parametrize("more", [0, 1])
def test_too_many_fields(more: int) -> None:
    """Small fields without number are refused as well."""
    read = reader()
    assert read.feed(sized(BODY, *[b"X: y"] * (MAX_FIELDS - 1 + more)))
    assert (read.response is None) == bool(more)
    assert (read.broken is not None) == bool(more)


# -------------------------------------------------------------------------------------------------------------- fuzz


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """Draw an answer that something was done to."""
    data = bytearray(draw(st.sampled_from([*WHOLE.values(), *TO_EOF.values(), *GARBLED.values()])))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 6))
        piece = draw(st.one_of(st.binary(max_size=6), st.sampled_from([b"\r\n", b"\0", b": ", b"0", b"chunked", b"1"])))
        data[at : at + length] = piece
    return bytes(data)


def outcome(data: bytes, cuts: list[int]) -> tuple[object, ...]:
    read = reader()
    places = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    for start, end in itertools.pairwise(places):
        if start < end and read.feed(data[start:end]):
            break
    read.end(clean=True)
    assert (read.response is None) != (read.broken is None)
    if read.response is not None:
        assert read.response.status_code >= 200
        return (read.response.status_code, dict(read.response.headers), read.response.body)
    return (read.broken.kind,)


@given(mutations(), st.lists(st.integers(0, 10_000), max_size=6))
def test_any_bytes_in_any_pieces(data: bytes, cuts: list[int]) -> None:
    """Whatever comes, it ends in one answer or one reason why there is none, and where it is cut changes neither."""
    assert outcome(data, []) == outcome(data, cuts)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_noise(data: bytes, cuts: list[int]) -> None:
    """Noise is no answer."""
    assert outcome(data, cuts)[0] in {FailureKind.PROTOCOL_ERROR, FailureKind.CONNECTION_LOST}


@given(mutations())
def test_reusable_means_in_step(data: bytes) -> None:
    """Where a connection may be used again, the next answer on it is read as the next answer."""
    read = reader()
    if not read.feed(data) or not read.reusable:
        return
    read.expect(1000)
    assert read.feed(sized(b"next"))
    assert read.response is not None
    assert read.response.body == b"next"
