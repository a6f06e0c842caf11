"""How an answer travels: whole, or as a fault would have it."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from callsavvy_async.simulator.channel import Channel
from callsavvy_async.simulator.faults import Fault, FaultKind
from callsavvy_async.simulator.mangling import CONTENT_TYPES, HTML_PAGE, MANGLERS
from callsavvy_async.simulator.responses import Reply, RequestRefused, error

_JSON = "application/json"
_GARBAGE = b"\x15\x03\x01\x00\x02\x02\x28 this is not HTTP\r\n\r\n"
_BLOCK = b" " * 2**20


@dataclass(frozen=True, slots=True)
class _Delivery:
    """One reply on its way, and what shall happen to it."""

    channel: Channel
    reply: Reply
    fault: Fault
    headers: Mapping[str, str]
    sleep: Callable[[float], Awaitable[object]]


async def deliver(
    channel: Channel, reply: Reply, fault: Fault | None, *, sleep: Callable[[float], Awaitable[object]]
) -> None:
    """Send a reply to the client, or let a fault happen to it."""
    headers = {**reply.headers, "content-type": _JSON}
    if fault is None:
        await channel.respond(reply.status, headers, reply.body)
    else:
        way = _WAYS.get(fault.kind, _respond_mangled)
        await way(_Delivery(channel, reply, fault, headers, sleep))


async def _drop(way: _Delivery) -> None:
    await way.channel.drop()


async def _reset(way: _Delivery) -> None:
    await way.channel.drop(reset=True)


async def _hang(way: _Delivery) -> None:
    await way.channel.hang()


async def _write_garbage(way: _Delivery) -> None:
    await way.channel.drop(_GARBAGE)


async def _respond_and_close(way: _Delivery) -> None:
    await way.channel.respond(way.reply.status, way.headers, way.reply.body)
    await way.channel.close()


async def _respond_with_status(way: _Delivery) -> None:
    """Send another status than the API's, with the body and headers that the fault asks for."""
    fault = way.fault
    envelope = error(str(way.reply.envelope["resource"]), RequestRefused(fault.status, _phrase(fault.status)))
    content_type, body = {
        "envelope": (_JSON, envelope.body),
        "html": ("text/html; charset=utf-8", HTML_PAGE),
        "empty": (_JSON, b""),
    }[fault.body]
    headers = {"content-type": content_type}
    if fault.retry_after is not None:
        headers["retry-after"] = fault.retry_after
    if fault.location is not None:
        headers["location"] = fault.location
    await way.channel.respond(fault.status, headers, body)


async def _drip(way: _Delivery) -> None:
    body, size = way.reply.body, way.fault.size
    await way.channel.start(way.reply.status, {**way.headers, "content-length": str(len(body))})
    for start in range(0, len(body), size):
        await way.channel.write(body[start : start + size], more=True)
        await way.sleep(way.fault.seconds)
    await way.channel.write(b"", more=False)


async def _truncate(way: _Delivery) -> None:
    body = way.reply.body
    await way.channel.start(way.reply.status, {**way.headers, "content-length": str(len(body))})
    await way.channel.write(body[: len(body) // 2], more=True)
    await way.channel.drop()


async def _pad(way: _Delivery) -> None:
    await _stream(way, way.headers, _padded(way.reply.body, way.fault.size))


async def _bomb(way: _Delivery) -> None:
    packed = _gzip(_padded(way.reply.body, way.fault.size))
    await _stream(way, {**way.headers, "content-encoding": "gzip"}, packed)


async def _respond_mangled(way: _Delivery) -> None:
    kind = way.fault.kind
    headers = {**way.headers, "content-type": CONTENT_TYPES.get(kind, _JSON)}
    await way.channel.respond(way.reply.status, headers, MANGLERS[kind](way.reply))


async def _stream(way: _Delivery, headers: Mapping[str, str], pieces: Iterator[bytes]) -> None:
    await way.channel.start(way.reply.status, headers)
    for piece in pieces:
        await way.channel.write(piece, more=True)
    await way.channel.write(b"", more=False)


def _padded(body: bytes, size: int) -> Iterator[bytes]:
    """Put `size` blanks, which JSON allows, before the answer."""
    for start in range(0, size, len(_BLOCK)):
        yield _BLOCK[: size - start]
    yield body


def _gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(level=9, wbits=zlib.MAX_WBITS | 16)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown error"


_WAYS: Mapping[FaultKind, Callable[[_Delivery], Awaitable[None]]] = {
    FaultKind.DROP: _drop,
    FaultKind.RESET: _reset,
    FaultKind.HANG: _hang,
    FaultKind.GARBAGE: _write_garbage,
    FaultKind.CLOSE_AFTER_ANSWER: _respond_and_close,
    FaultKind.STATUS: _respond_with_status,
    FaultKind.SLOW_DRIP: _drip,
    FaultKind.TRUNCATED_BODY: _truncate,
    FaultKind.HUGE_BODY: _pad,
    FaultKind.GZIP_BOMB: _bomb,
}
"""The kinds that change more than what the body says; all others are in `MANGLERS`."""
