"""Deliver a response, intact or with a fault."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from callsavvy_async.simulator.channel import Channel
from callsavvy_async.simulator.faults import Fault, FaultKind
from callsavvy_async.simulator.mangling import CONTENT_TYPES, HTML_PAGE, MANGLERS
from callsavvy_async.simulator.responses import Reply, RequestRejected, error

_JSON = "application/json"
_GARBAGE = b"\x15\x03\x01\x00\x02\x02\x28 this is not HTTP\r\n\r\n"
_BLOCK = b" " * 2**20


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A reply and the fault of its delivery."""

    channel: Channel
    reply: Reply
    fault: Fault
    headers: Mapping[str, str]
    sleep: Callable[[float], Awaitable[object]]


async def deliver(
    channel: Channel, reply: Reply, fault: Fault | None, *, sleep: Callable[[float], Awaitable[object]]
) -> None:
    """Send a reply to the client, with its fault."""
    headers = {**reply.headers, "content-type": _JSON}
    if fault is None:
        await channel.respond(reply.status, headers, reply.body)
    else:
        method = _METHODS.get(fault.kind, _respond_mangled)
        await method(_Delivery(channel, reply, fault, headers, sleep))


async def _drop(delivery: _Delivery) -> None:
    await delivery.channel.drop()


async def _reset(delivery: _Delivery) -> None:
    await delivery.channel.drop(reset=True)


async def _hang(delivery: _Delivery) -> None:
    await delivery.channel.hang()


async def _write_garbage(delivery: _Delivery) -> None:
    await delivery.channel.drop(_GARBAGE)


async def _respond_and_close(delivery: _Delivery) -> None:
    await delivery.channel.respond(delivery.reply.status, delivery.headers, delivery.reply.body)
    await delivery.channel.close()


async def _respond_with_status(delivery: _Delivery) -> None:
    """Send the fault's status, body and headers."""
    fault = delivery.fault
    envelope = error(str(delivery.reply.envelope["resource"]), RequestRejected(fault.status, _phrase(fault.status)))
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
    await delivery.channel.respond(fault.status, headers, body)


async def _drip(delivery: _Delivery) -> None:
    body, size = delivery.reply.body, delivery.fault.size
    await _start_with_length(delivery)
    for start in range(0, len(body), size):
        await delivery.channel.write(body[start : start + size], more=True)
        await delivery.sleep(delivery.fault.seconds)
    await delivery.channel.write(b"", more=False)


async def _truncate(delivery: _Delivery) -> None:
    body = delivery.reply.body
    await _start_with_length(delivery)
    await delivery.channel.write(body[: len(body) // 2], more=True)
    await delivery.channel.drop()


async def _start_with_length(delivery: _Delivery) -> None:
    headers = {**delivery.headers, "content-length": str(len(delivery.reply.body))}
    await delivery.channel.start(delivery.reply.status, headers)


async def _pad(delivery: _Delivery) -> None:
    await _stream(delivery, delivery.headers, _padded(delivery.reply.body, delivery.fault.size))


async def _bomb(delivery: _Delivery) -> None:
    packed = _gzip(_padded(delivery.reply.body, delivery.fault.size))
    await _stream(delivery, {**delivery.headers, "content-encoding": "gzip"}, packed)


async def _respond_mangled(delivery: _Delivery) -> None:
    kind = delivery.fault.kind
    headers = {**delivery.headers, "content-type": CONTENT_TYPES.get(kind, _JSON)}
    await delivery.channel.respond(delivery.reply.status, headers, MANGLERS[kind](delivery.reply))


async def _stream(delivery: _Delivery, headers: Mapping[str, str], pieces: Iterator[bytes]) -> None:
    await delivery.channel.start(delivery.reply.status, headers)
    for piece in pieces:
        await delivery.channel.write(piece, more=True)
    await delivery.channel.write(b"", more=False)


def _padded(body: bytes, size: int) -> Iterator[bytes]:
    """Yield `size` blanks, which JSON allows, and then the body."""
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


_METHODS: Mapping[FaultKind, Callable[[_Delivery], Awaitable[None]]] = {
    FaultKind.DROP: _drop,
    FaultKind.RESET: _reset,
    FaultKind.HANG: _hang,
    FaultKind.GARBAGE: _write_garbage,
    FaultKind.CLOSE_AFTER_RESPONSE: _respond_and_close,
    FaultKind.STATUS: _respond_with_status,
    FaultKind.SLOW_DRIP: _drip,
    FaultKind.TRUNCATED_BODY: _truncate,
    FaultKind.HUGE_BODY: _pad,
    FaultKind.GZIP_BOMB: _bomb,
}
"""The kinds that change more than the body. `MANGLERS` holds the others."""
