"""One call on its way: what was asked, what was tried, what is known so far."""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs

from callsavvy_async.config import RequestSettings
from callsavvy_async.errors import Attempt, Outcome
from callsavvy_async.policy.outcome import Verdict
from callsavvy_async.transport.clock import Clock
from callsavvy_async.transport.request_context import RequestContext
from callsavvy_async.wire.endpoint import Endpoint
from callsavvy_async.wire.failure import ExchangeFailedError
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse


@attrs.define(eq=False)
class PendingRequest:
    """One call, from its first attempt to its end.

    Attributes:
        endpoint: what is called.
        params: under their wire names, as the request began.
        request: the same for every attempt, unless `context` settles parts of it late.
        settings: the client's, with the request's options over them.
        clock: of the event loop that it runs in.
        began: by its clock.
        ends_at: its deadline, by its clock; inf for none.
        context: of whoever follows the requests of this task.
        is_observed: whether anybody wants to hear how it begins and ends.
        attempts: every try so far.
        failures: how many of them count against `max_retries`.
        rate_limit_count: how many of them were refused with 429.
        passed_over: how many of those rate_limit_count had others admitted since the one before.
        admitted: how many requests had been admitted when it was last refused.
        rate_limited_since: when it was first refused, or anybody was last admitted since then, by its clock.
        on_wire: whether a request has left whose verdict is not known yet.
        response: the last answer.
        verdict: of the last attempt.
        cause: what broke the last attempt, when no whole answer came.
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

    def on_rate_limited(self, now: float, *, admitted: int) -> None:
        """Note a refusal by 429; `admitted` counts the requests of the same limit that were not refused so far."""
        others_pass = self.rate_limit_count > 0 and admitted > self.admitted
        self.passed_over += others_pass
        if others_pass or not self.rate_limit_count:
            self.rate_limited_since = now
        self.rate_limit_count += 1
        self.admitted = admitted

    @property
    def outcome_if_cancelled(self) -> Outcome:
        """What is known of a request that nobody waits for any more."""
        if self.on_wire:
            return Outcome.UNKNOWN
        return self.attempts[-1].outcome if self.attempts else Outcome.NOT_SENT

    def completed(self) -> None:
        """Note that nothing is on the wire any more."""
        self.on_wire = False
        if self.context is not None:
            self.context.completed()

    def record_attempt(self, verdict: Verdict, seconds: float) -> None:
        """Note an attempt that took `seconds`: it has its verdict, and nothing is on the wire any more."""
        if self.context is None:
            self.on_wire = False
        else:
            self.completed()
        self.verdict = verdict
        self.attempts.append(Attempt(verdict.outcome, verdict.reason, seconds, verdict.status_code))
