"""Which requests share a limit: all of them, unless told otherwise, or unless the API itself says so.

Told: ``pacing={"sendSMS": Fixed("10/s"), "*": Adaptive()}``. One pacer under several names is one limit for all of them.

Learned: only from `RateLimit-Policy`. Endpoints whose answers name policies that have nothing in common are counted
apart, by the server's own word. Refusals alone cannot tell: after one the gate is shut for everybody, so nobody is
admitted in the same moment who could prove that the limit is not shared; and a bucket that is all but empty refuses one
and admits the next whatever they ask for. To try it out would cost refusals on every account that has one limit only.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.pacer import Pacer, Snapshot
from callsavvy_async.policy.ratelimit_headers import parse_policies
from callsavvy_async.transport.clock import current_time
from callsavvy_async.transport.limiter import Limiter

ALL_OTHERS = "*"
"""The name of the limit that endpoints share unless they have one of their own."""


class Pacing:
    """The limits of an account.

    Args:
        pacing: one pacer for all requests; or pacers by the names of their endpoints on the wire, ``"*"`` for all others,
            which is `Adaptive` where there is none.
    """

    def __init__(self, pacing: Pacer | Mapping[str, Pacer]) -> None:
        told = {**pacing} if isinstance(pacing, Mapping) else {ALL_OTHERS: pacing}
        shared = told.pop(ALL_OTHERS, None) or Adaptive()
        limiters = {id(pacer): Limiter(pacer) for pacer in (shared, *told.values())}
        self._shared = limiters[id(shared)]
        self._told = {resource: limiters[id(pacer)] for resource, pacer in told.items()}
        self._learned: dict[str, Limiter] = {}
        self._limiters = dict(self._told)
        self._policies: list[tuple[set[str], Limiter]] = []
        self._kept: dict[str, Mapping[str, object]] = {}

    def __repr__(self) -> str:
        apart = "".join(f", {name}: {_describe(limiter)}" for name, limiter in self._apart().items())
        return f"<{_describe(self._shared)}{apart}>"

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return sum(limiter.waiting for limiter in {self._shared, *self._apart().values()})

    def limiter(self, resource: str) -> Limiter:
        """Return what admits requests to an endpoint."""
        return self._limiters.get(resource, self._shared)

    def heard(self, resource: str, policies: str) -> None:
        """Note which policies an answer named, and give endpoints that are counted apart a limit of their own.

        Args:
            resource: the endpoint that answered.
            policies: the field `RateLimit-Policy`.
        """
        names = parse_policies(policies)
        if not names or resource in self._told or not isinstance(self._shared.pacer, Adaptive):
            return
        for known, limiter in self._policies:
            if known & names:
                known |= names
                self._limiters[resource] = limiter
                return
        limiter = self._limiter_for(sorted(names)[0]) if self._policies else self._shared
        self._policies.append((set(names), limiter))
        self._limiters[resource] = limiter

    def snapshot(self) -> Snapshot:
        """Return what is known of the limit, and what holds requests back now; other limits stand in its `groups`."""
        groups = {name: _look(limiter) for name, limiter in self._apart().items()}
        return attrs.evolve(_look(self._shared), groups=groups)

    def restore(self, learned: Mapping[str, object]) -> None:
        """Start from what an earlier process had learned.

        Args:
            learned: `attrs.asdict` of its snapshot, JSON and back; what is missing or cannot be true is learned again.
        """
        self._shared.pacer.restore(learned)
        groups = learned.get("groups")
        if not isinstance(groups, Mapping):
            return
        self._kept = {str(name): state for name, state in groups.items() if isinstance(state, Mapping)}
        for name, limiter in self._apart().items():
            limiter.pacer.restore(self._kept.get(name, {}))

    def _apart(self) -> dict[str, Limiter]:
        return {**self._told, **self._learned}

    def _limiter_for(self, policy: str) -> Limiter:
        """Make a limit like the shared one, that knows what an earlier process had learned of this policy."""
        pacer = attrs.evolve(self._shared.pacer)  # type: ignore[misc] # `heard` has seen that it is an Adaptive
        pacer.restore(self._kept.get(policy, {}))
        self._learned[policy] = Limiter(pacer)
        return self._learned[policy]


def _look(limiter: Limiter) -> Snapshot:
    return attrs.evolve(limiter.pacer.snapshot(current_time()), waiting=limiter.waiting)


def _describe(limiter: Limiter) -> str:
    seen = _look(limiter)
    rate = "no rate" if seen.rate is None else f"{seen.rate:.3g}/s"
    held = f"{rate} ({seen.why}), {seen.in_flight} of {seen.allowed_in_flight} in flight, {seen.waiting} waiting"
    return f"{type(limiter.pacer).__name__}: {held}"
