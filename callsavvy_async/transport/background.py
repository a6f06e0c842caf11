"""Run something beside the caller, in no task group of anybody's."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import sniffio


def spawn(coroutine: Coroutine[object, object, None]) -> None:
    """Start it in the running event loop. Under trio it must not raise; both loops cancel it when they end."""
    if sniffio.current_async_library() == "trio":
        import trio  # noqa: PLC0415 - only when it runs already

        async def run() -> None:
            await coroutine

        trio.lowlevel.spawn_system_task(run)
    else:
        task = asyncio.ensure_future(coroutine)
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)


_TASKS: set[asyncio.Future[None]] = set()
"""asyncio keeps only weak references to tasks."""
