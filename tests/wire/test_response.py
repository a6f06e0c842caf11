"""Reading envelopes: strictly, and never raising."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.encodable import encodable
from callsavvy_async.wire.response import Envelope, EnvelopeStatus, HttpResponse, read_envelope
from callsavvy_async.wire.response_headers import Headers


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_no_bytes_raise(body: bytes) -> None:
    """Whatever the body, there is an envelope or there is none."""
    envelope = read_envelope(body)
    assert envelope is None or isinstance(envelope, Envelope)


@given(
    status=st.none() | st.text() | st.integers() | st.just("success"),
    message=st.none() | st.text() | st.integers(),
    data=st.text(),
)
def test_any_object_is_an_envelope(status: object, message: object, data: str) -> None:
    """Two words count as status, any text as message, anything as data."""
    envelope = read_envelope(json.dumps({"status": status, "message": message, "data": data}).encode())
    assert envelope is not None
    assert envelope.data == encodable(data)
    assert envelope.message == (encodable(message) if isinstance(message, str) and message else None)
    word = status.strip().lower() if isinstance(status, str) else ""
    assert envelope.status == {"success": EnvelopeStatus.SUCCESS, "error": EnvelopeStatus.ERROR}.get(word)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'"success"',
        b"null",
        b'{"status":"success"',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b"\xff",
        b"{" * 10**6,
    ],
)
def test_what_is_no_envelope(body: bytes) -> None:
    """HTML, other JSON, cut JSON, NaN and bytes that are no text are no envelope; nothing is repaired (quirk Q09)."""
    assert read_envelope(body) is None


def test_no_break_spaces_are_no_json() -> None:
    """The document's samples as they were delivered are not JSON, and are not made so (quirk Q07)."""
    assert read_envelope('{\n\u00a0"status": "success"}'.encode()) is None


def test_a_byte_order_mark_is_read() -> None:
    """A BOM before the JSON does no harm."""
    assert read_envelope(b'\xef\xbb\xbf{"status":"success"}') == Envelope(EnvelopeStatus.SUCCESS)


def test_an_answer_hides_what_it_carries() -> None:
    """Neither headers nor body nor data are in a repr."""
    assert "secret" not in repr(HttpResponse(200, Headers([(b"x", b"secret")]), b"secret"))
    assert "secret" not in repr(Envelope(None, None, "secret"))
