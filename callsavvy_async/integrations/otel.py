"""OpenTelemetry traces and metrics (extra ``otel``, which is `opentelemetry-api` alone).

A hook builds all of it from the events of requests. Nothing in it is personal: numbers, texts, names, keys and the API's words
are in no event. Spans and metrics follow the semantic conventions of HTTP clients; what these do not name begins with
``callsavvy.``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextvars import Token
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

import attrs
from opentelemetry import context as otel_context, metrics, trace
from opentelemetry.context import (
    _SUPPRESS_HTTP_INSTRUMENTATION_KEY as _SUPPRESS_HTTP,  # pyright: ignore[reportPrivateUsage] # as the instrumentations do
    Context,
)
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from callsavvy_async._version import __version__
from callsavvy_async.errors import Attempt, Outcome
from callsavvy_async.policy.pacer import PacerSnapshot
from callsavvy_async.resources import endpoints
from callsavvy_async.transport.hooks import (
    AttemptFailed,
    HookEvent,
    RateLimited,
    RequestSettled,
    RequestStarted,
    RequestWaiting,
)

_NAME = "callsavvy_async"
_OTHER = "_OTHER"
_LOOK_EVERY = 1.0
"""Seconds between two looks for an SDK."""
_CHANNELS = {"sendSMS": "sms", "sendRobocall": "robocall", "sendWhatsapp": "whatsapp"}
_API_ONLY = ("opentelemetry.trace", "opentelemetry.metrics")
"""Modules of the providers that do nothing; those of an SDK are in others."""


class Limits(Protocol):
    """The rate limiters of a client: `Callsavvy.pacing`."""

    def snapshot(self) -> PacerSnapshot:
        """Return the current state of the limits."""
        ...


@attrs.frozen
class _Open:
    """A request that has started and not settled."""

    span: Span
    token: Token[Context]
    endpoint: str


class OpenTelemetry:
    """A hook that traces and measures requests: ``Callsavvy(hooks=[OpenTelemetry()])``.

    Each request has a CLIENT span, with an event for each attempt and wait. It is the current span while the request runs, so
    the instrumentation of an HTTP library makes no second one. A chunk of a bulk send or campaign begins a trace; its span links
    to the span in which the run was started.

    Args:
        tracer_provider: Provider of the tracer; the global one by default.
        meter_provider: Provider of the meter; the global one by default.
        propagate: True to send the trace context to the API, as ``traceparent``. Baggage is never sent.
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        propagate: bool = True,
    ) -> None:
        self._tracer = trace.get_tracer(_NAME, __version__, tracer_provider)
        self._meter = metrics.get_meter(_NAME, __version__, meter_provider)
        self._has_sdk = any(provider is not None for provider in (tracer_provider, meter_provider))
        self._look_again = 0.0
        self._propagator = TraceContextTextMapPropagator() if propagate else None
        self._open: dict[str, _Open] = {}
        self._duration = self._meter.create_histogram(
            "callsavvy.request.duration", "s", "Duration of requests, with waits and retries, by endpoint and outcome."
        )
        self._active = self._meter.create_up_down_counter(
            "callsavvy.request.active", "{request}", "Requests that have started and not ended."
        )
        self._attempts = self._counter("callsavvy.attempts", "{attempt}", "Attempts, by endpoint, outcome and status.")
        self._waits = self._counter("callsavvy.waits", "{wait}", "Waits for the rate limiter, by reason.")
        self._limited = self._counter("callsavvy.rate_limited", "{response}", "Responses with status 429.")
        self._units = self._counter("callsavvy.units", "{unit}", "Units that the API reported as charged, by channel.")
        self._recipients = self._counter(
            "callsavvy.recipients", "{recipient}", "Recipients of bulk sends and campaigns, by channel and outcome."
        )

    def __call__(self, event: HookEvent, /) -> None:
        """Trace and measure an event."""
        if isinstance(event, RequestStarted):
            if self.is_listening:
                self._start(event)
            return
        opened = self._open.get(getattr(event, "request_id", ""))
        if opened is None:
            return
        if isinstance(event, RequestSettled):
            del self._open[event.request_id]
            self._end(event, opened)
        elif isinstance(event, AttemptFailed):
            self._note_attempt(opened, event.attempt, event.number, event.retry_in)
        elif isinstance(event, RequestWaiting):
            opened.span.add_event(
                "callsavvy.wait", {"callsavvy.wait.reason": event.why, "callsavvy.attempt": event.number}
            )
            self._waits.add(1, {"callsavvy.endpoint": opened.endpoint, "callsavvy.wait.reason": event.why})
        elif isinstance(event, RateLimited):
            self._limited.add(1, {"callsavvy.endpoint": opened.endpoint})

    def observe(self, limits: Limits) -> None:
        """Export the state of a client's limits as gauges: ``telemetry.observe(client.pacing)``.

        Args:
            limits: The rate limiters of a client. They stay referenced as long as the meter.
        """

        def gauge(name: str, unit: str, about: str, field: str) -> None:
            def read(_: CallbackOptions) -> Iterable[Observation]:
                value = getattr(limits.snapshot(), field)
                return [] if value is None else [Observation(value)]

            self._meter.create_observable_gauge(name, [read], unit, about)

        gauge("callsavvy.limit.rate", "{request}/s", "Requests per second that the limiter allows now.", "rate")
        gauge("callsavvy.limit.in_flight", "{request}", "Requests in flight.", "in_flight")
        gauge("callsavvy.limit.waiting", "{request}", "Requests that wait for their turn.", "waiting")
        gauge("callsavvy.limit.pause", "s", "Seconds left of the pause after a 429.", "shut_for")

    @property
    def is_listening(self) -> bool:
        """True if an SDK is installed. One that is installed after the client was made is noticed within a second."""
        if self._has_sdk or (now := time.monotonic()) < self._look_again:
            return self._has_sdk
        self._look_again = now + _LOOK_EVERY  # looking reads the environment, which costs more than all else
        providers = trace.get_tracer_provider(), metrics.get_meter_provider()
        self._has_sdk = not all(type(provider).__module__.startswith(_API_ONLY) for provider in providers)
        return self._has_sdk

    def _counter(self, name: str, unit: str, about: str) -> metrics.Counter:
        return self._meter.create_counter(name, unit, about)

    def _start(self, event: RequestStarted) -> None:
        endpoint, chunk = _bounded(event.endpoint), event.chunk
        attributes: dict[str, AttributeValue] = {
            "http.request.method": "POST",
            "callsavvy.request_id": event.request_id,
            "callsavvy.endpoint": endpoint,
            **_place(event.url, known=endpoint != _OTHER),
        }
        parent, links = otel_context.get_current(), list[Link]()
        if chunk is not None:  # a run of hours would be a trace of a million spans
            attributes.update({"callsavvy.chunk": chunk.number, "callsavvy.recipients": chunk.recipients})
            if chunk.campaign is not None and chunk.run is not None:
                attributes.update({"callsavvy.campaign": chunk.campaign, "callsavvy.run": chunk.run})
            around = trace.get_current_span(parent).get_span_context()
            links = [Link(around)] if around.is_valid else []
            parent = trace.set_span_in_context(INVALID_SPAN, parent)
        name = "POST" if endpoint == _OTHER else f"POST {endpoint}"
        span = self._tracer.start_span(name, parent, SpanKind.CLIENT, attributes, links)
        inside = otel_context.set_value(_SUPPRESS_HTTP, True, trace.set_span_in_context(span, parent))
        if self._propagator is not None:
            self._propagator.inject(event.headers, inside)
        self._open[event.request_id] = _Open(span, otel_context.attach(inside), endpoint)
        self._active.add(1, {"callsavvy.endpoint": endpoint})

    def _note_attempt(self, opened: _Open, attempt: Attempt, number: int, retry_in: float | None = None) -> None:
        facts: dict[str, AttributeValue] = {"callsavvy.outcome": attempt.outcome.value}
        if attempt.status_code is not None:
            facts["http.response.status_code"] = attempt.status_code
        self._attempts.add(1, {"callsavvy.endpoint": opened.endpoint, **facts})
        facts.update({"callsavvy.attempt": number, "callsavvy.attempt.seconds": attempt.seconds})
        if retry_in is not None:
            facts["callsavvy.retry_in"] = retry_in
        opened.span.add_event("callsavvy.attempt", facts)

    def _end(self, event: RequestSettled, opened: _Open) -> None:
        otel_context.detach(opened.token)
        span, attempts, outcome = opened.span, event.attempts, event.outcome
        last = attempts[-1] if attempts else None
        if last is not None and last.outcome is Outcome.ACCEPTED:
            self._note_attempt(opened, last, len(attempts))
        span.set_attribute("callsavvy.outcome", outcome.value)
        if len(attempts) > 1:
            span.set_attribute("http.request.resend_count", len(attempts) - 1)
        if last is not None and last.status_code is not None:
            span.set_attribute("http.response.status_code", last.status_code)
        if outcome is not Outcome.ACCEPTED:
            span.set_attribute("error.type", _error_type(event, last))
            span.set_status(Status(StatusCode.ERROR))
        span.end()
        self._measure(event, opened.endpoint)

    def _measure(self, event: RequestSettled, endpoint: str) -> None:
        labels = {"callsavvy.endpoint": endpoint, "callsavvy.outcome": event.outcome.value}
        self._active.add(-1, {"callsavvy.endpoint": endpoint})
        self._duration.record(event.seconds, labels)
        channel, chunk = _CHANNELS.get(endpoint), event.chunk
        if channel is not None and event.cost is not None:
            self._units.add(float(event.cost), {"callsavvy.channel": channel})
        if channel is not None and chunk is not None:
            kind = "bulk" if chunk.campaign is None else "campaign"
            about = {"callsavvy.channel": channel, "callsavvy.outcome": event.outcome.value, "callsavvy.send": kind}
            self._recipients.add(chunk.recipients, about)


def _bounded(endpoint: str) -> str:
    """Return the name of an endpoint of the API document. `Callsavvy.request` takes any text."""
    return endpoint if endpoint in _known() else _OTHER


@lru_cache(1)
def _known() -> frozenset[str]:
    return frozenset(endpoints())


@lru_cache(64)
def _place(url: str, *, known: bool) -> dict[str, AttributeValue]:
    """Return where a request goes; its path only if it is one of the API document."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    place: dict[str, AttributeValue] = {"server.address": parts.hostname or "", "server.port": port}
    return {**place, "url.full": url} if known else place


def _error_type(event: RequestSettled, last: Attempt | None) -> str:
    if event.cancelled:
        return "cancelled"
    if last is not None and last.status_code is not None:
        return str(last.status_code)
    return event.outcome.value
