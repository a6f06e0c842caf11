"""The state of one request: its parameters, its attempts and its latest verdict."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping

import attrs

from callsavvy_async.config import RequestSettings
from callsavvy_async.errors import Attempt, Outcome, RequestError
from callsavvy_async.policy.outcome import Verdict, error_type
from callsavvy_async.transport.clock import Clock
from callsavvy_async.transport.request_context import BulkChunk, RequestContext
from callsavvy_async.wire.endpoint import Endpoint
from callsavvy_async.wire.failure import ExchangeFailedError
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse


@attrs.define(eq=False)
class PendingRequest:
    """One request, from its first attempt to its end. All times are on its clock.

    Attributes:
        endpoint: Endpoint of the request.
        params: Parameters under their wire names.
        request: HTTP request, the same for each attempt unless `context` changes its parameters late.
        settings: Settings of the client, overridden by the request's options.
        clock: Clock of its event loop.
        began: Start time.
        ends_at: Deadline; infinity for none.
        context: Context of the task that sends it.
        is_observed: True if hooks receive its start and end.
        attempts: Attempts so far.
        failures: Number of attempts that count against `max_retries`.
        rate_limit_count: Number of attempts that received a 429.
        passed_over: Number of 429s with other requests admitted since the 429 before.
        admitted: Number of requests of the limit that had been admitted at the last 429.
        rate_limited_since: Time of the first 429, or of the first one after another request was admitted.
        on_wire: True while an attempt is in flight.
        response: Last response.
        verdict: Verdict on the last attempt.
        cause: Failure of the last attempt without a complete response.
    """

    endpoint: Endpoint[object]
    params: Mapping[str, str | None]
    request: HttpRequest
    settings: RequestSettings
    clock: Clock
    began: float
    ends_at: float
    context: RequestContext | None
    is_observed: bool
    attempts: list[Attempt] = attrs.field(factory=list[Attempt])
    failures: int = 0
    rate_limit_count: int = 0
    passed_over: int = 0
    admitted: int = 0
    rate_limited_since: float = math.inf
    on_wire: bool = False
    response: HttpResponse | None = None
    verdict: Verdict | None = None
    cause: ExchangeFailedError | None = None
    _request_id: str = ""

    @property
    def request_id(self) -> str:
        """Identifier in events, errors, logs and the journal. It is drawn when first needed: few requests are observed."""
        if not self._request_id:
            given = "" if self.context is None else self.context.request_id
            self._request_id = given or secrets.token_hex(8)
        return self._request_id

    @property
    def chunk(self) -> BulkChunk | None:
        """The chunk that it carries, for a request of a bulk send."""
        return None if self.context is None else self.context.chunk

    @property
    def number(self) -> int:
        """Number of the next attempt, or of the one in flight, from 1."""
        return len(self.attempts) + 1

    def on_rate_limited(self, now: float, *, admitted: int) -> None:
        """Record a 429; `admitted` is the number of requests of the same limit that were admitted so far."""
        others_pass = self.rate_limit_count > 0 and admitted > self.admitted
        self.passed_over += others_pass
        if others_pass or not self.rate_limit_count:
            self.rate_limited_since = now
        self.rate_limit_count += 1
        self.admitted = admitted

    @property
    def outcome_if_cancelled(self) -> Outcome:
        """Outcome of the request if it is cancelled now."""
        if self.on_wire:
            return Outcome.UNKNOWN
        return self.attempts[-1].outcome if self.attempts else Outcome.NOT_SENT

    def error(self, verdict: Verdict, reason: str, *, expected_wait: float | None) -> RequestError:
        """Return the error to raise for a verdict."""
        return error_type(verdict, self.endpoint.effect)(
            reason,
            endpoint=self.endpoint.resource,
            request_id=self.request_id,
            outcome=verdict.outcome,
            attempts=tuple(self.attempts),
            status_code=verdict.status_code,
            message=verdict.message,
            retry_after=verdict.retry_after,
            expected_wait=expected_wait,
            body=self.response.body if self.response and verdict.status_code else None,
        )

    def completed(self) -> None:
        """Record the end of an attempt."""
        self.on_wire = False
        if self.context is not None:
            self.context.completed()

    def record_attempt(self, verdict: Verdict, seconds: float) -> None:
        """Record the verdict on an attempt that took `seconds`."""
        if self.context is None:
            self.on_wire = False
        else:
            self.completed()
        self.verdict = verdict
        self.attempts.append(Attempt(verdict.outcome, verdict.reason, seconds, verdict.status_code))
