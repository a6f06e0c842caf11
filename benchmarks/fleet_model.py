"""A model of a fleet: workers, their database, their shared rate limiter, the network, and the account's limit.

Every request takes the path of a campaign's request:

    claim (a block of 2 x in flight)  ->  a slot of the shared limit (a block of 10)  ->  written ahead (group commit)
    ->  the client's CPU time  ->  the API's latency  ->  settled (group commit)

Each resource that can saturate is a queue: one core per worker, the database's cores, its log (one flush at a time, which
serves all waiting connections: group commit), and the row of the limiter (one reservation at a time). Time is virtual: a
heap of events without clock and sleep.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Generator

import attrs

from .virtual_queues import Clock, Log, Station, Then

SATURATED = 0.9
"""Utilisation above which a resource counts as saturated."""


@attrs.frozen(kw_only=True)
class Costs:
    """Costs in seconds, measured by ``python -m benchmarks.cluster`` and ``.claims`` unless stated otherwise."""

    client_cpu: float = 1.0e-3
    """CPU time of a worker for each request, including its journal."""
    database_cpu: float = 0.7e-3
    """CPU time of the database for each request: its share of a claim, two transitions, and their commits."""
    flush: float = 1.5e-3
    """Flush of the log to the disk. Assumed."""
    database_cores: int = 4
    round_trips: int = 2
    """Round trips of a group commit: statements in a pipeline, then COMMIT."""
    limiter_reservation: float = 1.5e-3
    """Time for which a reservation locks the limiter's row, including the flush. Assumed. Redis: 0.05 ms."""
    slots: int = 10
    """Slots in a reservation."""


@attrs.frozen(kw_only=True)
class Fleet:
    """The simulated fleet."""

    workers: int
    limit: float
    """Limit of the account in requests per second."""
    in_flight: int = 64
    """Maximum number of requests in flight of each worker."""
    api_latency: float = 0.15
    network: float = 0.5e-3
    """Round trip between a worker and the database."""
    costs: Costs = attrs.field(factory=Costs)


@attrs.frozen
class Steady:
    """The steady state of a fleet."""

    rate: float
    """Requests per second."""
    busy: dict[str, float]
    """Utilisation of each resource. For the workers, the mean."""
    waits: dict[str, float]
    """Mean seconds of a request in each step."""

    @property
    def bottleneck(self) -> str:
        """Name of the resource that limits the rate."""
        queues = {
            name: share for name, share in self.busy.items() if name != "log"
        }  # a flush serves all waiting connections
        name, share = max(queues.items(), key=lambda item: item[1])
        if share > SATURATED:
            return name
        network = self.waits["write ahead"] + self.waits["settle"] + self.waits["claim"] + self.waits["limit"]
        return "network" if network > self.waits["API"] else "requests in flight"


