"""Run a coroutine in the background: for as long as a block runs, or as long as the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVarTuple

import anyio
import sniffio

Ts = TypeVarTuple("Ts")


@asynccontextmanager
async def beside(work: Callable[[*Ts], Coroutine[object, object, None]], *args: *Ts) -> AsyncGenerator[None]:
    """Run `work` beside the block, and cancel it at the block's end. The block's exceptions leave without a group."""
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(work, *args)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised outside the group
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure


def spawn(coroutine: Coroutine[object, object, None]) -> None:
    """Start a coroutine in the running event loop, which cancels it at its end. Under trio it must not raise."""
    if sniffio.current_async_library() == "trio":
        import trio  # noqa: PLC0415 - optional, and already imported here

        async def run() -> None:
            await coroutine

        trio.lowlevel.spawn_system_task(run)
    else:
        task = asyncio.ensure_future(coroutine)
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)


_TASKS: set[asyncio.Future[None]] = set()
"""asyncio keeps only weak references to tasks."""
