"""The reader of plain responses against llhttp: what it reads, llhttp reads alike; what it leaves, llhttp gets whole."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.transport.native import response
from callsavvy_async.transport.native.plain_response import LONGEST_HEAD, read_plain
from callsavvy_async.transport.native.response import MAX_FIELDS, ResponseReader

from .test_response import BODY, GOOD, LAST, TO_EOF, answer, mutations, sized

MOST = 1000
NGINX = (b"Server: nginx/1.27", b"Date: Wed, 25 Nov 2026 19:08:29 GMT", b"Connection: keep-alive", b"X-Id: a,b ;c ")

names = st.sampled_from(
    b"Server,date,X-Id,x_id,A,B-C,Content-Length,content-length,Connection,Proxy-Connection,Transfer-Encoding,Content-Encoding,"
    b"Upgrade,Trailer,Keep-Alive,Retry-After,Date ,,a:b,\xe9,a\0,-".split(b",")
)
values = st.one_of(
    st.sampled_from(
        b"x,a b,20,0,020,+20, 20,20 ,2 0,0,keep-alive,Keep-Alive,close,chunked,gzip,a\tb,,\xe9,a\rb,a\nb,\x7f".split(
            b","
        )
    ),
    st.binary(max_size=4),
)
separators = st.sampled_from([b": ", b": ", b": ", b":", b" : ", b":  "])
line_ends = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n "])


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Draw a response with odd fields among the usual ones, before or after the right Content-Length."""
    fields = [field + b"\r\n" for field in draw(st.lists(st.sampled_from(NGINX), max_size=2))]
    if draw(st.integers(0, 4)):
        fields.append(b"Content-Length: %d\r\n" % len(BODY))
    for _ in range(draw(st.integers(0, 1))):
        odd = draw(names) + draw(separators) + draw(values) + draw(line_ends)
        fields.insert(draw(st.integers(0, len(fields))), odd)
    line = draw(st.sampled_from([b"HTTP/1.1 200 OK"] * 9 + [b"HTTP/1.0 200 OK", b"HTTP/1.1 204 OK", b"HTTP/1.1 200 "]))
    data = (
        line + b"\r\n" + b"".join(fields) + b"\r\n" + draw(st.sampled_from([BODY, BODY, BODY, BODY + b"H", b"\n" * 20]))
    )
    return data[: draw(st.sampled_from([len(data)] * len(data) + [*range(len(data))]))]


def by_llhttp(data: bytes) -> ResponseReader:
    """Read with llhttp alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(response, "read_repeated", lambda *_: None)
        reader = ResponseReader()
        reader.expect(MOST)
        assert reader.feed(data)
    return reader


@given(st.one_of(heads(), mutations()))
def test_what_is_plain_means_the_same_to_llhttp(data: bytes) -> None:
    """Status, fields in order, body and reuse are llhttp's, whatever the bytes."""
    plain = read_plain(data, MOST)
    if plain is not None:
        reader = by_llhttp(data)
        assert reader.response is not None
        assert reader.reusable
        assert reader.broken is None
        assert (plain.status_code, plain.body) == (reader.response.status_code, reader.response.body)
        assert list(plain.headers.raw) == list(reader.response.headers.raw)


@pytest.mark.parametrize("data", [sized(), sized(BODY, *NGINX), sized(b""), sized(b"x" * MOST)])
def test_what_servers_send_is_plain(data: bytes) -> None:
    """A usual response takes the short way, up to the maximum size."""
    assert read_plain(data, MOST) is not None


NOT_PLAIN = {
    **{name: data for name, data in (GOOD | LAST | TO_EOF).items() if name != "content-length"},
    "cut in the head": b"HTTP/1.1 200 OK\r\nContent-Length: 0",  # perhaps of 0x3
    "cut before the last line end": sized(b"")[:-2],
    "cut in the last line end": sized(b"")[:-1],
    "cut in the body": sized()[:-1],
    "bytes behind it": sized() + b"H",
    "another response behind it": sized() * 2,
    "two lengths": sized(BODY, b"Content-Length: %d" % len(BODY)),
    "a length with a sign": answer(b"Content-Length: +%d" % len(BODY), body=BODY),
    "a line end in the body": sized(b"{\n}"),
    "a long head": sized(BODY, b"A: " + b"b" * LONGEST_HEAD),
    "too large": sized(b"x" * (MOST + 1)),
    "too many fields": sized(BODY, *itertools.repeat(b"A: b", MAX_FIELDS)),
    "a folded field": sized(BODY, b"A: b\r\n c"),
    "a bare LF": sized(BODY, b"A: b\nC: d"),
    "a bare CR": sized(BODY, b"A: b\rC: d"),
    "a control": sized(BODY, b"A: \x01"),
    "a blank before the colon": sized(BODY, b"A : b"),
    "an upgrade": sized(BODY, b"Upgrade: h2c"),
    "a proxy's close": sized(BODY, b"Proxy-Connection: close"),
}


@pytest.mark.parametrize("data", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_anything_odd_is_left_to_llhttp(data: bytes) -> None:
    """A response is plain only if nothing but one length decides where it ends."""
    assert read_plain(data, MOST) is None


def test_only_the_first_bytes_of_a_response_can_be_plain() -> None:
    """What llhttp has begun, llhttp ends: a body that looks like a response is a body."""
    reader = ResponseReader()
    reader.expect(MOST)
    inner = sized()
    assert not reader.feed(answer(b"Content-Length: %d" % len(inner)))
    assert reader.feed(inner)
    assert reader.response is not None
    assert reader.response.body == inner
