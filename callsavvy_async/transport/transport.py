"""The loop: build, wait for the turn, exchange, judge, repeat only where that is proved safe, decode."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeVar

import anyio
import attrs
from tenacity import AsyncRetrying, RetryCallState

from callsavvy_async._version import __version__
from callsavvy_async.config import Config
from callsavvy_async.errors import (
    Attempt,
    ClientClosedError,
    DeadlineExceededError,
    DecodeError,
    Outcome,
    RequestError,
)
from callsavvy_async.policy.budget import RetryBudget
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.outcome import Verdict, classify_failure, classify_response, error_type, means_done
from callsavvy_async.policy.ratelimit_headers import Hints, parse_hints
from callsavvy_async.policy.retry import Decision, decide
from callsavvy_async.transport.backends.backend import Backend
from callsavvy_async.transport.hooks import AttemptFailed, HookEvent, Hooks, Limited, RequestStarted, Settled, Waiting
from callsavvy_async.transport.options import CallOptions, apply_options
from callsavvy_async.transport.pacing import Pacing, WaitTooLongError
from callsavvy_async.transport.watch import Exchange, Watch, current_watch
from callsavvy_async.wire.codec import Codec, UnreadableDataError
from callsavvy_async.wire.endpoint import Endpoint
from callsavvy_async.wire.failure import ExchangeFailedError
from callsavvy_async.wire.inflate import ACCEPTED_ENCODINGS
from callsavvy_async.wire.request import HttpRequest, build_request
from callsavvy_async.wire.response import HttpResponse
from callsavvy_async.wire.target import Target

R = TypeVar("R")


@attrs.define
class _Call:
    """One call on its way."""

    endpoint: Endpoint[object]
    request: HttpRequest
    config: Config
    started_at: float
    ends_at: float
    attempts: list[Attempt] = attrs.field(factory=list[Attempt])
    failures: int = 0
    response: HttpResponse | None = None
    verdict: Verdict | None = None
    watch: Watch = attrs.field(factory=lambda: current_watch.get() or Watch())

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        return tuple(attempt.outcome for attempt in self.attempts)


class _AttemptFailedError(Exception):
    """An attempt that was not accepted, on its way to the policy."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict)
        self.verdict = verdict


@attrs.define
class Shared:
    """What clients made by `with_options` have in common."""

    backend: Backend
    pacing: Pacing
    hooks: Hooks
    budget: RetryBudget
    closed: bool = False

    def __del__(self) -> None:
        if self.backend.is_open:
            warnings.warn(f"unclosed Callsavvy client ({self.backend!r}); use 'async with'", ResourceWarning, 2, self)


