"""The limits of an account: one for all endpoints, unless the configuration or the API separates them.

-   Configured: ``pacing={"sendSMS": FixedRate("10/s"), "*": Adaptive()}``. One pacer under several names is one limit.
-   Learned: only from `RateLimit-Policy`. The client separates endpoints whose responses name disjoint sets of policies.
    429s cannot show separate limits: after a 429 the gate is shut for all endpoints, and a bucket that is nearly empty
    rejects one request and admits the next. A test would cost 429s on every account with a single limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import attrs

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.fixed import FixedRate
from callsavvy_async.policy.pacer import MAX_IN_FLIGHT, Pacer, PacerSnapshot
from callsavvy_async.policy.ratelimit_headers import parse_policies
from callsavvy_async.settings import check_settings
from callsavvy_async.transport.hooks import Hooks
from callsavvy_async.transport.rate_limiter import RateLimiter
from callsavvy_async.transport.shared.settings import SharedPacing

if TYPE_CHECKING:
    from callsavvy_async.transport.remembered_limit import RememberedLimit
    from callsavvy_async.transport.shared.reservation_client import ReservationClient

OnePacing: TypeAlias = Pacer | SharedPacing | str
"""The pacing of one limit: a pacer, or a limit shared by all processes with the same URL."""

ALL_OTHERS = "*"
"""Name of the limit for endpoints without a separate one."""


class RateLimiters:
    """The limits of an account.

    Args:
        pacing: One pacer for all requests; or pacers by the wire names of endpoints, with ``"*"`` for all others
            (default: `Adaptive`). A URL or a `SharedPacing` is a pacer that processes share.
        account: Public key of the account.
        hooks: Receive the loss and the return of shared limits.
        server: Base URL of the API; blank for a mock of it.
    """

    def __init__(
        self,
        pacing: OnePacing | Mapping[str, OnePacing],
        account: str = "",
        hooks: Hooks | None = None,
        server: str = "",
    ) -> None:
        configured = {**pacing} if isinstance(pacing, Mapping) else {ALL_OTHERS: pacing}
        configured.setdefault(ALL_OTHERS, Adaptive())
        # Each URL is a separate limit, whether or not Python makes one object of equal literals.
        each = {resource: SharedPacing(one) if isinstance(one, str) else one for resource, one in configured.items()}
        self._clients: list[ReservationClient] = []
        limiters: dict[int, RateLimiter] = {}
        for resource, one in sorted(each.items()):  # a limit with several names gets the first; "*" sorts before all
            if id(one) not in limiters:
                limiters[id(one)] = self._make(one, account, resource, hooks or Hooks(()))
        self._shared = limiters[id(each.pop(ALL_OTHERS))]
        self._configured = {resource: limiters[id(one)] for resource, one in each.items()}
        self._learned: dict[str, RateLimiter] = {}
        self._limiters = dict(self._configured)
        self._policies: list[tuple[frozenset[str], RateLimiter]] = []
        self._restored: dict[str, Mapping[str, object]] = {}
        self._owner = account, server
        main = self._shared.pacer
        path = main.remember if isinstance(main, Adaptive) else None
        self._remembered = _remembered(Path(path), account, server) if path else None

    def __repr__(self) -> str:
        return ", ".join([repr(self._shared), *(f"{name}: {limiter!r}" for name, limiter in self._apart().items())])

    @property
    def waiting(self) -> int:
        """Number of requests that wait for their turn."""
        return sum(limiter.waiting for limiter in {self._shared, *self._apart().values()})

    def limiter(self, resource: str) -> RateLimiter:
        """Return the rate limiter of an endpoint."""
        return self._limiters.get(resource, self._shared)

    def observe_headers(self, resource: str, policies: str) -> None:
        """Give an endpoint a separate limit if its response names policies that no other endpoint has named.

        Args:
            resource: Endpoint of the response.
            policies: Header field `RateLimit-Policy`.
        """
        like = self._shared.pacer
        if resource in self._limiters or type(like) is not Adaptive:
            return  # the first policies of an endpoint count, and shared limits are never separated
        names = parse_policies(policies)
        if names:
            alike = (limiter for known, limiter in self._policies if known & names)
            self._limiters[resource] = next(alike, None) or self._limiter_for(names, like)

    def snapshot(self) -> PacerSnapshot:
        """Return the current state of the main limit, with the other limits in `groups`."""
        groups = {name: limiter.snapshot() for name, limiter in self._apart().items()}
        return attrs.evolve(self._shared.snapshot(), groups=groups)

    def restore(self, learned: Mapping[str, object]) -> None:
        """Start from the learned state of an earlier process.

        Args:
            learned: `attrs.asdict` of its snapshot. Missing or implausible values are learned again.
        """
        self._shared.pacer.restore(learned)
        self._restored = {name: _mapping(state) for name, state in _mapping(learned.get("groups")).items()}
        for name, limiter in self._apart().items():
            limiter.pacer.restore(self._restored.get(name, {}))

    def open(self) -> None:
        """Restore what the last process has learned, if the main pacer remembers it and has not learned more itself."""
        if self._remembered is not None and self.snapshot().learned_rate is None:
            learned = self._remembered.read()
            if learned:
                self.restore(learned)

    def remember_in(self, path: Path) -> None:
        """Start from the limit in this file and keep it there, unless `Adaptive(remember=)` has decided.

        Servers of plain http are left out: they are simulators and test servers, often on a port of a single run.

        Args:
            path: The file.
        """
        main = self._shared.pacer
        undecided = isinstance(main, Adaptive) and main.remember is None and self._remembered is None
        account, server = self._owner
        if undecided and server.startswith("https:"):
            self._remembered = _remembered(path, account, server)
            self.open()

    def save(self) -> None:
        """Keep what was learned for the next process, if the main pacer remembers it."""
        if self._remembered is not None:
            self._remembered.write(self.snapshot())

    async def aclose(self) -> None:
        """Keep what was learned, and close the connections of shared limits in this event loop, until the next request."""
        self.save()
        for client in self._clients:
            await client.aclose()

    def _make(self, one: Pacer | SharedPacing, account: str, resource: str, hooks: Hooks) -> RateLimiter:
        if not isinstance(one, SharedPacing):
            return RateLimiter(one)
        from callsavvy_async.transport.shared.shared_limiter import share_limit  # noqa: PLC0415 - a tenth of a start's cost

        limiter, client = share_limit(one, account, resource, hooks)
        self._clients.append(client)
        return limiter

    def _apart(self) -> dict[str, RateLimiter]:
        return {**self._configured, **self._learned}

    def _limiter_for(self, names: frozenset[str], like: Adaptive) -> RateLimiter:
        """Return the limit for the first endpoint with these policies: the main limit for the very first, else a new one."""
        limiter = self._shared
        if self._policies:
            policy, pacer = min(names), attrs.evolve(like)
            pacer.restore(self._restored.get(policy, {}))
            limiter = self._learned[policy] = RateLimiter(pacer)
        self._policies.append((names, limiter))
        return limiter


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def choose_pacing(
    pacing: OnePacing | Mapping[str, OnePacing] | None, rate: str | None, burst: int, max_in_flight: int | None
) -> OnePacing | Mapping[str, OnePacing]:
    """Return the pacing that the settings of a client describe; see `Callsavvy`.

    Raises:
        ConfigurationError: A setting is invalid, or two settings contradict each other.
    """
    check_settings(pacing=pacing, rate=rate, burst=burst, max_in_flight=max_in_flight)
    if pacing is not None:
        if rate is not None or burst != 1 or max_in_flight is not None:
            raise ConfigurationError(
                "pacing= was given together with rate=, burst= or max_in_flight=; a pacer already contains them."
                " Pass pacing= alone, as in pacing=FixedRate('10/s', burst=5)."
            )
        return pacing
    cap = MAX_IN_FLIGHT if max_in_flight is None else max_in_flight
    return Adaptive(max_in_flight=cap) if rate is None else FixedRate(rate, burst=burst, max_in_flight=cap)


def _remembered(path: Path, account: str, server: str) -> RememberedLimit:
    from callsavvy_async.transport.remembered_limit import RememberedLimit  # noqa: PLC0415 - tempfile costs nine modules

    return RememberedLimit(path, account, server)
