"""The in-flight controller on its own."""

from __future__ import annotations

import math

from callsavvy_async.policy.concurrency_controller import EPOCH, FLOOR, START_LIMIT, ConcurrencyController


def _answers(controller: ConcurrencyController, *, since: float, seconds: float, latency: float, level: int) -> float:
    now = since
    while now < since + seconds:
        now += 0.02
        controller.sent(level)
        controller.admitted(now, level=level, sent_at=now - latency)
    return now


def test_used_and_unhurt_grows() -> None:
    """While latency stays unloaded and the limit is in use, the limit grows."""
    controller = ConcurrencyController()
    _answers(controller, since=0.0, seconds=5.0, latency=0.1, level=8)
    assert controller.limit > START_LIMIT


def test_answers_in_no_time() -> None:
    """A clock that does not move between a request and its answer, as a coarse or a virtual one, stops no learning."""
    controller = ConcurrencyController()
    now = _answers(controller, since=0.0, seconds=5.0, latency=0.0, level=8)
    assert controller.limit > START_LIMIT
    for _ in range(int(EPOCH) * 75):  # and neither does one that stood still while the load was taken off
        now = _answers(controller, since=now, seconds=0.02, latency=0.0, level=max(1, int(controller.allowed(now))))
    assert controller.unloaded > 0.0
    _answers(controller, since=now, seconds=5.0, latency=0.001, level=int(controller.limit))
    assert controller.limit > START_LIMIT


def test_idle_learns_nothing() -> None:
    """Below half the limit neither fast nor slow answers move it."""
    controller = ConcurrencyController()
    _answers(controller, since=0.0, seconds=5.0, latency=0.1, level=1)
    _answers(controller, since=5.0, seconds=5.0, latency=9.0, level=1)
    assert controller.limit == START_LIMIT


def test_queueing_shrinks_it() -> None:
    """Latency far above the unloaded one takes requests out of the queue again."""
    controller = ConcurrencyController()
    end = _answers(controller, since=0.0, seconds=5.0, latency=0.1, level=8)
    before = controller.limit
    _answers(controller, since=end, seconds=5.0, latency=1.0, level=int(before))
    assert FLOOR <= controller.limit < before / 3.0


def test_unloaded_latency_is_measured_anew_with_the_load_taken_off() -> None:
    """Where the limit binds, a new epoch drains before it measures; a network that became slower is accepted."""
    controller = ConcurrencyController()
    now = _answers(controller, since=0.0, seconds=5.0, latency=0.1, level=8)
    drained = False
    for _ in range(int(EPOCH) * 75):
        level = max(1, int(controller.allowed(now)))
        drained = drained or controller.allowed(now) < controller.limit
        now = _answers(controller, since=now, seconds=0.02, latency=0.2, level=level)
    assert drained
    assert controller.unloaded > 0.19


def test_the_first_epoch_begins_when_latency_is_first_measured() -> None:
    """A monotonic clock begins anywhere: a new controller takes no load off to measure again."""
    controller = ConcurrencyController()
    now = _answers(controller, since=1e6, seconds=0.5, latency=0.1, level=8)
    assert controller.allowed(now) == controller.limit > START_LIMIT


def test_stray_failures_change_nothing() -> None:
    """One answer in thirty may fail."""
    controller = ConcurrencyController()
    for i in range(300):
        controller.failed(float(i)) if i % 30 == 0 else controller.admitted(float(i), level=1, sent_at=i - 0.1)
    assert controller.limit == START_LIMIT


def test_common_failures_cut_it_slowly() -> None:
    """Failures that have become common cut the limit, once per pause and never to nothing."""
    controller = ConcurrencyController()
    controller.sent(8)
    for i in range(10):
        controller.failed(i * 0.1)
    assert controller.limit == 0.7 * START_LIMIT
    for i in range(100):
        controller.failed(10.0 * i)
    assert controller.limit == FLOOR


def test_concurrency_limit_is_attributed() -> None:
    """Refusals that all lie above one level are the server's cap on concurrency, not its rate."""
    controller = ConcurrencyController()
    explained = False
    for i in range(20):
        for level in (1, 2, 3, 4, 5):
            controller.admitted(float(i), level=level, sent_at=i - 0.1)
        explained = controller.rate_limited(float(i), level=6)
    assert explained
    assert controller.cap == 5.0
    assert controller.allowed(19.0) == 5.0
    assert controller.allowed(39.0) == 6.0


def test_rate_limit_is_not_attributed() -> None:
    """Refusals at every level are not blamed on the number in flight."""
    controller = ConcurrencyController()
    for i in range(100):
        for level in (1, 2, 3, 4):
            for _ in range(20):
                controller.admitted(float(i), level=level, sent_at=i - 0.1)
        assert not controller.rate_limited(float(i), level=1 + i % 4)
    assert controller.cap == math.inf


def test_a_cold_start_is_not_attributed() -> None:
    """Refusals at the top of a first rise say nothing about levels at which hardly anything was sent yet."""
    controller = ConcurrencyController()
    for level in range(1, 9):
        controller.admitted(0.1 * level, level=level, sent_at=0.0)
    assert not any(controller.rate_limited(1.0, level=level) for level in (9, 9, 8, 9, 8, 9))


def test_an_accidental_cap_wears_off() -> None:
    """A cap that is not confirmed rises slowly at first, and then ever faster."""
    controller = ConcurrencyController(limit=64.0, cap=5.0)
    assert controller.allowed(20.0) == 6.0
    assert controller.allowed(60.0) == 8.0
    assert controller.allowed(200.0) == 64.0


def test_drained_latency_counts_only_drained_requests() -> None:
    """What was sent before the load was taken off still waited in the queue, and is left out."""
    controller = ConcurrencyController()
    now = _answers(controller, since=0.0, seconds=5.0, latency=0.1, level=8)
    while controller.allowed(now) == controller.limit:
        now = _answers(controller, since=now, seconds=0.02, latency=0.2, level=int(controller.allowed(now)))
    for _ in range(50):
        controller.admitted(now, level=1, sent_at=now - 5.0)
    for _ in range(20):
        controller.admitted(now + 0.1, level=1, sent_at=now)
    assert 0.09 < controller.unloaded < 0.11
