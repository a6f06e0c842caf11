"""Limit the time of an awaitable, with a timer only if it suspends: most webhooks and many handlers never do."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Generator
from functools import partial
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


async def within(seconds: float | None, awaitable: Awaitable[T]) -> T:
    """Await for at most some seconds.

    anyio's scope costs 11 µs and asyncio's timer 2, each two times per webhook, so neither is set up before the first
    suspension. No timer could interrupt the code before it anyway. anyio's scope must not be opened then, because it
    would overlap with the scopes that the awaitable has opened. asyncio's timer nests in nothing. On trio, the scope is
    opened first.

    Args:
        seconds: Maximum duration. None for no limit.
        awaitable: Runs in the current task.

    Raises:
        TimeoutError: The time is over.
    """
    if not _on_asyncio():
        with anyio.fail_after(seconds):
            return await awaitable
    steps: Generator[Any, Any, T] = awaitable.__await__()
    try:
        first = next(steps)
    except StopIteration as ended:
        result: T = ended.value
        return result
    async with asyncio.timeout(seconds):
        return await _continued(steps, first)


@types.coroutine
def _continued(steps: Generator[Any, Any, T], awaited: object) -> Generator[Any, Any, T]:
    """Wait for what the steps await already, and for all that they await next."""
    while True:
        try:
            sent = yield awaited
        except GeneratorExit:  # the task is disposed of without its loop
            steps.close()
            raise
        except BaseException as error:  # noqa: BLE001 - a cancellation, which the steps may handle
            resume = partial(steps.throw, error)
        else:
            resume = partial(steps.send, sent)
        try:
            awaited = resume()
        except StopIteration as ended:
            result: T = ended.value
            return result


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
