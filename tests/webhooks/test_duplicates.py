"""De-duplication: by content, within a window, bounded, off unless asked for."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.webhooks import CallSummary, Webhooks
from callsavvy_async.webhooks.duplicates import RecentBodies


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_repeat_within_the_window_is_known() -> None:
    """A body is new once in each window, counted from its first time."""
    clock = Clock()
    recent = RecentBodies(10, clock=clock)
    verdicts = []
    for now in (0, 5, 9.9, 10, 15, 20):
        clock.now = now
        verdicts.append(recent.add(b"a"))
    assert verdicts == [True, False, False, True, False, True]


def test_oldest_are_forgotten_first() -> None:
    """At most `size` bodies are remembered."""
    recent = RecentBodies(10, size=2, clock=Clock())
    assert [recent.add(body) for body in (b"a", b"b", b"c", b"c", b"b", b"a")] == [True, True, True, False, False, True]


def test_a_discarded_body_is_new() -> None:
    """What was refused may come again."""
    recent = RecentBodies(10, clock=Clock())
    recent.add(b"a")
    recent.discard(b"a")
    recent.discard(b"never seen")
    assert recent.add(b"a")


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([b"a", b"b", b"c"]))))
def test_agrees_with_the_plain_rule(steps: list[tuple[int, bytes]]) -> None:
    """A body is new if it was not let in during the last window: the same as searching a full history."""
    clock = Clock()
    recent = RecentBodies(7, clock=clock)
    let_in: dict[bytes, float] = {}
    for pause, body in steps:
        clock.now += pause
        new = body not in let_in or let_in[body] <= clock.now - 7
        if new:
            let_in[body] = clock.now
        assert recent.add(body) is new


@pytest.mark.anyio
@pytest.mark.parametrize(("window", "runs"), [(None, 2), (60.0, 1)])
async def test_duplicates_are_acknowledged_and_left(window: float | None, runs: int) -> None:
    """With a window a repeated notification is acknowledged and its handlers do not run; without one they do."""
    seen: list[CallSummary] = []
    hooks = Webhooks(insecure=True, duplicate_window=window)

    @hooks.on(CallSummary)
    async def keep(event: CallSummary) -> None:
        seen.append(event)

    for _ in range(2):
        reply = await hooks.handle(token="", body=b'{"event": "callSummary"}')
        assert reply.status == 200
    assert len(seen) == runs
