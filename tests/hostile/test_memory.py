"""A response costs at most half as much memory again as its largest size, on every backend."""

from __future__ import annotations

import tracemalloc

import anyio
import pytest

from callsavvy_async import RequestError, ResponseTooLargeError
from tests.profiles import mostly_long

from .play import COMBINATIONS, Combination, Tls, opened
from .server import HangUp, Server, Turn

pytestmark = pytest.mark.sockets

MOST = 4 * 2**20
EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"
"""Of deflate, without content (RFC 1951, 3.2.4)."""
PLAIN = [one for one in COMBINATIONS if not one.secure and one.carrier in {"native", "httpx", "aiohttp"}]


def small_chunks(turn: Turn) -> None:
    """Send chunks that are smaller than the objects that would hold them, without end."""
    turn.read_request()
    turn.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        turn.send((b"10\r\n" + b"x" * 16 + b"\r\n") * 1000)


def empty_blocks(turn: Turn) -> None:
    """Send a compressed body that yields nothing, and then ends the connection."""
    turn.read_request()
    turn.send(b"HTTP/1.1 200 OK\r\ncontent-encoding: deflate\r\ntransfer-encoding: chunked\r\n\r\n")
    piece = EMPTY_BLOCK * 10_000
    for _ in range(3 * MOST // len(piece)):
        turn.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    raise HangUp


async def peak_of(combination: Combination, trick: object, expected: type[Exception]) -> int:
    server = Server()
    try:
        async with opened(combination, server, Tls(), max_response_bytes=MOST, timeout=60) as client:
            await client.account.summary()
            server.trick = trick  # type: ignore[assignment]
            tracemalloc.start()
            try:
                with pytest.raises(expected):
                    await client.account.summary()
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
    finally:
        server.close()


@pytest.mark.long
@pytest.mark.parametrize("combination", [one for one in PLAIN if one.carrier == "native"], ids=str)
def test_small_chunks(combination: Combination) -> None:
    """What the server cuts small is not kept in small objects."""
    peak = anyio.run(peak_of, combination, small_chunks, ResponseTooLargeError, backend=combination.loop)
    assert peak <= 1.5 * MOST


@pytest.mark.parametrize("combination", mostly_long(PLAIN), ids=str)
def test_blocks_that_yield_nothing(combination: Combination) -> None:
    """Compressed bytes without content are not kept, though there are more of them than a response may have."""
    peak = anyio.run(peak_of, combination, empty_blocks, RequestError, backend=combination.loop)
    assert peak <= 1.5 * MOST
