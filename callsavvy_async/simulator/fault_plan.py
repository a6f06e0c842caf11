"""Which request meets which fault: by queue, by rule, or by the request's own header."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from callsavvy_async.simulator.faults import Fault
from callsavvy_async.simulator.requests import Request

FAULT_HEADER = "simulator-fault"
"""A request can name its own fault here, as `Fault.named` takes it."""


@dataclass(frozen=True, slots=True)
class _Rule:
    fault: Fault
    matches: Callable[[Request], bool]
    probability: float


class FaultPlan:
    """The faults that are to come. A queue goes before the header, the header before the rules."""

    def __init__(self, *, seed: int = 0) -> None:
        self._random = Random(seed)
        self._lock = threading.Lock()
        self._queues: defaultdict[str | None, deque[Fault]] = defaultdict(deque)
        self._rules: list[_Rule] = []

    def __repr__(self) -> str:
        return f"FaultPlan({self.waiting} waiting, {len(self._rules)} rules)"

    @property
    def waiting(self) -> int:
        """How many queued faults have not met a request yet."""
        return sum(map(len, self._queues.values()))

    def next(self, resource: str | None, fault: Fault, *, times: int = 1) -> None:
        """Give a fault to the next requests of one resource, or of any with None, behind those already queued."""
        with self._lock:
            self._queues[resource].extend([fault] * times)

    def rule(
        self,
        fault: Fault,
        *,
        resource: str | None = None,
        when: Callable[[Request], bool] | None = None,
        probability: float = 1.0,
    ) -> None:
        """Give a fault to every request that fits.

        Args:
            fault: What happens. One that is not read is decided while the request's body is still empty.
            resource: Only requests of this resource.
            when: Only requests for which this is true.
            probability: Only this share of them, drawn from the seed.
        """

        def matches(request: Request) -> bool:
            return resource in {None, request.resource} and (when is None or when(request))

        with self._lock:
            self._rules.append(_Rule(fault, matches, probability))

    def clear(self) -> None:
        """Forget all queues and rules."""
        with self._lock:
            self._queues.clear()
            self._rules.clear()

    def take(self, request: Request) -> Fault | None:
        """Return the fault of a request, if any.

        It is asked twice for each: before the body is read, when only faults that do not read it count, and after it,
        when only those that do.
        """
        with self._lock:
            return self._queued(request) or self._named(request) or self._ruled(request)

    def _queued(self, request: Request) -> Fault | None:
        for key in (request.resource, None):
            queue = self._queues.get(key)
            if queue and queue[0].reads is request.read:
                return queue.popleft()
        return None

    def _named(self, request: Request) -> Fault | None:
        name = request.headers.get(FAULT_HEADER)
        fault = Fault.named(name) if name else None
        return fault if fault and fault.reads is request.read else None

    def _ruled(self, request: Request) -> Fault | None:
        for rule in self._rules:
            if rule.fault.reads is request.read and rule.matches(request) and self._random.random() < rule.probability:
                return rule.fault
        return None
