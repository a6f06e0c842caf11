"""Cancel a coroutine at its n-th await, wherever that is."""

from __future__ import annotations

import asyncio
import itertools
import types
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any

import anyio


@types.coroutine
def _interrupted(
    coroutine: Coroutine[Any, Any, object], at: int, interrupt: Callable[[], object]
) -> Generator[Any, Any, None]:
    """Run a coroutine; call `interrupt` when it is about to be suspended for the time `at`."""
    resume = partial(coroutine.send, None)
    for count in itertools.count():
        try:
            suspension = resume()
        except StopIteration:
            return
        if count == at:
            interrupt()
        try:
            value = yield suspension
        except BaseException as error:  # noqa: BLE001 - whatever comes is the coroutine's
            resume = partial(coroutine.throw, error)
        else:
            resume = partial(coroutine.send, value)


async def cancel_at(coroutine: Coroutine[Any, Any, object], at: int, *, by_task: bool) -> bool:
    """Run a coroutine and cancel it at an await.

    Args:
        coroutine: what is run. What it raises is raised.
        at: which await: 0 is the first.
        by_task: cancel its task, as asyncio does, rather than a scope around it. asyncio only.

    Returns:
        Whether it came so far.
    """
    reached = False

    def interrupt() -> None:
        nonlocal reached
        reached = True
        cancel()

    if by_task:

        async def run() -> None:
            await _interrupted(coroutine, at, interrupt)

        task = asyncio.create_task(run())
        cancel: Callable[[], object] = task.cancel
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
    else:
        with anyio.CancelScope() as scope:
            cancel = scope.cancel
            await _interrupted(coroutine, at, interrupt)
    return reached
