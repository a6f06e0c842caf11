"""Never executed: how a client is made, its hooks and its errors, seen by a type checker."""

import ssl
from collections.abc import Mapping
from datetime import UTC
from typing import assert_never, assert_type

import aiohttp
import httpx

from callsavvy_async import (
    Adaptive,
    Attempt,
    Callsavvy,
    Credentials,
    FixedRate,
    Outcome,
    OutcomeUnknownError,
    RequestError,
    RequestOptions,
    SharedPacing,
    Unlimited,
)
from callsavvy_async.hooks import (
    AttemptFailed,
    Hook,
    HookEvent,
    RateLimited,
    RequestSettled,
    RequestStarted,
    RequestWaiting,
    SharedLimitLost,
    SharedLimitRestored,
)
from callsavvy_async.pacing import Feedback, Pacer, PacerSnapshot, Permit, Signal
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse
from callsavvy_async.wire.response_headers import Headers


class PacerOfMyOwn:
    """A pacer that never holds anything back."""

    def delay(self, now: float) -> float:
        return 0.0

    def sent(self, now: float) -> Permit:
        return Permit(now, level=1)

    def done(self, now: float, permit: Permit, feedback: Feedback) -> None:
        assert_type(feedback.signal, Signal)

    def snapshot(self, now: float) -> PacerSnapshot:
        return Adaptive().snapshot(now)

    def restore(self, learned: Mapping[str, object]) -> None:
        pass


def clients(http_client: httpx.AsyncClient, transport: httpx.AsyncBaseTransport) -> None:
    assert_type(Callsavvy(public_key="a", private_key="b"), Callsavvy)
    Callsavvy(Credentials("a", "b"), http_client=http_client)
    Callsavvy(Credentials.SANDBOX, transport=transport, rate="10/s", burst=5, max_in_flight=4, timezone=UTC)
    Callsavvy(Credentials.SANDBOX, pacing=FixedRate("10/s", burst=5))
    assert_type(Callsavvy.from_env(pacing=PacerOfMyOwn()).pacing.snapshot().learned_rate, float | None)
    pacers: list[Pacer] = [Adaptive(), Adaptive(max_in_flight=4), FixedRate(9.5), Unlimited()]
    Callsavvy.from_env(pacing=pacers[0]).pacing.restore({"learned_rate": 10.0})
    Callsavvy.from_env(pacing={"sendSMS": FixedRate("10/s"), "*": PacerOfMyOwn()})
    Callsavvy.from_env(pacing="redis://localhost")
    Callsavvy.from_env(pacing={"sendSMS": SharedPacing("postgresql://localhost/jobs", local=FixedRate("10/s"))})
    Callsavvy.from_env(pacing={"sendSMS": 10})  # type: ignore[dict-item]
    Callsavvy.from_env(pacing=10)  # type: ignore[arg-type]
    Callsavvy.from_env(verify=ssl.create_default_context(), proxy="http://proxy.example:3128", deadline=None)
    Callsavvy("a", "b")  # type: ignore[call-arg, arg-type]
    Callsavvy.from_env(retries=3)  # type: ignore[call-arg]


async def context(options: RequestOptions) -> None:
    async with Callsavvy.from_env() as callsavvy:
        assert_type(callsavvy, Callsavvy)
        assert_type(callsavvy.with_options(timeout=5, max_retries=0), Callsavvy)
        await callsavvy.account.summary(**options)
        callsavvy.with_options(base_url="https://example.com")  # type: ignore[call-arg]


class Counter:
    """A hook that is an object."""

    def __call__(self, event: HookEvent, /) -> None:
        """Show that the events are a closed set."""
        match event:
            case RequestStarted(endpoint):
                assert_type(endpoint, str)
            case RequestWaiting(_, seconds, _):
                assert_type(seconds, float | None)
            case RateLimited():
                assert_type(event.retry_after, float | None)
            case AttemptFailed():
                assert_type(event.attempt, Attempt)
            case RequestSettled():
                assert_type(event.outcome, Outcome)
            case SharedLimitLost() | SharedLimitRestored():
                assert_type(event.processes, int)
            case _:
                assert_never(event)


def ignore(event: HookEvent) -> None:
    """Be a hook that is a function."""


def only_settled(event: RequestSettled) -> None:
    """Be no hook: the other events would not fit."""


HOOKS: list[Hook] = [Counter(), ignore, print]
NO_HOOK: Hook = only_settled  # type: ignore[assignment]


async def failures(callsavvy: Callsavvy) -> None:
    try:
        await callsavvy.account.summary()
    except OutcomeUnknownError as error:
        assert_type(error.attempts, tuple[Attempt, ...])
        assert_type(error.safe_to_resend, bool)
    except RequestError as error:
        assert_type(error.status_code, int | None)
        assert_type(error.body, bytes | None)
    raw = await callsavvy.with_raw_response(callsavvy.account.summary)
    assert_type(raw.headers, Mapping[str, str])


class BackendOfMyOwn:
    """A backend that answers by itself."""

    @property
    def is_open(self) -> bool:
        return False

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        return HttpResponse(200, Headers.of([(b"Content-Type", b"application/json")]), b"{}")

    async def aclose(self) -> None: ...


def choosing_a_backend(session: aiohttp.ClientSession) -> None:
    Callsavvy(public_key="p", private_key="q", backend="native")
    Callsavvy(public_key="p", private_key="q", session=session, backend="aiohttp")
    Callsavvy(public_key="p", private_key="q", backend=BackendOfMyOwn())
    Callsavvy.from_env(backend="httpx", proxy="http://proxy.example")
    Callsavvy(public_key="p", private_key="q", backend="requests")  # type: ignore[arg-type]
