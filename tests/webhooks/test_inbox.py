"""The loop of a durable inbox, over an inbox in memory; with a journal: `tests/campaigns/test_inbox.py`."""

from __future__ import annotations

from typing import Self

import anyio
import pytest

from callsavvy_async.webhooks import inbox as inbox_module
from callsavvy_async.webhooks.inbox import InboxProcessor, StoredEvent

pytestmark = pytest.mark.anyio


class RacingInbox:
    """Gives an event out again before the record of its failure has returned, as two connections to a database can."""

    def __init__(self) -> None:
        self.due = [StoredEvent("k", b"", None, 1)]
        self.taken_again = anyio.Event()
        self.inbox = self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def take(self, most: int) -> list[StoredEvent]:
        taken, self.due = self.due, []
        if any(event.attempts > 1 for event in taken):
            self.taken_again.set()
        return taken

    async def failed(self, event: StoredEvent, detail: str) -> bool:
        self.due = [StoredEvent(event.key, event.body, None, event.attempts + 1)]
        await self.taken_again.wait()
        return False

    async def handled(self, event: StoredEvent) -> None:
        pass

    async def release(self, event: StoredEvent) -> None:
        raise AssertionError(event)

    async def forget(self, window: float | None) -> None:
        pass


async def test_an_event_taken_again_while_its_last_attempt_ends_is_handled(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would belong to this process for ever, since nobody else takes what a living process holds."""
    monkeypatch.setattr(inbox_module, "_POLL", 0.01)
    attempts, done = [], anyio.Event()

    async def handle(event: StoredEvent) -> str | None:
        attempts.append(event.attempts)
        if event.attempts == 1:
            return "ValueError at app.py:7"
        done.set()
        return None

    processor = InboxProcessor(RacingInbox(), handle, concurrency=2, drain_timeout=5, window=None)
    with anyio.fail_after(20):
        async with processor.running():
            await done.wait()
    assert attempts == [1, 2]
