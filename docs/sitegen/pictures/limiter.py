"""A cold start of `Adaptive` at a hidden limit, played in virtual time by the pacer itself."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter

import attrs

from callsavvy_async import Adaptive
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.simulator import TokenBucket
from sitegen.pictures.svg import AMBER, FILLS, INK, LINE, RED, SOFT, TEAL, Sheet

LIMIT, BURST, SECONDS, LATENCY = 40.0, 40, 60, 0.1
"""The hidden limit in requests per second, its burst, and the seconds of the run and of each response."""


@attrs.define
class Run:
    """What a client with endless work experienced."""

    admitted: Counter[int] = attrs.field(factory=Counter[int])
    rate_limited: list[float] = attrs.field(factory=list[float])
    rates: list[tuple[float, float]] = attrs.field(factory=list[tuple[float, float]])


def play() -> Run:
    """Let the pacer meet a token bucket; nothing else happens, so the run is the same each time."""
    pacer, bucket, run = Adaptive(), TokenBucket(LIMIT, BURST, retry_after="none"), Run()
    ends: list[tuple[float, int, Permit, bool]] = []
    order, now = itertools.count(), 0.0
    while now < SECONDS:
        delay = pacer.delay(now)
        if delay <= 0:
            admitted = bucket.admit(now).admitted
            heapq.heappush(ends, (now + LATENCY, next(order), pacer.sent(now), admitted))
            if admitted:
                run.admitted[int(now)] += 1
            else:
                run.rate_limited.append(now)
            continue
        if ends and ends[0][0] <= now + delay:
            now, _, permit, admitted = heapq.heappop(ends)
            pacer.done(now, permit, Feedback(Signal.ADMITTED if admitted else Signal.RATE_LIMITED))
        else:
            now += delay if math.isfinite(delay) else 0.0
        run.rates.append((now, pacer.snapshot(now).rate or 0.0))
    return run


def draw() -> str:
    """Draw the run: admitted requests a second, 429s, and the rate of the pacer."""
    run, most = play(), 80.0
    sheet = Sheet(760, 350, "Requests a second while a client finds a hidden limit of 40 a second")
    left, right, bottom, top = 60.0, 740.0, 290.0, 40.0

    def x(seconds: float) -> float:
        return left + (right - left) * seconds / SECONDS

    def y(rate: float) -> float:
        return bottom - (bottom - top) * min(rate, most) / most

    for rate in range(0, int(most) + 1, 20):
        sheet.line([(left, y(rate)), (right, y(rate))], colour="#e4e7eb", width=1)
        sheet.text((left - 8, y(rate) + 4), str(rate), size=11, colour=SOFT, anchor="end")
    for second in range(SECONDS):
        height = y(0) - y(run.admitted[second])
        sheet.rectangle((x(second) + 1, bottom - height), (x(1) - x(0) - 2, height), fill=FILLS[TEAL], radius=0)
    sheet.line([(left, y(LIMIT)), (right, y(LIMIT))], colour=INK, dashed=True)
    sheet.text((right, y(LIMIT) - 46), "dashed: the limit, which the client cannot see", size=11.5, anchor="end")
    sheet.line(((x(at), y(rate)) for at, rate in _thinned(run.rates)), colour=AMBER, width=1.8)
    for at in run.rate_limited:
        sheet.dot((x(at), top - 8), 3, RED)
    for second in range(0, SECONDS + 1, 10):
        sheet.text((x(second), bottom + 18), f"{second} s", size=11, colour=SOFT)
    _legend(sheet, len(run.rate_limited), sum(run.admitted.values()))
    return sheet.svg()


def _legend(sheet: Sheet, rate_limited: int, admitted: int) -> None:
    words = (
        (TEAL, f"admitted, {admitted:,} requests"),
        (AMBER, "rate of the pacer"),
        (RED, f"429, {rate_limited} responses"),
    )
    for number, (colour, text) in enumerate(words):
        at = 90 + number * 225
        sheet.dot((at, 331), 5, FILLS[TEAL] if colour == TEAL else colour)
        sheet.text((at + 12, 335), text, size=12, anchor="start")
    sheet.line([(60, 290), (740, 290)], colour=LINE)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a point each quarter of a second."""
    return [next(group) for _, group in itertools.groupby(points, key=lambda point: int(point[0] * 4))]