class Simulation:
    """One fleet, from its start."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.fleet, self.costs = fleet, fleet.costs
        self.random = random.Random(seed)
        self.clock = Clock()
        self.database = Station(self.clock, fleet.costs.database_cores)
        self.log = Log(self.clock, fleet.costs.flush)
        self.row = Station(self.clock)
        self.next_slot = 0.0
        self.settled = 0
        self.spent: dict[str, float] = dict.fromkeys(("claim", "limit", "write ahead", "client", "API", "settle"), 0.0)
        self.workers = [Worker(self) for _ in range(fleet.workers)]

    def reserve(self, slots: int) -> tuple[float, float]:
        """Reserve slots of the limit. Returns the first one, and one more than the last."""
        first = max(self.clock.now, self.next_slot)
        self.next_slot = first + slots / self.fleet.limit
        return first, self.next_slot

    def run(self, requests: int) -> Steady:
        """Measure this number of requests, after a warm-up with a quarter of it."""
        for worker in self.workers:
            worker.start()
        self.clock.run(lambda: self.settled >= requests // 4)
        before = self._reading()
        self.clock.run(lambda: self.settled >= requests + requests // 4)
        after = self._reading()
        seconds = after.pop("clock") - before.pop("clock")
        done = after.pop("settled") - before.pop("settled")
        waits = {name: (after[name] - before[name]) / done for name in self.spent}
        busy = {name: (after[name] - before[name]) / seconds for name in after.keys() - self.spent.keys()}
        busy["the limit"] = done / seconds / self.fleet.limit
        return Steady(done / seconds, dict(sorted(busy.items())), waits)

    def _reading(self) -> dict[str, float]:
        return {
            "clock": self.clock.now,
            "settled": self.settled,
            "workers": sum(worker.processor.busy for worker in self.workers) / len(self.workers),
            "database": self.database.busy,
            "log": self.log.busy,
            "limiter": self.row.busy,
            **self.spent,
        }


class Worker:
    """One process: a loop for each request in flight, one core, one connection with group commits."""

    def __init__(self, simulation: Simulation) -> None:
        self.world = simulation
        self.processor = Station(simulation.clock)
        self._claimed = 0
        self._claiming = self._reserving = self._committing = False
        self._want_chunk: deque[Then] = deque()
        self._want_slot: deque[Then] = deque()
        self._slots: deque[float] = deque()
        self._jobs: list[tuple[float, Then]] = []

    def start(self) -> None:
        for _ in range(self.world.fleet.in_flight):
            self.world.clock.after(self.world.random.random() * 0.05, self._loop)

    def _loop(self) -> None:
        steps = self._steps()
        next(steps)

        def go_on() -> None:
            next(steps, None)

        steps.send(go_on)

    def _steps(self) -> Generator[None, Then, None]:
        """Run once for each request. A queue that makes it wait resumes it through the callback."""
        go_on = yield
        world, spent = self.world, self.world.spent
        transition = world.costs.database_cpu / 3
        while True:
            at = world.clock.now
            self._chunk(go_on)
            yield
            at = self._spend(spent, "claim", at)
            self._slot(go_on)
            yield
            at = self._spend(spent, "limit", at)
            self._write(transition, go_on)
            yield
            at = self._spend(spent, "write ahead", at)
            self.processor.serve(world.costs.client_cpu, go_on)
            yield
            at = self._spend(spent, "client", at)
            world.clock.after(world.random.lognormvariate(0, 0.3) * world.fleet.api_latency, go_on)
            yield
            at = self._spend(spent, "API", at)
            self._write(transition, go_on)
            yield
            self._spend(spent, "settle", at)
            world.settled += 1

    def _spend(self, spent: dict[str, float], on: str, since: float) -> float:
        spent[on] += self.world.clock.now - since
        return self.world.clock.now

    # --------------------------------------------------------------------------------------------------------- claims

    def _chunk(self, then: Then) -> None:
        if self._claimed:
            self._claimed -= 1
            self.world.clock.after(0, then)
            return
        self._want_chunk.append(then)
        if not self._claiming:
            self._claiming = True
            block = 2 * self.world.fleet.in_flight
            self._write(block * self.world.costs.database_cpu / 3, lambda: self._claim_ended(block))

    def _claim_ended(self, block: int) -> None:
        self._claiming = False
        self._claimed += block
        waiting, self._want_chunk = self._want_chunk, deque()
        for then in waiting:
            self._chunk(then)

    # ---------------------------------------------------------------------------------------------------------- slots

    def _slot(self, then: Then) -> None:
        self._want_slot.append(then)
        self._hand_out()

    def _hand_out(self) -> None:
        world = self.world
        while self._slots and self._want_slot:
            world.clock.after(max(0.0, self._slots.popleft() - world.clock.now), self._want_slot.popleft())
        if self._want_slot and not self._reserving:
            self._reserving = True
            there = lambda: world.row.serve(world.costs.limiter_reservation, back)  # noqa: E731
            back = lambda: world.clock.after(world.fleet.network / 2, self._reserved)  # noqa: E731
            world.clock.after(world.fleet.network / 2, there)

    def _reserved(self) -> None:
        self._reserving = False
        slots = min(self.world.costs.slots, max(1, len(self._want_slot)))
        first, end = self.world.reserve(slots)
        self._slots.extend(first + index * (end - first) / slots for index in range(slots))
        self._hand_out()

    # -------------------------------------------------------------------------------------------------------- commits

    def _write(self, database_seconds: float, then: Then) -> None:
        self._jobs.append((database_seconds, then))
        if not self._committing:
            self._commit()

    def _commit(self) -> None:
        jobs, self._jobs = self._jobs, []
        self._committing = bool(jobs)
        if not jobs:
            return
        world, half = self.world, self.world.fleet.network / 2
        work = sum(seconds for seconds, _ in jobs)
        travelling = world.fleet.network * (world.costs.round_trips - 1)

        def done() -> None:
            for _, then in jobs:
                then()
            self._commit()

        world.clock.after(
            half + travelling,
            lambda: world.database.serve(work, lambda: world.log.flush(lambda: world.clock.after(half, done))),
        )


def simulate(fleet: Fleet, *, seed: int = 1) -> Steady:
    """Run a fleet until its steady state."""
    return Simulation(fleet, seed).run(max(2_000, 4 * fleet.workers * fleet.in_flight))
