"""Assign faults to requests: by queue, by the request's header, or by rule."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from callsavvy_async.simulator.faults import Fault
from callsavvy_async.simulator.requests import Request

FAULT_HEADER = "simulator-fault"
"""Request header that names a fault, in the form of `Fault.named`."""


@dataclass(frozen=True, slots=True)
class _Rule:
    fault: Fault
    matches: Callable[[Request], bool]
    probability: float


class FaultPlan:
    """The planned faults. Queues take precedence over the header, and the header over rules."""

    def __init__(self, *, seed: int = 0) -> None:
        self._random = Random(seed)
        self._lock = threading.Lock()
        self._queues: defaultdict[str | None, deque[Fault | None]] = defaultdict(deque)
        self._rules: list[_Rule] = []

    def __repr__(self) -> str:
        return f"FaultPlan({self.waiting} waiting, {len(self._rules)} rules)"

    @property
    def waiting(self) -> int:
        """Number of queued requests, with and without a fault, that are still to come."""
        return sum(map(len, self._queues.values()))

    def next(self, resource: str | None, fault: Fault, *, times: int = 1) -> None:
        """Queue a fault for the next requests of a resource, or of any resource with None.

        Args:
            resource: Resource of the API; None for any.
            fault: The fault.
            times: Number of requests.
        """
        self.script(resource, *[fault] * times)

    def script(self, resource: str | None, *steps: Fault | str | None) -> None:
        """Queue what happens to the next requests of a resource, or of any resource with None, one after the other.

            sim.faults.script("sendSMS", "status-429", None, Fault.DROP_AFTER_READ)

        Args:
            resource: Resource of the API; None for any.
            *steps: A fault, its name in the form of `Fault.named`, or None for a request without a fault.

        Raises:
            ValueError: A name is unknown.
        """
        faults = [Fault.named(step) if isinstance(step, str) else step for step in steps]
        with self._lock:
            self._queues[resource].extend(faults)

    def rule(
        self,
        fault: Fault,
        *,
        resource: str | None = None,
        when: Callable[[Request], bool] | None = None,
        probability: float = 1.0,
    ) -> None:
        """Assign a fault to every matching request.

        Args:
            fault: Fault. One with ``reads=False`` is matched while the request's body is still empty.
            resource: Resource of matching requests. None matches all.
            when: Predicate of matching requests. None matches all.
            probability: Share of the matching requests that get the fault, drawn with the seed.
        """

        def matches(request: Request) -> bool:
            return resource in {None, request.resource} and (when is None or when(request))

        with self._lock:
            self._rules.append(_Rule(fault, matches, probability))

    def clear(self) -> None:
        """Drop all queues and rules."""
        with self._lock:
            self._queues.clear()
            self._rules.clear()

    def take(self, request: Request) -> Fault | None:
        """Return the fault of a request, or None.

        Call it twice for each request. Before the body is read, only faults with ``reads=False`` match. After it, only
        faults with ``reads=True`` match.
        """
        with self._lock:
            for key in (request.resource, None):
                if queue := self._queues.get(key):
                    reads = queue[0] is None or queue[0].reads
                    if reads is request.read:
                        return queue.popleft()
                    if reads:  # its turn comes with the body, and nothing else comes before it
                        return None
            return self._named(request) or self._ruled(request)

    def _named(self, request: Request) -> Fault | None:
        name = request.headers.get(FAULT_HEADER)
        fault = Fault.named(name) if name else None
        return fault if fault and fault.reads is request.read else None

    def _ruled(self, request: Request) -> Fault | None:
        for rule in self._rules:
            if rule.fault.reads is request.read and rule.matches(request) and self._random.random() < rule.probability:
                return rule.fault
        return None
