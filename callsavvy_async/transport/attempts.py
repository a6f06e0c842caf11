"""Make the attempts of one request: wait for its turn, exchange, classify, retry if that is proved safe, decode."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import TypeVar

import anyio
import attrs

from callsavvy_async.config import Config
from callsavvy_async.errors import ConfigurationError, DeadlineExceededError, DecodeError, Outcome, RequestError
from callsavvy_async.policy.feedback import Feedback, Permit, Signal
from callsavvy_async.policy.outcome import Verdict, classify_failure, classify_response, means_done, signal_of
from callsavvy_async.policy.pacer import FULL
from callsavvy_async.policy.ratelimit_headers import LIMIT_FIELDS, parse_hints
from callsavvy_async.policy.retry import Decision, decide
from callsavvy_async.transport.backends.environment import unread_variables
from callsavvy_async.transport.fair_queue import PATIENCE
from callsavvy_async.transport.pending_request import PendingRequest
from callsavvy_async.transport.rate_limiter import RateLimiter, WaitTooLongError
from callsavvy_async.transport.request_events import announce, note_end, note_failure, note_rate_limit, note_wait
from callsavvy_async.transport.shared_state import Shared
from callsavvy_async.wire.codec import Codec
from callsavvy_async.wire.endpoint import Endpoint
from callsavvy_async.wire.failure import ExchangeFailedError
from callsavvy_async.wire.field_parsers import UnreadableDataError
from callsavvy_async.wire.request import build_request
from callsavvy_async.wire.response import HttpResponse

R = TypeVar("R")


class Attempts:
    """Makes the attempts of requests, with all that observers, waits and failures need.

    Args:
        config: Settings of the client.
        shared: Open parts of the client.
        codec: Decodes responses.
    """

    def __init__(self, config: Config, shared: Shared, codec: Codec) -> None:
        self.config = config
        self.shared = shared
        self.codec = codec

    async def send(
        self,
        endpoint: Endpoint[R],
        pending: PendingRequest,
        permit: Permit | None,
        exchange: Awaitable[HttpResponse] | None,
    ) -> R:
        """Send a request and return its decoded response.

        Args:
            endpoint: Endpoint of the request.
            pending: The request.
            permit: Permit of the first attempt, if it was made on the straight path.
            exchange: Exchange of that attempt, which has ended.
        """
        hooks, observed = self.shared.hooks, pending.is_observed
        if observed:
            announce(hooks, pending)
        try:
            verdict = await self._attempt(pending, permit, exchange)  # without tenacity, which costs more than the rest
            if verdict.outcome is not _ACCEPTED:
                verdict = await self._retry(pending, verdict)
            value = self._decode(endpoint, pending, verdict)
        except RequestError as error:
            note_end(hooks, pending, error.outcome)
            raise
        except BaseException:
            note_end(hooks, pending, pending.outcome_if_cancelled, cancelled=True)
            raise
        if observed or pending.context is not None:
            note_end(hooks, pending, _ACCEPTED, value)
        return value

    async def _attempt(
        self, pending: PendingRequest, permit: Permit | None = None, exchange: Awaitable[HttpResponse] | None = None
    ) -> Verdict:
        """Wait for the turn, send the request once, classify the outcome and give feedback to the rate limiter.

        With a permit and an exchange, these were made on the straight path, and only the rest is left to do.
        """
        limiter, began = self.shared.pacing.limiter(pending.endpoint.resource), pending.began
        if permit is None:
            began = pending.clock()
            permit = limiter.try_acquire(began)
        if permit is None:
            permit = await self._wait_for_turn(pending, limiter)
            began = pending.clock()
        pending.cause = None
        try:
            if exchange is None:
                exchange = self._exchange(pending, timeout=min(pending.settings.timeout, pending.ends_at - began))
            else:
                pending.on_wire = True
            pending.response = response = await exchange
            verdict = classify_response(
                response, self.codec.read_envelope(pending.endpoint, response.body), now=_utc_now
            )
        except ExchangeFailedError as failure:
            verdict, pending.cause = classify_failure(failure), failure
        except BaseException as error:
            limiter.done(permit, Feedback(Signal.NOTHING), pending.clock())
            if isinstance(error, ConfigurationError):  # raised before anything is sent
                pending.completed()
            raise
        ended = pending.clock()
        self._learn(pending, limiter, permit, verdict, ended)
        if verdict.outcome is _ACCEPTED:
            self.shared.budget.succeeded()
        elif means_done(verdict, pending.endpoint.effect, pending.attempts):
            verdict = attrs.evolve(verdict, outcome=_ACCEPTED, envelope=None, reason="gone already")
        if verdict.outcome is not _ACCEPTED:
            verdict = verdict.masked(self.config.credentials.mask)
        pending.record_attempt(verdict, ended - began)
        return verdict

    async def _exchange(self, pending: PendingRequest, *, timeout: float) -> HttpResponse:
        """Send the request once, with the callbacks and the shield of the task's context, if it has one."""
        context, most = pending.context, self.config.max_response_bytes
        if context is None:
            pending.on_wire = True
            return await self.shared.backend.exchange(pending.request, timeout=timeout, max_bytes=most)
        late = await context.about_to_send(pending.request_id)
        if late is not None:
            params = {**pending.params, **late}
            pending.request = build_request(
                pending.endpoint, params, pending.settings.extra, template=pending.request.template
            )
        pending.on_wire = True
        with context.exchanging():
            return await self.shared.backend.exchange(pending.request, timeout=timeout, max_bytes=most)

    async def _retry(self, pending: PendingRequest, first: Verdict) -> Verdict:
        """Retry a failed attempt as long as the policy allows it; raise the last verdict unless it is ACCEPTED."""
        try:
            from callsavvy_async.transport.retrying import retry  # noqa: PLC0415 - imported after a first failure
        except (ImportError, OSError):  # for example too many open files
            raise self._error(pending, first, "no retry: a module could not be imported") from pending.cause

        async def pause(seconds: float) -> None:
            if pending.context is not None:
                await pending.context.about_to_wait()
            await anyio.sleep(seconds)

        verdict, decision = await retry(
            first, lambda: self._attempt(pending), lambda failed: self._decide(pending, failed), pause
        )
        if verdict.outcome is not _ACCEPTED:
            raise self._error(pending, verdict, decision.why) from pending.cause
        return verdict

    def _learn(
        self, pending: PendingRequest, limiter: RateLimiter, permit: Permit, verdict: Verdict, moment: float
    ) -> None:
        """Return the permit to the rate limiter, with feedback."""
        response = pending.response if verdict.status_code is not None else None
        signal = ADMITTED.signal if verdict.outcome is _ACCEPTED else signal_of(verdict)
        hints = None
        if response is not None and response.headers.has_any(LIMIT_FIELDS):
            hints = parse_hints(response.headers, epoch_now=time.time())
            self.shared.pacing.observe_headers(pending.endpoint.resource, response.headers.get("ratelimit-policy", ""))
        plain = signal is ADMITTED.signal and hints is None
        limiter.done(permit, ADMITTED if plain else Feedback(signal, verdict.retry_after, hints), moment)
        if signal is Signal.RATE_LIMITED:
            pending.on_rate_limited(moment, admitted=limiter.admitted)
            pause = limiter.snapshot().shut_for
            note_rate_limit(self.shared.hooks, pending, verdict, pause)

    async def _wait_for_turn(self, pending: PendingRequest, limiter: RateLimiter) -> Permit:
        resource, context = pending.endpoint.resource, pending.context

        def on_wait(seconds: float | None, why: str, ahead: int) -> None:
            if context is not None and context.on_wait is not None and not why.startswith(FULL):
                context.on_wait()
            note_wait(self.shared.hooks, pending, seconds, why, ahead)

        try:
            since = pending.began if 0 < pending.rate_limit_count < PATIENCE else None
            return await limiter.acquire(pending.ends_at, on_wait, bulk=pending.chunk is not None, since=since)
        except WaitTooLongError as late:
            wait = "an unknown time" if late.seconds is None else f"{late.seconds:.3g} s"
            left = max(pending.ends_at - pending.clock(), 0.0)
            why = f"the rate limiter expects a wait of {wait}, past the deadline in {left:.3g} s"
            if pending.verdict is not None:
                raise self._error(pending, pending.verdict, f"gave up: {why}", expected_wait=late.seconds) from None
            raise DeadlineExceededError(
                why,
                endpoint=resource,
                outcome=Outcome.NOT_SENT,
                request_id=pending.request_id,
                expected_wait=late.seconds,
            ) from None

    def _decide(self, pending: PendingRequest, verdict: Verdict) -> Decision:
        pending.failures += not verdict.limited
        decision = decide(
            verdict,
            pending.endpoint.effect,
            failures=pending.failures,
            passed_over=pending.passed_over,
            rate_limited_for=pending.clock() - pending.rate_limited_since,
            seconds_left=pending.ends_at - pending.clock(),
            policy=pending.settings.retry,
            take_budget=self.shared.budget.take,
            jitter=random.random,
        )
        note_failure(self.shared.hooks, pending, decision.wait)
        return decision

    def _advice(self, pending: PendingRequest) -> str:
        if not self.shared.is_direct or pending.cause is None or pending.cause.sent:
            return ""
        return unread_variables(pending.cause.kind, self.config.base_url)

    def _error(
        self, pending: PendingRequest, verdict: Verdict, why: str, *, expected_wait: float | None = None
    ) -> RequestError:
        if expected_wait is None and verdict.limited:
            wait = self.shared.pacing.limiter(pending.endpoint.resource).expected_wait()
            expected_wait = max(wait or 0.0, verdict.retry_after or 0.0) or None
        reason = "; ".join(filter(None, (verdict.reason, self._advice(pending), why)))
        return pending.error(verdict, reason, expected_wait=expected_wait)

    def _decode(self, endpoint: Endpoint[R], pending: PendingRequest, verdict: Verdict) -> R:
        body = pending.response.body if pending.response else b""
        try:
            return self.codec.decode(endpoint, verdict.envelope, body)
        except UnreadableDataError as error:
            raise DecodeError(
                str(error),
                endpoint=endpoint.resource,
                outcome=Outcome.UNKNOWN,
                request_id=pending.request_id,
                attempts=tuple(pending.attempts),
                status_code=verdict.status_code,
                body=body,
            ) from error


_ACCEPTED = Outcome.ACCEPTED  # bound once: an enum lookup takes 1,000 instructions on CPython 3.11
ADMITTED = Feedback(Signal.ADMITTED)
"""Feedback of an accepted request without rate-limit fields."""


def _utc_now() -> datetime:
    return datetime.now(UTC)
