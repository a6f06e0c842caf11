"""A limit costs a timer only where something suspends, and cuts off as any other limit does."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Generator

import anyio
import anyio.lowlevel
import pytest

from callsavvy_async.webhooks.time_limit import within

pytestmark = pytest.mark.anyio


async def waits(times: int) -> int:
    for _ in range(times):
        await anyio.lowlevel.checkpoint()
    return times


@pytest.mark.parametrize("times", [0, 1, 3])
async def test_the_result_is_returned(times: int) -> None:
    """However often it suspends."""
    assert await within(60, waits(times)) == times
    assert await within(None, waits(times)) == times


async def test_any_awaitable() -> None:
    """A handler may return an awaitable that is no coroutine."""

    class Later(Awaitable[int]):
        def __await__(self) -> Generator[None, None, int]:
            return (yield from waits(2).__await__())

    assert await within(60, Later()) == 2


async def test_the_time_is_over() -> None:
    """The awaitable is cancelled, and may clean up."""
    ended: list[str] = []

    async def cleans_up() -> None:
        try:
            await anyio.sleep(60)
        finally:
            ended.append("cleaned up")

    with pytest.raises(TimeoutError):
        await within(0.01, cleans_up())
    assert ended == ["cleaned up"]


async def test_scopes_of_the_awaitable() -> None:
    """Scopes that it opened before it first suspended still end what they surround, and so does the limit."""

    async def gives_up() -> str:
        with anyio.move_on_after(0.01):
            await anyio.sleep(60)
        return "went on"

    async def outlasts() -> None:
        with anyio.move_on_after(60):
            await anyio.sleep(60)

    assert await within(60, gives_up()) == "went on"
    with pytest.raises(TimeoutError):
        await within(0.01, outlasts())
    with anyio.move_on_after(0.01) as outer:
        await within(60, outlasts())
    assert outer.cancelled_caught


async def test_errors_pass() -> None:
    """Before a suspension and after one."""

    async def fails(times: int) -> None:
        raise KeyError(await waits(times))

    for times in (0, 2):
        with pytest.raises(KeyError, match=str(times)):
            await within(60, fails(times))


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_no_timer_without_a_suspension(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only an awaitable that suspends costs a timer."""
    made = itertools.count()
    loop = asyncio.get_running_loop()
    call_at = loop.call_at
    monkeypatch.setattr(loop, "call_at", lambda *args, **kwargs: (next(made), call_at(*args, **kwargs))[1])
    await within(60, waits(0))
    assert next(made) == 0
    await within(60, waits(1))
    assert next(made) == 2


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_disposed_of_without_a_loop() -> None:
    """An abandoned task closes what it awaits."""
    ended: list[str] = []

    async def hangs() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("closed")

    abandoned = within(60, hangs())
    abandoned.send(None)
    abandoned.close()
    assert ended == ["closed"]
