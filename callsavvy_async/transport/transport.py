"""The loop: build, wait for the turn, exchange, judge, repeat only where that is proved safe, decode."""

from __future__ import annotations

import math
import random
import time
import warnings
from datetime import UTC, datetime
from typing import TypeVar

import anyio
import attrs

from callsavvy_async.config import Config
from callsavvy_async.errors import (
    ClientClosedError,
    ConfigurationError,
    DeadlineExceededError,
    DecodeError,
    Outcome,
    RequestError,
)
from callsavvy_async.policy.budget import RetryBudget
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.outcome import Verdict, classify_failure, classify_response, error_type, means_done
from callsavvy_async.policy.pacer import FULL
from callsavvy_async.policy.ratelimit_headers import LIMIT_FIELDS, parse_hints
from callsavvy_async.policy.retry import Decision, decide
from callsavvy_async.transport.backends.backend import Backend
from callsavvy_async.transport.backends.environment import unread_variables
from callsavvy_async.transport.clock import running_clock
from callsavvy_async.transport.fair_queue import PATIENCE
from callsavvy_async.transport.hooks import AttemptFailed, Hooks, Limited, RequestStarted, Settled, Waiting
from callsavvy_async.transport.options import RequestOptions, apply_options
from callsavvy_async.transport.pending_request import Call
from callsavvy_async.transport.rate_limiter import RateLimiter, WaitTooLongError
from callsavvy_async.transport.rate_limiters import RateLimiters
from callsavvy_async.transport.request_context import Exchange, RequestContext, current_context
from callsavvy_async.transport.targets import Targets
from callsavvy_async.wire.codec import Codec
from callsavvy_async.wire.endpoint import Endpoint
from callsavvy_async.wire.failure import ExchangeFailedError
from callsavvy_async.wire.field_parsers import UnreadableDataError
from callsavvy_async.wire.request import build_request
from callsavvy_async.wire.response import HttpResponse, read_envelope

R = TypeVar("R")


