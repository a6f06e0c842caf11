"""Run random servers, ten minutes each: `python -m benchmarks.limiter.random --servers 1000 --seed N [--minutes 10]`.

Two clients use each server in virtual time: `Adaptive`, which does not know the limit, and an *informed* client, which
knows the limit, its changes and the load of other users. The informed client paces evenly at the best of a few factors
with at most 1 % of 429s. For a concurrency limit it keeps the best number in flight. Both have endless work and at most 64
requests in flight.

The script prints the worst twenty servers with their attributes. `--only NUMBER` runs one of them again. A run of a fast
server ends after `--most` requests, but not before a minute, so that 100 servers take about two minutes of one core.
`--processes N` uses N cores; the figures stay the same.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import median, quantiles
from typing import Any

import attrs

from benchmarks.limiter.drawn import CAP, Draw, Slots, draw, limits_of
from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.fixed import Unlimited
from callsavvy_async.policy.pacer import Pacer

FACTORS = (1.0, 0.99, 0.98, 0.965, 0.95, 0.93, 0.9, 0.87, 0.83, 0.78, 0.7, 0.6)
COLD = 40.0
SHORTEST = 60.0
"""Minimum seconds of a run."""
_ADMITTED, _FAILED, _REFUSED = Feedback(Signal.ADMITTED), Feedback(Signal.FAILED), Feedback(Signal.RATE_LIMITED)
_WAKE, _ARRIVE, _END = 0, 1, 2


@attrs.define
class Tally:
    """The figures of one run."""

    accepted: int = 0
    refused: int = 0
    cold: int = 0
    """Number of 429s in the first 40 s."""
    seconds: float = 0.0

    @property
    def refused_share(self) -> float:
        """Percentage of 429s among all responses."""
        return 100.0 * self.refused / max(1, self.accepted + self.refused)


@attrs.define
class Evenly(Unlimited):
    """The informed client: one request every `1 / rate(now)` seconds."""

    rate: Callable[[float], float] = attrs.field(kw_only=True)
    _next: float = attrs.field(default=0.0, init=False)

    def delay(self, now: float) -> float:
        """See `Pacer.delay`."""
        wait = Unlimited.delay(self, now)
        return max(self._next - now, wait)

    weight: float = 1.0
    """Weight of the next request, in mean requests."""

    def sent(self, now: float) -> Permit:
        """See `Pacer.sent`."""
        rate = self.rate(now)
        self._next = max(self._next, now - min(0.05, 1.0 / rate)) + self.weight / rate
        return Unlimited.sent(self, now)


def play(one: Draw, pacer: Pacer, *, seconds: float, seed: int, most_refused: float = math.inf) -> Tally:
    """Run a client with endless work against a server."""
    return _Run(one, pacer, seconds, random.Random(seed), most_refused).go()


class _Run:
    def __init__(self, one: Draw, pacer: Pacer, seconds: float, rng: random.Random, most_refused: float) -> None:
        self.one, self.pacer, self.seconds, self.rng, self.most = one, pacer, seconds, rng, most_refused
        self.limits = limits_of(one)
        self.slots = next((limit for limit in self.limits if isinstance(limit, Slots)), None)
        self.events: list[tuple[float, int, int, Any]] = []
        self.order, self.wakes_at, self.busy = 0, math.inf, 0
        self.tally = Tally()
        self.free_at = [0.0] * one.slots
        self.weights: list[int] = []
        self.others_at = one.others_from * seconds

    def go(self) -> Tally:
        now = 0.0
        self.dispatch(now)
        while self.events:
            now, _, what, of = heapq.heappop(self.events)
            if now > self.seconds or self.tally.refused > self.most:
                break
            if what == _ARRIVE:
                self.arrive(now, of)
                continue
            if what == _END:
                self.end(now, *of)
            elif now >= self.wakes_at:
                self.wakes_at = math.inf
            else:
                continue
            self.dispatch(now)
        self.tally.seconds = min(now, self.seconds)
        return self.tally

    def push(self, at: float, what: int, of: Any) -> None:
        self.order += 1
        heapq.heappush(self.events, (at, self.order, what, of))

    def dispatch(self, now: float) -> None:
        pacer = self.pacer
        while (wait := pacer.delay(now)) <= 0.0:
            weight = self.weights.pop() if self.weights else self.rng.randint(1, self.one.weight)
            if isinstance(pacer, Evenly):
                pacer.weight = weight / self.one.mean_weight
            self.push(now + self.way(0.5), _ARRIVE, (pacer.sent(now), weight))
        if now + wait < self.wakes_at:
            self.wakes_at = now + max(wait, 1e-6)
            self.push(self.wakes_at, _WAKE, None)

    def way(self, part: float) -> float:
        one, rng = self.one, self.rng
        seconds = part * one.away * one.latency * math.exp(one.spread * rng.gauss(0.0, 1.0))
        return seconds * 5.0 if one.tail and rng.random() < one.tail else seconds

    def work(self, now: float) -> float:
        one, rng = self.one, self.rng
        seconds = one.latency * (1.0 - one.away) * math.exp(one.spread * rng.gauss(0.0, 1.0))
        if one.kind == "queue":
            first = min(range(one.slots), key=self.free_at.__getitem__)
            self.free_at[first] = max(now, self.free_at[first]) + seconds
            return self.free_at[first] - now
        if one.kind == "degrading":
            return seconds * math.pow(max(1.0, self.busy / one.slots), one.power)
        return seconds * 5.0 if one.tail and rng.random() < one.tail else seconds

    def arrive(self, now: float, request: tuple[Permit, int]) -> None:
        one, rng, weight = self.one, self.rng, request[1]
        if one.others:
            self.let_others_in(now)
        if one.stray and rng.random() < one.stray / 2.0:
            self.push(now + self.way(0.5), _END, (request, _FAILED, False))
            return
        wait = self.admit(now, weight)
        if wait > 0.0:
            retry_after = self.retry_after(wait)
            feedback = Feedback(Signal.RATE_LIMITED, retry_after) if retry_after else _REFUSED
            self.push(now + self.way(0.5), _END, (request, feedback, False))
            return
        self.busy += 1
        done = _FAILED if one.stray and rng.random() < one.stray / 2.0 else _ADMITTED
        self.push(now + self.work(now) + self.way(0.5), _END, (request, done, True))

    def admit(self, now: float, weight: float) -> float:
        share = self.one.share(now / self.seconds)
        wait = 0.0
        for limit in self.limits:
            wait = max(wait, limit.wait(now, weight, share))
        if wait == 0.0:
            for limit in self.limits:
                limit.count(weight)
        return wait

    def let_others_in(self, now: float) -> None:
        one = self.one
        while self.others_at < min(now, one.others_until * self.seconds):
            self.admit(self.others_at, self.rng.randint(1, one.weight))
            self.others_at += self.rng.expovariate(one.rate * one.others)

    def retry_after(self, wait: float) -> float | None:
        tell = self.one.tell
        if tell == "none":
            return None
        if tell == "wrong":
            return float(self.rng.randint(1, 10))
        factor = {"doubled": 2.0, "halved": 0.5}.get(tell, 1.0)
        seconds = wait * factor
        return math.ceil(seconds) if tell == "up" else math.floor(seconds) or None if tell == "down" else seconds

    def end(self, now: float, request: tuple[Permit, int], feedback: Feedback, admitted: bool) -> None:  # noqa: FBT001
        if admitted:
            self.busy -= 1
            if self.slots is not None:
                self.slots.busy -= 1
        if feedback is _ADMITTED:
            self.tally.accepted += 1
        elif feedback.signal is Signal.RATE_LIMITED:
            self.tally.refused += 1
            self.tally.cold += now <= COLD
            self.weights.append(request[1])
        self.pacer.done(now, request[0], feedback)


def ruler(one: Draw, *, seconds: float, seed: int) -> Tally:
    """Return the best run of the informed client."""
    best, kept = Tally(), 1
    if one.slots:
        numbers = sorted(
            {max(1, round(one.slots * factor)) for factor in (0.6, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 2.5)}
        )
        for number in numbers:
            run = play(one, Unlimited(max_in_flight=min(CAP, number)), seconds=min(seconds, 60.0), seed=seed)
            if run.refused_share <= 1.0 and run.accepted > best.accepted:
                best, kept = run, number
        if best.accepted and seconds > 60.0:
            best = play(one, Unlimited(max_in_flight=min(CAP, kept)), seconds=seconds, seed=seed)
        return best
    for factor in FACTORS:

        def pace(now: float, factor: float = factor) -> float:
            return factor * one.rate * one.left(now / seconds)

        best = play(one, Evenly(rate=pace), seconds=seconds, seed=seed, most_refused=max(0.013 * one.rate * seconds, 3))
        if best.refused_share <= 1.0:
            break
    return best


@attrs.frozen
class Row:
    """One server, with the figures of the adaptive and of the informed client."""

    number: int
    one: Draw
    informed: Tally
    learned: Tally

    @property
    def share(self) -> float:
        """Accepted requests in percent of the informed client's."""
        return 100.0 * self.learned.accepted / max(1, self.informed.accepted)

    def __str__(self) -> str:
        shown = attrs.asdict(self.one, filter=lambda field, value: value != attrs.fields_dict(Draw)[field.name].default)
        words = ", ".join(
            f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in shown.items()
        )
        return (
            f"#{self.number}: {self.share:.1f} % of {self.informed.accepted} (429s: informed {self.informed.refused}), 429s"
            f" {self.learned.refused} = {self.learned.refused_share:.2f} %, {self.learned.cold} in 40 s: {words}"
        )


