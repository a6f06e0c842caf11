"""What is fuzzed: each target takes any bytes, and raises only if a rule is broken."""

from __future__ import annotations

import base64
import io
import itertools
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

from callsavvy_async.bulk.recipient_files import read_stream
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.resources.account import GET_SUMMARY
from callsavvy_async.resources.calls import LIST_CALLS
from callsavvy_async.resources.chats import LIST_CHATS
from callsavvy_async.resources.contacts import LIST_CONTACTS
from callsavvy_async.resources.sends import SEND_SMS
from callsavvy_async.resources.tickets import LIST_TICKETS
from callsavvy_async.transport.native.response import ResponseReader
from callsavvy_async.webhooks.parsing import MalformedEventError, parse
from callsavvy_async.wire.codec import Codec
from callsavvy_async.wire.field_parsers import UnreadableDataError
from callsavvy_async.wire.response import read_envelope

MOST_BYTES = 1_000
"""Of a fuzzed response's body."""
MOST_ROWS = 1_000
CODEC = Codec(ZoneInfo("Africa/Lagos"))
ENDPOINTS = (SEND_SMS, LIST_TICKETS, LIST_CALLS, LIST_CHATS, LIST_CONTACTS, GET_SUMMARY)


def framing(data: bytes) -> None:
    """A response is read, or there is one reason why not; where the network cuts it changes neither."""
    cut, rest = data[:1], data[1:]
    step = 1 + (cut[0] if cut else 0)
    whole = _response([rest])
    pieces = [rest[start : start + step] for start in range(0, len(rest), step)]
    assert whole == _response(pieces), (step, whole)


def _response(pieces: list[bytes]) -> tuple[object, ...]:
    reader = ResponseReader()
    reader.expect(MOST_BYTES)
    for piece in filter(None, pieces):
        if reader.feed(piece):
            break
    reader.end(clean=True)
    assert (reader.response is None) != (reader.broken is None)
    if reader.response is None:
        assert reader.broken is not None
        return (reader.broken.kind,)
    assert len(reader.response.body) <= MOST_BYTES
    return reader.response.status_code, dict(reader.response.headers), reader.response.body


def json_rules(data: bytes) -> None:
    """Every endpoint reads any body: a receipt always, rows or one reason why not."""
    envelope = read_envelope(data)
    for endpoint in ENDPOINTS:
        try:
            repr(CODEC.decode(endpoint, envelope, data))
        except UnreadableDataError:
            assert endpoint is not SEND_SMS


def lists(data: bytes) -> None:
    """A file is rows, or an error that names the file; never another error."""
    kinds = ("auto", "csv", "jsonl", "jsonl", "lines", "vcard")
    kind, rest = kinds[data[0] % len(kinds)] if data else "auto", data[1:]
    try:
        for row in itertools.islice(read_stream(io.BufferedReader(io.BytesIO(rest)), "people", format=kind), MOST_ROWS):  # type: ignore[arg-type]
            assert row is not None
    except InvalidRequestError as error:
        assert "people" in str(error)  # noqa: PT017 - not every input is an error


def webhooks(data: bytes) -> None:
    """A body is an event, or malformed; its repr shows nothing of it."""
    with suppress(MalformedEventError):
        repr(parse(data))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "framing": framing,
    "json_rules": json_rules,
    "lists": lists,
    "webhooks": webhooks,
}

_BODY = b'{"status":"success","message":"Sent","data":{"message_id":"m1"}}'
SEEDS: dict[str, tuple[bytes, ...]] = {
    "framing": (
        b"\0HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + _BODY,
        b"\3HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + _BODY + b"\r\n0\r\n\r\n",
        b"\7HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 429 Too Many\r\nRetry-After: 3\r\n\r\nslow down",
        b"\1HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nConnection: close\r\n\r\n" + zlib.compress(_BODY),
    ),
    "json_rules": (
        _BODY,
        b"[]",
        b'{"status":"success","data":[{"ticket_id":1e309,"subject":"\\ud800","datetime":"2026-02-30 25:61"}]}',
        b"\xff\xfe{\0}\0",
    ),
    "lists": (
        b"\1phone;name\n+2348012345678;Ada\n",
        b'\2["+2348012345678",{"phone":"+2348012345679"}]',
        b"\4# people\n+2348012345678\n",
        b"\5BEGIN:VCARD\nFN:Ada\nTEL;TYPE=cell:+2348012345678\nEND:VCARD\n",
        b"\0sep=;\nphone;name\n1;2\n",
    ),
    "webhooks": (
        b'{"event":"newTicket","ticket_id":"1","subject":"Hello"}',
        b"event=newChat&chat_id=7&name=Ada%20L",
        b'{"event":"callStarted","caller":"+2348012345678","call_id":"' + b"9" * 40 + b'"}',
    ),
}
"""What each begins with; the corpus adds what was found since."""

_CORPUS = Path(__file__).parent / "corpus"


def known_inputs(name: str) -> list[bytes]:
    """Return a target's seeds and its corpus."""
    path = _CORPUS / f"{name}.txt"
    lines = path.read_text("ascii").split() if path.exists() else []
    return [*SEEDS[name], *map(base64.b64decode, lines)]


def write_corpus(name: str, inputs: list[bytes]) -> None:
    """Keep these inputs, one a line in base64, the shortest first."""
    lines = sorted(
        (base64.b64encode(data).decode() for data in {*inputs} - {*SEEDS[name]}), key=lambda line: (len(line), line)
    )
    _CORPUS.mkdir(exist_ok=True)
    (_CORPUS / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), "ascii")
