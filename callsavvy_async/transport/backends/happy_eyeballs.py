"""A TCP connection to whichever of a host's addresses answers first (RFC 8305, Happy Eyeballs).

Theory: half of the internet's broken dual-stack hosts are silent on one family. So the addresses are tried in turn, the
families alternating, the next a quarter of a second after the last or as soon as that has failed; the first connection
wins and the others are closed. asyncio has the same (``happy_eyeballs_delay``), but before 3.13 it leaks the winner's
socket when it is cancelled at that moment.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import TypeAlias

DELAY = 0.25
"""Seconds before the next address is tried beside the last (RFC 8305, 5)."""

Address: TypeAlias = "tuple[socket.AddressFamily, tuple[object, ...]]"


async def connect_tcp(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """Look a host up and connect to it. Cancelling it leaves nothing open.

    Raises:
        OSError: the host has no address, or none of them could be reached.
    """
    try:  # an address needs no look-up, and so no thread
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    waiting = _in_turn([(family, address) for family, _, _, _, address in found])
    running: set[asyncio.Task[socket.socket]] = set()
    failures: list[OSError] = []
    try:
        while waiting or running:
            if waiting:
                running.add(loop.create_task(_connect(loop, waiting.pop(0))))
            patience = DELAY if waiting else None
            done, _ = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                try:
                    connected = task.result()
                except OSError as error:
                    failures.append(error)
                    running.discard(task)
                else:
                    running.discard(task)
                    return connected
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(_close)
    raise failures[0] if len(failures) == 1 else OSError("; ".join(map(str, failures)))


def _in_turn(addresses: Sequence[Address]) -> list[Address]:
    """Sort them so that the families alternate, the first one's first (RFC 8305, 4)."""
    first = [address for address in addresses if address[0] == addresses[0][0]]
    other = [address for address in addresses if address[0] != addresses[0][0]]
    return [address for address in chain.from_iterable(zip_longest(first, other)) if address is not None]


async def _connect(loop: asyncio.AbstractEventLoop, address: Address) -> socket.socket:
    sock = socket.socket(address[0], socket.SOCK_STREAM, socket.IPPROTO_TCP)  # which asyncio looks for to set NODELAY
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, address[1])
    except BaseException:
        sock.close()
        raise
    return sock


def _close(task: asyncio.Task[socket.socket]) -> None:
    """Close what came too late."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()
