"""How an answer travels: whole, or as a fault would have it."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from http import HTTPStatus
from typing import assert_never

from .answers import Reply, RequestRefused, error
from .channel import Channel
from .faults import Fault, FaultKind
from .mangling import CONTENT_TYPES, HTML_PAGE, MANGLERS

_JSON = "application/json"
_GARBAGE = b"\x15\x03\x01\x00\x02\x02\x28 this is not HTTP\r\n\r\n"
_BLOCK = b" " * 2**20


async def deliver(
    channel: Channel, reply: Reply, fault: Fault | None, *, sleep: Callable[[float], Awaitable[object]]
) -> None:
    """Send a reply to the client, or let a fault happen to it."""
    headers = {**reply.headers, "content-type": _JSON}
    if fault is None:
        await channel.respond(reply.status, headers, reply.body)
        return
    match fault.kind:
        case FaultKind.DROP:
            await channel.drop()
        case FaultKind.RESET:
            await channel.drop(reset=True)
        case FaultKind.GARBAGE:
            await channel.drop(_GARBAGE)
        case FaultKind.HANG:
            await channel.hang()
        case FaultKind.CLOSE_AFTER_ANSWER:
            await channel.respond(reply.status, headers, reply.body)
            await channel.close()
        case FaultKind.TRUNCATED_BODY:
            await channel.start(reply.status, {**headers, "content-length": str(len(reply.body))})
            await channel.write(reply.body[: len(reply.body) // 2], more=True)
            await channel.drop()
        case FaultKind.SLOW_DRIP:
            await channel.start(reply.status, {**headers, "content-length": str(len(reply.body))})
            for start in range(0, len(reply.body), fault.size):
                await channel.write(reply.body[start : start + fault.size], more=True)
                await sleep(fault.seconds)
            await channel.write(b"", more=False)
        case FaultKind.HUGE_BODY:
            await _stream(channel, reply.status, headers, _padded(reply.body, fault.size))
        case FaultKind.GZIP_BOMB:
            packed = _gzip(_padded(reply.body, fault.size))
            await _stream(channel, reply.status, {**headers, "content-encoding": "gzip"}, packed)
        case FaultKind.STATUS:
            await _respond_with_status(channel, reply, fault)
        case kind:
            content_type = CONTENT_TYPES.get(kind, _JSON)
            await channel.respond(reply.status, {**headers, "content-type": content_type}, MANGLERS[kind](reply))


async def _respond_with_status(channel: Channel, reply: Reply, fault: Fault) -> None:
    """Send another status than the API's, with the body and headers that the fault asks for."""
    headers = {"content-type": _JSON}
    if fault.retry_after is not None:
        headers["retry-after"] = fault.retry_after
    if fault.location is not None:
        headers["location"] = fault.location
    match fault.body:
        case "envelope":
            body = error(str(reply.envelope["resource"]), RequestRefused(fault.status, _phrase(fault.status))).body
        case "html":
            headers["content-type"], body = "text/html; charset=utf-8", HTML_PAGE
        case "empty":
            body = b""
        case _ as unreachable:
            assert_never(unreachable)
    await channel.respond(fault.status, headers, body)


async def _stream(channel: Channel, status: int, headers: Mapping[str, str], pieces: Iterator[bytes]) -> None:
    await channel.start(status, headers)
    for piece in pieces:
        await channel.write(piece, more=True)
    await channel.write(b"", more=False)


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