@attrs.define
class Shared:
    """What clients made by `with_options` have in common.

    Attributes:
        is_direct: whether the backend asks neither a proxy nor the environment for the way.
    """

    backend: Backend
    pacing: RateLimiters
    hooks: Hooks
    budget: RetryBudget
    is_direct: bool = False
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
        self._targets = Targets(config)

    async def send(self, endpoint: Endpoint[R], options: RequestOptions, /, **params: str | None) -> R:
        """Call an endpoint.

        Args:
            endpoint: the row of the resource.
            options: of this call.
            params: under their wire names; None leaves a parameter out.

        Raises:
            InvalidRequestError: before anything is sent.
            RequestError: as the tree in `callsavvy_async.errors` says.
        """
        shared = self.shared
        settings = apply_options(self.config.call, options) if options else self.config.call
        request = build_request(endpoint, params, settings.extra, target=self._targets[endpoint.resource])
        if shared.closed:
            raise ClientClosedError(f"{endpoint.resource}: the client is closed. Enter it again with 'async with'.")
        clock = running_clock()
        began = clock()
        ends_at = math.inf if settings.deadline is None else began + settings.deadline
        told, watch = shared.hooks.listening, current_context.get()
        call = Call(endpoint, params, request, settings, clock, began, ends_at, watch, told)
        if told:
            shared.hooks(RequestStarted(endpoint.resource))
        try:
            verdict = await self._attempt(call)  # plainly: tenacity would cost more than the call
            if verdict.outcome is not Outcome.ACCEPTED:
                verdict = await self._repeat(call, verdict)
            value = self._decode(endpoint, call, verdict)
        except RequestError as error:
            self._settle(call, error.outcome)
            raise
        except BaseException:
            self._settle(call, call.outcome_if_cancelled, cancelled=True)
            raise
        if told or watch is not None:
            self._settle(call, Outcome.ACCEPTED)
        return value

    # ------------------------------------------------------------------------------------------------- attempts

    async def _attempt(self, call: Call) -> Verdict:
        """Wait for the turn, send the request once, judge what came of it, and learn from that."""
        limiter, began = self.shared.pacing.limiter(call.endpoint.resource), call.clock()
        permit = limiter.try_acquire(began)
        if permit is None:
            permit = await self._wait_for_turn(call, limiter)
            began = call.clock()
        timeout, left = call.settings.timeout, call.ends_at - began
        timeout = min(timeout, left)
        call.cause = None
        try:
            if call.watch is None:
                call.on_wire = True
                exchange, most = self.shared.backend.exchange, self.config.max_response_bytes
                call.response = response = await exchange(call.request, timeout=timeout, max_bytes=most)
            else:
                call.response = response = await self._exchange_watched(call, call.watch, timeout=timeout)
            verdict = classify_response(response, read_envelope(response.body), now=_utc_now)
        except ExchangeFailedError as failure:
            verdict, call.cause = classify_failure(failure), failure
        except BaseException as error:
            limiter.done(permit, Feedback(Signal.NOTHING), call.clock())
            if isinstance(error, ConfigurationError):  # the backend cannot run here: nothing was sent
                call.landed()
            raise
        ended = call.clock()
        self._learn(call, limiter, permit, verdict, ended)
        if verdict.outcome is Outcome.ACCEPTED:
            self.shared.budget.succeeded()
        elif means_done(verdict, call.endpoint.effect, call.attempts):
            verdict = attrs.evolve(verdict, outcome=Outcome.ACCEPTED, envelope=None, reason="gone already")
        if verdict.outcome is not Outcome.ACCEPTED:
            verdict = verdict.masked(self.config.credentials.mask)
        call.tried(verdict, ended - began)
        return verdict

    async def _exchange_watched(self, call: Call, watch: RequestContext, *, timeout: float) -> HttpResponse:
        """Send the request once, under the eyes of whoever follows the calls of this task."""
        late = await watch.about_to_send()
        if late is not None:  # parameters that were settled only when the turn had come
            params = {**call.params, **late}
            call.request = build_request(call.endpoint, params, call.settings.extra, target=call.request.target)
        call.on_wire = True
        with watch.exchanging():
            return await self.shared.backend.exchange(
                call.request, timeout=timeout, max_bytes=self.config.max_response_bytes
            )

    async def _repeat(self, call: Call, first: Verdict) -> Verdict:
        """Repeat a failed attempt while the policy allows it. Raises what the last one means, unless it was accepted."""
        try:
            from callsavvy_async.transport.retrying import repeat  # noqa: PLC0415 - imported after a first failure
        except (ImportError, OSError):  # too many files are open: what is known of the first attempt is known
            raise self._error(call, first, "not tried again, since a module could not be read") from call.cause

        async def pause(seconds: float) -> None:
            if call.watch is not None:
                await call.watch.about_to_wait()
            await anyio.sleep(seconds)

        verdict, decision = await repeat(
            first, lambda: self._attempt(call), lambda failed: self._decide(call, failed), pause
        )
        if verdict.outcome is not Outcome.ACCEPTED:
            raise self._error(call, verdict, decision.why) from call.cause
        return verdict

    def _learn(self, call: Call, limiter: RateLimiter, permit: Permit, verdict: Verdict, moment: float) -> None:
        """Give the permit back, with what the attempt taught about the limit."""
        answer = call.response if verdict.status_code is not None else None
        signal = Signal.ADMITTED if verdict.outcome is Outcome.ACCEPTED else _signal(verdict)
        hints = None
        if answer is not None and answer.headers.has_any(LIMIT_FIELDS):
            hints = parse_hints(answer.headers, epoch_now=time.time())
            self.shared.pacing.heard(call.endpoint.resource, answer.headers.get("ratelimit-policy", ""))
        plain = signal is Signal.ADMITTED and hints is None
        limiter.done(permit, _ADMITTED if plain else Feedback(signal, verdict.retry_after, hints), moment)
        if signal is Signal.REFUSED:
            call.refused(moment, admitted=limiter.admitted)
            pause = limiter.snapshot().shut_for
            self.shared.hooks(Limited(call.endpoint.resource, pause, verdict.retry_after))

    async def _wait_for_turn(self, call: Call, limiter: RateLimiter) -> Permit:
        resource, watch = call.endpoint.resource, call.watch

        def on_wait(seconds: float | None, why: str, ahead: int) -> None:
            if watch is not None and watch.on_wait is not None and not why.startswith(FULL):
                watch.on_wait()
            self.shared.hooks(Waiting(resource, seconds, why, ahead))

        try:
            since = call.began if 0 < call.refusals < PATIENCE else None
            return await limiter.acquire(call.ends_at, on_wait, bulk=watch is not None and watch.bulk, since=since)
        except WaitTooLongError as late:
            wait = "an unknown time" if late.seconds is None else f"{late.seconds:.3g} s"
            left = max(call.ends_at - call.clock(), 0.0)
            why = f"the limit of the client would keep it waiting for {wait}, past its deadline in {left:.3g} s"
            if call.verdict is not None:
                raise self._error(call, call.verdict, f"gave up: {why}", expected_wait=late.seconds) from None
            raise DeadlineExceededError(
                why, endpoint=resource, outcome=Outcome.NOT_SENT, expected_wait=late.seconds
            ) from None

    # ------------------------------------------------------------------------------------------------ decisions

    def _decide(self, call: Call, verdict: Verdict) -> Decision:
        call.failures += not verdict.limited
        decision = decide(
            verdict,
            call.endpoint.effect,
            failures=call.failures,
            passed_over=call.passed_over,
            refused_for=call.clock() - call.refused_at,
            seconds_left=call.ends_at - call.clock(),
            policy=call.settings.retry,
            take_budget=self.shared.budget.take,
            jitter=random.random,
        )
        number = len(call.attempts)
        self.shared.hooks(AttemptFailed(call.endpoint.resource, call.attempts[-1], number, decision.wait))
        return decision

    def _error(self, call: Call, verdict: Verdict, why: str, *, expected_wait: float | None = None) -> RequestError:
        if expected_wait is None and verdict.limited:
            shut_for = self.shared.pacing.limiter(call.endpoint.resource).snapshot().shut_for
            expected_wait = max(shut_for, verdict.retry_after or 0.0) or None
        advice = ""
        if self.shared.is_direct and call.cause is not None and not call.cause.sent:
            advice = unread_variables(call.cause.kind, self.config.base_url)
        return error_type(verdict, call.endpoint.effect)(
            "; ".join(part for part in (verdict.reason, advice, why) if part),
            endpoint=call.endpoint.resource,
            outcome=verdict.outcome,
            attempts=tuple(call.attempts),
            status_code=verdict.status_code,
            message=verdict.message,
            retry_after=verdict.retry_after,
            expected_wait=expected_wait,
            body=call.response.body if call.response and verdict.status_code else None,
        )

    def _decode(self, endpoint: Endpoint[R], call: Call, verdict: Verdict) -> R:
        body = call.response.body if call.response else b""
        try:
            return self._codec.decode(endpoint, verdict.envelope, body)
        except UnreadableDataError as error:
            raise DecodeError(
                str(error),
                endpoint=endpoint.resource,
                outcome=Outcome.UNKNOWN,
                attempts=tuple(call.attempts),
                status_code=verdict.status_code,
                body=body,
            ) from error

    def _settle(self, call: Call, outcome: Outcome, *, cancelled: bool = False) -> None:
        """Tell who follows how a call ended, also when it was cancelled."""
        if call.is_told:
            seconds = call.clock() - call.began
            ended = Settled(call.endpoint.resource, outcome, tuple(call.attempts), seconds, cancelled=cancelled)
            self.shared.hooks(ended)
        if call.watch is not None:
            call.watch.exchanges.append(Exchange(call.response, tuple(call.attempts)))


_ADMITTED = Feedback(Signal.ADMITTED)


def _signal(verdict: Verdict) -> Signal:
    """Say what an attempt that was not accepted taught."""
    if verdict.limited or (verdict.outcome is Outcome.REJECTED and verdict.transient):
        return Signal.REFUSED
    if verdict.outcome is Outcome.NOT_SENT:
        return Signal.NOTHING
    return Signal.FAILED if verdict.outcome is Outcome.UNKNOWN else Signal.ADMITTED


def _utc_now() -> datetime:
    return datetime.now(UTC)
