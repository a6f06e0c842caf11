"""Several addresses: tried in turn, side by side, the first wins, the others are closed (RFC 8305)."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from callsavvy_async.transport.native import connect as native_connect
from callsavvy_async.transport.native.backend import NativeBackend
from callsavvy_async.transport.native.connect import connect_tcp

from .hostile import Peer, descriptors, hostile

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]

V4, V6 = socket.AF_INET, socket.AF_INET6


class Host:
    """A host of several addresses, some of which refuse, some of which say nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
        self.tried: list[str] = []
        loop = asyncio.get_running_loop()

        async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
            return [(V6 if ":" in name else V4, 1, 6, "", (name, port)) for name in addresses]

        async def sock_connect(sock: socket.socket, address: Any) -> None:
            self.tried.append(address[0])
            if "silent" in address[0]:
                await asyncio.Event().wait()
            if "refuses" in address[0]:
                raise ConnectionRefusedError(address[0])
            await asyncio.sleep(0)

        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(loop, "sock_connect", sock_connect)

    async def connect(self) -> str:
        before = descriptors()
        with await connect_tcp(asyncio.get_running_loop(), "host", 80):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert descriptors() == before + 1
        return self.tried[-1]


async def test_the_first_address_as_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it answers, no other is bothered."""
    host = Host(monkeypatch, ":one", "two")
    assert await host.connect() == ":one"
    assert host.tried == [":one"]


async def test_an_address_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next is tried at once, the families in turn."""
    monkeypatch.setattr(native_connect, "DELAY", 100.0)
    host = Host(monkeypatch, ":refuses", ":refuses too", "refuses", "good")
    assert await host.connect() == "good"
    assert host.tried == [":refuses", "refuses", ":refuses too", "good"]


async def test_an_address_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next is tried beside it after a moment, and what lost is closed."""
    monkeypatch.setattr(native_connect, "DELAY", 0.01)
    host = Host(monkeypatch, ":silent", "silent too", "good")
    assert await host.connect() == "good"


async def test_no_address_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names what happened to each."""
    host = Host(monkeypatch, ":refuses", "refuses")
    before = descriptors()
    with pytest.raises(OSError, match=":refuses, refuses"):
        await host.connect()
    host = Host(monkeypatch, "refuses")
    with pytest.raises(ConnectionRefusedError):
        await host.connect()
    assert descriptors() == before


@pytest.mark.parametrize("turns", range(8))
async def test_given_up(monkeypatch: pytest.MonkeyPatch, turns: int) -> None:
    """At whatever moment, also when an address has just answered: nothing stays open."""
    host = Host(monkeypatch, ":good", "good")
    before = descriptors()
    task = asyncio.create_task(connect_tcp(asyncio.get_running_loop(), "host", 80))
    for _ in range(turns):
        await asyncio.sleep(0)
    if task.done():
        task.result().close()
    else:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    for _ in range(3):
        await asyncio.sleep(0)
    assert descriptors() == before
    assert set(host.tried) <= {":good"}


async def test_both_families(backend: NativeBackend) -> None:
    """Localhost may be ::1 first; a server on 127.0.0.1 alone is found."""

    async def script(peer: Peer) -> None:
        await peer.answer()

    async with hostile(script) as server:
        answer = await backend.exchange(server.request(host="localhost"), timeout=5, max_bytes=10)
        assert answer.body == b"{}"
