"""Options of ``callsavvy simulator``: the account, its rate limit, and its faults."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Annotated, Literal, TypeAlias

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from callsavvy_async.cli.options import Rate, Units
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.policy.fixed import parse_rate
from callsavvy_async.simulator import (
    ENDPOINTS,
    PRIVATE_KEY,
    PUBLIC_KEY,
    Concurrency,
    Fault,
    FixedWindow,
    Limit,
    Simulator,
    SlidingWindow,
    TokenBucket,
)

LimitKind: TypeAlias = Literal["token-bucket", "fixed-window", "sliding-window"]
_SECONDS = Parameter(validator=Number(gte=0))
_PLENTY = Decimal(1_000)


@Parameter(name="*", negative="", group="Account")
@attrs.frozen(kw_only=True)
class SimulatedAccount:
    """The simulated account."""

    public_key: str = PUBLIC_KEY
    """Public key that clients must use. Not a real one."""
    private_key: str = attrs.field(default=PRIVATE_KEY, repr=False)
    """Private key that clients must use. Not a real one."""
    sms_balance: Units = _PLENTY
    """Initial SMS units."""
    local_balance: Units = _PLENTY
    """Initial call minutes within the country, also charged for WhatsApp messages."""
    international_balance: Units = _PLENTY
    """Initial call minutes abroad, also charged for WhatsApp messages."""
    callback_url: str | None = None
    """URL that gets events, e.g. of `callsavvy webhooks serve`. Each new ticket posts newTicketOpened."""
    seed: int = 0
    """Seed of the generated records (tickets, contacts, ...) and of chance."""


@Parameter(name="*", negative="", group="Rate limit")
@attrs.frozen(kw_only=True)
class RateLimit:
    """The rate limit."""

    rate: Rate = None
    """Respond with 429 above this request rate, e.g. 20/s."""
    burst: Annotated[int, Parameter(validator=Number(gte=1))] = 1
    """Maximum requests at once, with a token bucket."""
    limit_kind: LimitKind = "token-bucket"
    """How requests are counted against --rate."""
    window: Annotated[float, Parameter(validator=Number(gt=0))] = 1.0
    """Seconds of a window."""
    concurrent: Annotated[int | None, Parameter(validator=Number(gte=1))] = None
    """Respond with 429 above this number of concurrent requests. Instead of --rate."""
    retry_after: Literal["none", "seconds", "http-date"] = "seconds"
    """Form of the header Retry-After on a 429."""
    limit_headers: Literal["none", "ietf", "x-ratelimit"] = "none"
    """Headers that tell the limit on every response."""

    def make(self) -> Limit | None:
        """Return the limit; None for none.

        Raises:
            InvalidRequestError: Two options contradict each other, or a window admits less than one request.
        """
        if self.concurrent is not None:
            if self.rate is not None:
                raise InvalidRequestError("--concurrent and --rate are two limits; give one of them.")
            return Concurrency(self.concurrent, retry_after=self.retry_after, headers=self.limit_headers)
        if self.rate is None:
            return None
        per_second = parse_rate(self.rate)
        if self.limit_kind == "token-bucket":
            return TokenBucket(per_second, self.burst, retry_after=self.retry_after, headers=self.limit_headers)
        count = round(per_second * self.window)
        if not count:
            raise InvalidRequestError(
                f"--rate {self.rate} admits no request in a window of {self.window:g} s; raise --window."
            )
        make = FixedWindow if self.limit_kind == "fixed-window" else SlidingWindow
        return make(count, self.window, retry_after=self.retry_after, headers=self.limit_headers)


@Parameter(name="*", negative="", group="Latency and faults")
@attrs.frozen(kw_only=True)
class Trouble:
    """Latency and faults."""

    latency: Annotated[float, _SECONDS] = 0.0
    """Seconds before each response (default: none)."""
    jitter: Annotated[float, _SECONDS] = 0.0
    """Seconds by which a response is later at most, by chance (default: none)."""
    fault: tuple[str, ...] = ()
    """Fault of requests as [RESOURCE=]FAULT[:SHARE], e.g. sendSMS=drop-after-read:0.1 or status-503; may be repeated."""

    def delay(self, random: Random) -> float:
        """Return the seconds before a response."""
        return self.latency + random.random() * self.jitter

    def plan(self, simulator: Simulator) -> None:
        """Plan the faults.

        Raises:
            InvalidRequestError: A fault or a resource does not exist, or a share is not from 0 to 1.
        """
        for text in self.fault:
            fault, resource, share = _read_fault(text)
            simulator.faults.rule(fault, resource=resource, probability=share)


def _read_fault(text: str) -> tuple[Fault, str | None, float]:
    resource, equals, rest = text.rpartition("=")
    name, colon, share = rest.partition(":")
    if equals and resource not in ENDPOINTS:
        raise InvalidRequestError(f'--fault names the resource "{resource}"; use one of {", ".join(ENDPOINTS)}.')
    try:
        fault, probability = Fault.named(name), float(share) if colon else 1.0
    except ValueError as error:
        raise InvalidRequestError(f'--fault is "{text}": {error}') from None
    if not 0 <= probability <= 1:
        raise InvalidRequestError(f'--fault is "{text}"; the share is from 0 to 1, e.g. 0.1.')
    return fault, resource or None, probability


def make_simulator(account: SimulatedAccount, limit: RateLimit, trouble: Trouble) -> Simulator:
    """Return the simulator of these options.

    Raises:
        InvalidRequestError: An option is invalid.
    """
    simulator = Simulator(
        public_key=account.public_key,
        private_key=account.private_key,
        sms_balance=account.sms_balance,
        local_balance=account.local_balance,
        international_balance=account.international_balance,
        callback_url=account.callback_url,
        seed=account.seed,
        limit=limit.make(),
        latency=trouble.delay,
    )
    trouble.plan(simulator)
    return simulator


DEFAULT_ACCOUNT, DEFAULT_LIMIT, DEFAULT_TROUBLE = SimulatedAccount(), RateLimit(), Trouble()
"""The groups' defaults."""