class Transport:
    """Carries calls to the API under one set of settings."""

    def __init__(self, config: Config, shared: Shared) -> None:
        self.config = config
        self.shared = shared
        self._codec = Codec(config.timezone)
        self._targets: dict[str, Target] = {}
        self._headers = (
            ("host", _host(config.base_url)),
            ("public-key", config.credentials.public_key),
            ("private-key", config.credentials.private_key),
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("accept-encoding", ACCEPTED_ENCODINGS),
            ("user-agent", f"callsavvy-async/{__version__}"),
        )

    async def send(self, endpoint: Endpoint[R], options: CallOptions, /, **params: str | None) -> R:
        """Call an endpoint.

        Args:
            endpoint: the row of the resource.
            options: of this call.
            params: under their wire names; None leaves a parameter out.

        Raises:
            InvalidRequestError: before anything is sent.
            RequestError: as the tree in `callsavvy_async.errors` says.
        """
        config = apply_options(self.config, options)
        request = build_request(endpoint, params, config.extra, target=self._target(endpoint.resource))
        if self.shared.closed:
            raise ClientClosedError(f"{endpoint.resource}: the client is closed. Enter it again with 'async with'.")
        now = anyio.current_time()
        ends_at = math.inf if config.deadline is None else now + config.deadline
        call = _Call(endpoint, request, config, now, ends_at)
        async with self._settled(call):
            return self._decode(endpoint, call, await self._run(call))

    def _target(self, resource: str) -> Target:
        target = self._targets.get(resource)
        if target is None:
            target = self._targets[resource] = Target.of(f"{self.config.base_url}/{resource}", self._headers)
        return target

    # ------------------------------------------------------------------------------------------------- attempts

    async def _run(self, call: _Call) -> Verdict:
        try:
            return await self._attempt(call)  # plainly: tenacity would cost more than the call
        except _AttemptFailedError as failed:
            return await self._repeat(call, failed)

    async def _repeat(self, call: _Call, first: _AttemptFailedError) -> Verdict:
        replay: _AttemptFailedError | None = first  # the plain attempt counts as the first
        decision = Decision(None)

        def worth_repeating(state: RetryCallState) -> bool:
            nonlocal decision
            error = state.outcome.exception() if state.outcome else None
            decision = self._decide(call, error.verdict) if isinstance(error, _AttemptFailedError) else Decision(None)
            return decision.wait is not None

        async def attempt() -> Verdict:
            nonlocal replay
            if replay is not None:
                error, replay = replay, None
                raise error
            return await self._attempt(call)

        retrying = AsyncRetrying(
            retry=worth_repeating, wait=lambda _: decision.wait or 0.0, sleep=anyio.sleep, reraise=True
        )
        try:
            return await retrying(attempt)
        except _AttemptFailedError as last:
            raise self._error(call, last.verdict, decision.why) from last.__cause__

    async def _attempt(self, call: _Call) -> Verdict:
        permit = await self._wait_for_turn(call)
        started_at = anyio.current_time()
        verdict, cause = await self._exchange(call, permit)
        if means_done(verdict, call.endpoint.effect, call.outcomes):
            verdict = attrs.evolve(verdict, outcome=Outcome.ACCEPTED, envelope=None, reason="gone already")
        seconds = anyio.current_time() - started_at
        call.attempts.append(Attempt(verdict.outcome, verdict.reason, seconds, verdict.status_code))
        call.verdict = verdict
        if verdict.outcome is not Outcome.ACCEPTED:
            raise _AttemptFailedError(verdict) from cause
        self.shared.budget.succeeded()
        return verdict

    async def _exchange(self, call: _Call, permit: Permit) -> tuple[Verdict, ExchangeFailedError | None]:
        """Send the request once; tell the pacing what that taught. Returns the verdict and what it was made of."""
        cause: ExchangeFailedError | None = None
        hints: Hints | None = None
        try:
            await call.watch.about_to_send()
            timeout = min(call.config.timeout, call.ends_at - anyio.current_time())
            with call.watch.exchanging():
                call.response = await self.shared.backend.exchange(
                    call.request, timeout=timeout, max_bytes=call.config.max_response_bytes
                )
            now = datetime.now(UTC)
            verdict = classify_response(call.response, now=now)
            hints = parse_hints(call.response.headers, epoch_now=now.timestamp())
        except ExchangeFailedError as failure:
            verdict, cause = classify_failure(failure), failure
        except BaseException:
            self.shared.pacing.done(permit, Feedback(Signal.NOTHING))
            raise
        call.watch.landed()
        feedback = Feedback(_signal(verdict), verdict.retry_after, hints)
        self.shared.pacing.done(permit, feedback)
        if feedback.signal is Signal.REFUSED:
            pause = self.shared.pacing.snapshot().shut_for
            self.shared.hooks(Limited(call.endpoint.resource, pause, verdict.retry_after))
        return verdict, cause

    async def _wait_for_turn(self, call: _Call) -> Permit:
        resource = call.endpoint.resource

        def on_wait(seconds: float | None, why: str) -> None:
            self.shared.hooks(Waiting(resource, seconds, why))

        try:
            return await self.shared.pacing.acquire(call.ends_at, on_wait, bulk=call.watch.bulk)
        except WaitTooLongError as late:
            wait = "an unknown time" if late.seconds is None else f"{late.seconds:.3g} s"
            left = max(call.ends_at - anyio.current_time(), 0.0)
            why = f"the limit of the client would keep it waiting for {wait}, past its deadline in {left:.3g} s"
            if call.verdict is not None:
                raise self._error(call, call.verdict, f"gave up: {why}") from None
            raise DeadlineExceededError(why, endpoint=resource, outcome=Outcome.NOT_SENT) from None

    # ------------------------------------------------------------------------------------------------ decisions

    def _decide(self, call: _Call, verdict: Verdict) -> Decision:
        call.failures += not verdict.limited
        decision = decide(
            verdict,
            call.endpoint.effect,
            failures=call.failures,
            seconds_left=call.ends_at - anyio.current_time(),
            policy=call.config.retry,
            take_budget=self.shared.budget.take,
            jitter=random.random,
        )
        number = len(call.attempts)
        self.shared.hooks(AttemptFailed(call.endpoint.resource, call.attempts[-1], number, decision.wait))
        return decision

    def _error(self, call: _Call, verdict: Verdict, why: str) -> RequestError:
        return error_type(verdict, call.endpoint.effect)(
            f"{verdict.reason}; {why}" if why else verdict.reason,
            endpoint=call.endpoint.resource,
            outcome=verdict.outcome,
            attempts=tuple(call.attempts),
            status_code=verdict.status_code,
            message=verdict.message,
            retry_after=verdict.retry_after,
            body=call.response.body if call.response and verdict.status_code else None,
        )

    def _decode(self, endpoint: Endpoint[R], call: _Call, verdict: Verdict) -> R:
        body = call.response.body if call.response else b""
        try:
            return self._codec.decode(endpoint, verdict.envelope.data if verdict.envelope else None, body)
        except UnreadableDataError as error:
            raise DecodeError(
                str(error),
                endpoint=endpoint.resource,
                outcome=Outcome.UNKNOWN,
                attempts=tuple(call.attempts),
                status_code=verdict.status_code,
                body=body,
            ) from error

    @asynccontextmanager
    async def _settled(self, call: _Call) -> AsyncGenerator[None, None]:
        """Tell the hooks how a call began and ended, also when it was cancelled."""
        resource = call.endpoint.resource
        self.shared.hooks(RequestStarted(resource))
        outcome, cancelled = Outcome.ACCEPTED, False
        try:
            yield
        except RequestError as error:
            outcome = error.outcome
            raise
        except BaseException:
            cancelled = True
            outcome = Outcome.UNKNOWN if call.watch.on_wire else (call.outcomes or (Outcome.NOT_SENT,))[-1]
            raise
        finally:
            taken = anyio.current_time() - call.started_at
            event: HookEvent = Settled(resource, outcome, tuple(call.attempts), taken, cancelled=cancelled)
            self.shared.hooks(event)
            call.watch.exchanges.append(Exchange(call.response, tuple(call.attempts)))


def _signal(verdict: Verdict) -> Signal:
    if verdict.limited or (verdict.outcome is Outcome.REJECTED and verdict.transient):
        return Signal.REFUSED
    if verdict.outcome is Outcome.NOT_SENT:
        return Signal.NOTHING
    return Signal.FAILED if verdict.outcome is Outcome.UNKNOWN else Signal.ADMITTED


def _host(base_url: str) -> str:
    return base_url.split("://", 1)[1].split("/", 1)[0]