def measure(number: int, *, seed: int, minutes: float = 10.0, most: float = math.inf) -> Row:
    """Run one server. A run ends after about `most` requests, but not before `SHORTEST`."""
    one = draw(seed, number)
    seconds = min(60.0 * minutes, max(SHORTEST, most / min(one.rate, CAP / one.latency)))
    informed = ruler(one, seconds=seconds, seed=number)
    return Row(number, one, informed, play(one, Adaptive(), seconds=seconds, seed=number))


def run_all(numbers: Sequence[int], processes: int, run: Callable[[int], Row]) -> Iterator[Row]:
    """Run all servers, in this process or in several."""
    if processes == 1:
        yield from map(run, numbers)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(run, numbers)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures and the worst servers."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limiter.random", description=__doc__)
    parser.add_argument("--servers", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the servers to run")
    parser.add_argument("--minutes", type=float, default=10.0, help="maximum duration of each run")
    parser.add_argument("--most", type=float, default=3000.0, help="requests after which a run ends early")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--worst", type=int, default=20)
    options = parser.parse_args(arguments)
    began, rows = time.perf_counter(), list[Row]()
    run = partial(measure, seed=options.seed, minutes=options.minutes, most=options.most)
    for row in run_all(options.only or range(options.servers), options.processes, run):
        rows.append(row)
        if sys.stderr.isatty():
            print(f"\r{len(rows)}", end="", file=sys.stderr)
    print(f"seed {options.seed}, {len(rows)} servers, {time.perf_counter() - began:.0f} s\n")
    report(rows, options.worst)


def report(rows: list[Row], worst: int) -> None:
    """Print the figures against the goals, and the worst servers."""
    shares = [row.share for row in rows]
    refused, informed = [row.learned.refused_share for row in rows], [row.informed.refused_share for row in rows]
    cold = [row.learned.cold for row in rows]
    print("| | goal | median | 5th or 95th percentile |\n|---|---|---:|---:|")
    print(f"| accepted, % of the informed client | >= 98, >= 93 | {median(shares):.1f} | {_at(shares, 5):.1f} |")
    print(f"| 429s, % | <= 0.5, <= 1.5 | {median(refused):.2f} | {_at(refused, 95):.2f} |")
    print(f"| 429s in the first 40 s | <= 12 at the 95th | {median(cold):.0f} | {_at(cold, 95):.0f} |")
    print(f"| 429s, %, informed client | | {median(informed):.2f} | {_at(informed, 95):.2f} |")
    by_share = sorted(rows, key=lambda row: row.share)
    by_refused = sorted(rows, key=lambda row: -row.learned.refused_share)
    for title, found in (("Fewest accepted", by_share), ("Most 429s", by_refused)):
        print(f"\n{title}")
        for row in found[:worst]:
            print(f"  {row}")


def _at(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


if __name__ == "__main__":
    main()
