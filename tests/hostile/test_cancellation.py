"""Cancelled at any await, a request costs no connection: those that follow succeed, and nothing stays open."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from functools import partial

import anyio
import pytest

from callsavvy_async import Callsavvy, Unlimited
from tests.profiles import mostly_long

from .interrupt import cancel_at
from .play import COMBINATIONS, Combination, Tls, contradiction, opened, send
from .server import Entry, Server, Turn, body_for, framed
from .tricks import truth

pytestmark = pytest.mark.sockets

OURS = sorted(
    (one for one in COMBINATIONS if one.carrier in {"native", "httpx", "aiohttp"}), key=lambda one: not one.secure
)
"""What opens connections of its own. Pools that users bring are theirs: httpcore's loses a place at some awaits."""


@pytest.fixture(scope="module")
def tls() -> Tls:
    """Make the settings of both sides."""
    return Tls()


def slowly(turn: Turn) -> None:
    """Answer in two pieces, so that there is more to await."""
    number = turn.read_request()
    data = framed(body_for(number))
    turn.send(data[:40])
    time.sleep(0.005)
    turn.send(data[40:])


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - one call, and no objects


async def follow(client: Callsavvy, server: Server, numbers: Iterator[str], count: int) -> None:
    """Send some requests, all of which must get their own responses."""
    for number in itertools.islice(numbers, count):
        outcome, receipt = await send(client, number)
        assert outcome == truth(number)
        assert contradiction(number, outcome, receipt, server.ledger[number]) is None


async def play(combination: Combination, tls: Tls, *, by_task: bool, warm: bool, rest: int) -> None:
    """Cancel a request at each of its awaits, one after the other."""
    server = Server(tls.server if combination.secure else None)
    numbers = (f"+23480{number:08}" for number in itertools.count())
    try:
        for at in itertools.count():
            before = server.connections
            async with opened(combination, server, tls, pacing=Unlimited(max_in_flight=1)) as client:
                await follow(client, server, numbers, int(warm))
                server.trick = slowly
                number = next(numbers)
                reached = await cancel_at(send(client, number), at, by_task=by_task)
                assert contradiction(number, "UNKNOWN", None, server.ledger.get(number, Entry())) is None
                server.trick = Turn.answer
                await follow(client, server, numbers, rest)
                assert server.connections <= before + 2  # that of the cancelled request, and another
            if not reached:
                assert at > 0
                return
    finally:
        server.close()


def cancellations(combination: Combination) -> list[bool]:
    return [True, False] if combination.loop == "asyncio" else [False]


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("combination", mostly_long(OURS, quick=2), ids=str)
def test_at_every_await(combination: Combination, warm: bool, tls: Tls) -> None:
    """Wherever a request is cancelled, the next get their own responses over at most one new connection; none leaks."""
    before = descriptors()
    for by_task in cancellations(combination):
        anyio.run(partial(play, combination, tls, by_task=by_task, warm=warm, rest=2), backend=combination.loop)
    assert descriptors() <= before


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("combination", [one for one in OURS if one.secure], ids=str)
def test_a_hundred_after_each(combination: Combination, tls: Tls) -> None:
    """The same for the hundred requests that follow each; over TLS and from cold, where there is most to await."""
    for by_task in cancellations(combination):
        anyio.run(partial(play, combination, tls, by_task=by_task, warm=False, rest=100), backend=combination.loop)
