"""Which requests share a limit: all of them, unless told otherwise, or unless the API itself says so.

Told: ``pacing={"sendSMS": FixedRate("10/s"), "*": Adaptive()}``. One pacer under several names is one limit for all of them.

Learned: only from `RateLimit-Policy`. Endpoints whose answers name policies that have nothing in common are counted
apart, by the server's own word. Refusals alone cannot tell: after one the gate is shut for everybody, so nobody is
admitted in the same moment who could prove that the limit is not shared; and a bucket that is all but empty refuses one
and admits the next whatever they ask for. To try it out would cost rate_limit_count on every account that has one limit only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, cast

import attrs

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.fixed import FixedRate
from callsavvy_async.policy.pacer import MAX_IN_FLIGHT, Pacer, PacerSnapshot
from callsavvy_async.policy.ratelimit_headers import parse_policies
from callsavvy_async.settings import check_settings
from callsavvy_async.transport.hooks import Hooks
from callsavvy_async.transport.rate_limiter import RateLimiter
from callsavvy_async.transport.shared.reservation_client import ReservationClient
from callsavvy_async.transport.shared.settings import SharedPacing, share_limit

OnePacing: TypeAlias = Pacer | SharedPacing | str
"""How one limit is kept: by a pacer, or by all processes that have the same URL."""

ALL_OTHERS = "*"
"""The name of the limit that endpoints share unless they have one of their own."""


class RateLimiters:
    """The limits of an account.

    Args:
        pacing: one pacer for all requests; or pacers by the names of their endpoints on the wire, ``"*"`` for all others,
            which is `Adaptive` where there is none. A URL, or a `SharedPacing`, stands for a pacer that other processes
            share.
        account: whose limits they are.
        hooks: told when other processes are out of reach.
    """

    def __init__(
        self, pacing: OnePacing | Mapping[str, OnePacing], account: str = "", hooks: Hooks | None = None
    ) -> None:
        told = {**pacing} if isinstance(pacing, Mapping) else {ALL_OTHERS: pacing}
        told.setdefault(ALL_OTHERS, Adaptive())
        # Each URL is a limit of its own: Python makes one object of equal literals, or does not.
        each = {resource: SharedPacing(one) if isinstance(one, str) else one for resource, one in told.items()}
        self._fetchers: list[ReservationClient] = []
        limiters: dict[int, RateLimiter] = {}
        for resource, one in sorted(each.items()):  # what has several names bears the first, "*" before all: everywhere
            if id(one) not in limiters:
                limiters[id(one)] = self._make(one, account, resource, hooks or Hooks(()))
        self._shared = limiters[id(each.pop(ALL_OTHERS))]
        self._observed = {resource: limiters[id(one)] for resource, one in each.items()}
        self._learned: dict[str, RateLimiter] = {}
        self._limiters = dict(self._observed)
        self._policies: list[tuple[frozenset[str], RateLimiter]] = []
        self._kept: dict[str, Mapping[str, object]] = {}

    def __repr__(self) -> str:
        return ", ".join([repr(self._shared), *(f"{name}: {limiter!r}" for name, limiter in self._apart().items())])

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return sum(limiter.waiting for limiter in {self._shared, *self._apart().values()})

    def limiter(self, resource: str) -> RateLimiter:
        """Return what admits requests to an endpoint."""
        return self._limiters.get(resource, self._shared)

    def observe_headers(self, resource: str, policies: str) -> None:
        """Note which policies an answer named, and give endpoints that are counted apart a limit of their own.

        Args:
            resource: the endpoint that answered.
            policies: the field `RateLimit-Policy`.
        """
        like = self._shared.pacer
        if resource in self._limiters or type(like) is not Adaptive:
            return  # what an endpoint was first told counts, and what is shared is not parted
        names = parse_policies(policies)
        if names:
            alike = (limiter for known, limiter in self._policies if known & names)
            self._limiters[resource] = next(alike, None) or self._limiter_for(names, like)

    def snapshot(self) -> PacerSnapshot:
        """Return what is known of the limit, and what holds requests back now; other limits stand in its `groups`."""
        groups = {name: limiter.snapshot() for name, limiter in self._apart().items()}
        return attrs.evolve(self._shared.snapshot(), groups=groups)

    def restore(self, learned: Mapping[str, object]) -> None:
        """Start from what an earlier process had learned.

        Args:
            learned: `attrs.asdict` of its snapshot, JSON and back; what is missing or cannot be true is learned again.
        """
        self._shared.pacer.restore(learned)
        self._kept = {name: _mapping(state) for name, state in _mapping(learned.get("groups")).items()}
        for name, limiter in self._apart().items():
            limiter.pacer.restore(self._kept.get(name, {}))

    async def aclose(self) -> None:
        """Part from the other processes, in this event loop; with the next call they are found again."""
        for fetcher in self._fetchers:
            await fetcher.aclose()

    def _make(self, one: Pacer | SharedPacing, account: str, resource: str, hooks: Hooks) -> RateLimiter:
        if not isinstance(one, SharedPacing):
            return RateLimiter(one)
        limiter, fetcher = share_limit(one, account, resource, hooks)
        self._fetchers.append(fetcher)
        return limiter

    def _apart(self) -> dict[str, RateLimiter]:
        return {**self._observed, **self._learned}

    def _limiter_for(self, names: frozenset[str], like: Adaptive) -> RateLimiter:
        """Return the limit for endpoints that are first to name these policies: the shared one, or one of their own."""
        limiter = self._shared
        if self._policies:
            policy, pacer = min(names), attrs.evolve(like)
            pacer.restore(self._kept.get(policy, {}))
            limiter = self._learned[policy] = RateLimiter(pacer)
        self._policies.append((names, limiter))
        return limiter


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def choose_pacing(
    pacing: OnePacing | Mapping[str, OnePacing] | None, rate: str | None, burst: int, max_in_flight: int | None
) -> OnePacing | Mapping[str, OnePacing]:
    """Make what the settings of a client ask for; see `Callsavvy`.

    Raises:
        ConfigurationError: they cannot be used, or contradict each other.
    """
    check_settings(pacing=pacing, rate=rate, burst=burst, max_in_flight=max_in_flight)
    if pacing is not None:
        if rate is not None or burst != 1 or max_in_flight is not None:
            raise ConfigurationError(
                "pacing= brings its own rate, burst and cap; give it alone, as in pacing=FixedRate('10/s', burst=5)."
            )
        return pacing
    cap = MAX_IN_FLIGHT if max_in_flight is None else max_in_flight
    return Adaptive(max_in_flight=cap) if rate is None else FixedRate(rate, burst=burst, max_in_flight=cap)
