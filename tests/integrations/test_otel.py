"""Traces and metrics of requests: the OpenTelemetry SDK is the witness."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from opentelemetry import baggage, context, trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from callsavvy_async import BadRequestError, Callsavvy, CallsavvyError, OutcomeUnknownError, Unlimited
from callsavvy_async.campaigns import Journal
from callsavvy_async.integrations.otel import OpenTelemetry
from callsavvy_async.messages import SMS

pytestmark = pytest.mark.anyio
Response = Callable[..., httpx.Response]
NUMBER = "+2348012345678"


class Telemetry:
    """An SDK in memory, and the hook that fills it."""

    def __init__(self, *, propagate: bool = True) -> None:
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        meters = MeterProvider([self.reader])
        self.hook = OpenTelemetry(tracer_provider=self.provider, meter_provider=meters, propagate=propagate)
        self.tracer = self.provider.get_tracer("test")

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans of requests, in the order of their ends."""
        return [span for span in self.exporter.get_finished_spans() if span.kind is trace.SpanKind.CLIENT]

    def metrics(self) -> dict[str, dict[tuple[tuple[str, object], ...], float]]:
        """Return the value of each metric by its attributes; of a histogram the count."""
        data = self.reader.get_metrics_data()
        found: dict[str, dict[tuple[tuple[str, object], ...], float]] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found[metric.name] = {
                        tuple(sorted((point.attributes or {}).items())): getattr(point, "count", None)
                        or getattr(point, "value", 0)
                        for point in metric.data.data_points
                    }
        return found


@pytest.fixture
def telemetry() -> Telemetry:
    """Make an SDK for one test."""
    return Telemetry()


async def test_a_request_is_a_client_span(scripted: Any, ok: Response, refusal: Response, telemetry: Telemetry) -> None:
    """A request is one CLIENT span with the attributes of HTTP's conventions, and each attempt is an event in it."""
    client = scripted(refusal(500), ok(), hooks=[telemetry.hook])
    with telemetry.tracer.start_as_current_span("caller") as caller:
        raw = await client.with_raw_response(client.account.summary)
    (span,) = telemetry.spans
    assert span.name == "POST getSummary"
    assert span.parent == caller.get_span_context()
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "http.request.resend_count": 1,
        "http.response.status_code": 200,
        "server.address": scripted.answers.requests[0].url.host,
        "server.port": 443,
        "url.full": str(scripted.answers.requests[0].url),
        "callsavvy.endpoint": "getSummary",
        "callsavvy.outcome": "accepted",
        "callsavvy.request_id": raw.request_id,
    }
    attempts = [event.attributes or {} for event in span.events if event.name == "callsavvy.attempt"]
    assert [(one["callsavvy.attempt"], one["callsavvy.outcome"]) for one in attempts] == [
        (1, "unknown"),
        (2, "accepted"),
    ]
    assert span.status.is_unset


async def test_a_failure_is_an_error_of_low_cardinality(scripted: Any, refusal: Response, telemetry: Telemetry) -> None:
    """A failed request's span has the status ERROR, without a text, and the HTTP status as `error.type`."""
    with pytest.raises(BadRequestError):
        await scripted(refusal(422), hooks=[telemetry.hook]).messaging.send_sms(NUMBER, "Hi")
    (span,) = telemetry.spans
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.status.description is None
    assert (span.attributes or {})["error.type"] == "422"


async def test_trace_context_reaches_the_server_and_baggage_does_not(scripted: Any, ok: Response) -> None:
    """The API gets `traceparent` of the request's span; baggage, which may hold anything, stays here."""
    telemetry, quiet = Telemetry(), Telemetry(propagate=False)
    token = context.attach(baggage.set_baggage("user", NUMBER))
    try:
        client = scripted(ok(), hooks=[telemetry.hook])
        await client.account.summary()
        (sent,) = scripted.answers.requests
        await scripted(ok(), hooks=[quiet.hook]).account.summary()
    finally:
        context.detach(token)
    span = telemetry.spans[0].context
    assert span is not None
    assert sent.headers["traceparent"].startswith(f"00-{span.trace_id:032x}-{span.span_id:016x}-")
    assert "baggage" not in sent.headers
    assert "traceparent" not in scripted.answers.requests[0].headers


async def test_an_instrumented_httpx_makes_no_second_span(ok: Response, telemetry: Telemetry) -> None:
    """Where httpx is instrumented too, a request is still one span; httpx's own requests keep theirs."""
    brought = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: ok()))
    HTTPXClientInstrumentor.instrument_client(brought, tracer_provider=telemetry.provider)
    async with brought:
        client = Callsavvy(public_key="p", private_key="q", http_client=brought, hooks=[telemetry.hook])
        await client.account.summary()
        assert [span.name for span in telemetry.spans] == ["POST getSummary"]
        await brought.get("https://other.example")
    assert len(telemetry.spans) == 2


async def test_a_chunk_begins_a_trace_and_links_to_its_run(
    scripted: Any, ok: Response, telemetry: Telemetry, tmp_path: Path
) -> None:
    """A run of hours is not one trace: each chunk has its own, linked to the span around the run, with the numbers of both."""
    client = scripted(ok({"cost": "4"}), hooks=[telemetry.hook])
    async with Journal.open(f"sqlite:///{tmp_path / 'c.db'}") as journal, client:
        campaign = await journal.campaign("c", SMS("Hi"), chunk_size=1)
        await campaign.load([NUMBER, "+2348012345679"])
        with telemetry.tracer.start_as_current_span("run") as run:
            await campaign.run(client)
    spans = [span for span in telemetry.spans if span.name == "POST sendSMS"]
    assert len({span.context.trace_id for span in spans if span.context}) == 2
    for span in spans:
        assert span.parent is None
        assert [link.context for link in span.links] == [run.get_span_context()]
    numbers = [
        [(span.attributes or {})[f"callsavvy.{name}"] for name in ("campaign", "run", "chunk")] for span in spans
    ]
    assert sorted(numbers) == [[1, 1, 1], [1, 1, 2]]
    metrics = telemetry.metrics()
    assert list(metrics["callsavvy.recipients"].values()) == [2]
    assert metrics["callsavvy.units"] == {(("callsavvy.channel", "sms"),): 8}


async def test_metrics(scripted: Any, ok: Response, refusal: Response, telemetry: Telemetry) -> None:
    """Requests, attempts, waits, 429s, outcomes, and what the limiter believes; nothing stays in flight."""
    script = refusal(429, retry_after="0.5"), ok({"cost": "4.5"}), refusal(500)
    client = scripted(*script, hooks=[telemetry.hook], pacing=Unlimited())
    telemetry.hook.observe(client.pacing)
    await client.messaging.send_sms(NUMBER, "Hi")
    with pytest.raises(OutcomeUnknownError):
        await client.messaging.send_sms(NUMBER, "Hi")
    metrics = telemetry.metrics()
    requests = {
        dict(names)["callsavvy.outcome"]: count for names, count in metrics["callsavvy.request.duration"].items()
    }
    assert requests == {"accepted": 1, "unknown": 1}
    assert sum(metrics["callsavvy.attempts"].values()) == 3
    assert sum(metrics["callsavvy.rate_limited"].values()) == 1
    assert sum(metrics["callsavvy.waits"].values()) == 1
    assert set(metrics["callsavvy.request.active"].values()) == {0}
    assert metrics["callsavvy.units"] == {(("callsavvy.channel", "sms"),): 4.5}
    assert {"callsavvy.limit.in_flight", "callsavvy.limit.waiting", "callsavvy.limit.pause"} <= metrics.keys()


async def test_a_cancelled_request_ends_its_span(telemetry: Telemetry) -> None:
    """Cancellation ends the span, and the caller's span is the current one again."""
    client = Callsavvy(
        public_key="p",
        private_key="q",
        transport=httpx.MockTransport(lambda _: anyio.sleep(60)),  # type: ignore[arg-type,return-value]
        hooks=[telemetry.hook],
    )
    with anyio.move_on_after(0.05):
        await client.account.summary()
    (span,) = telemetry.spans
    assert (span.attributes or {})["error.type"] == "cancelled"
    assert trace.get_current_span() is trace.INVALID_SPAN


personal = st.from_regex(r"zq[a-z]{6}", fullmatch=True)


@given(word=personal, digits=st.integers(10**9, 10**10 - 1), status=st.sampled_from([200, 400, 401, 422, 429, 500]))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
async def test_nothing_personal_is_exported(word: str, digits: int, status: int) -> None:
    """No number, text, name, key, resource of a user or word of the API is in a span or a metric, whatever happens."""
    telemetry, number = Telemetry(), f"+234{digits}"
    body = {"status": "success" if status == 200 else "error", "message": f"{word} {number}", "data": {word: number}}
    response = httpx.Response(status, json=body, headers={"retry-after": "0"})
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=body, headers=dict(response.headers)))
    client = Callsavvy(
        public_key=f"pk{word}", private_key=f"sk{word}", transport=transport, hooks=[telemetry.hook], deadline=0.05
    )
    sends: list[Callable[[], Any]] = [
        lambda: client.messaging.send_sms(number, f"Hi {word}", sender_id=word),
        lambda: client.contacts.create(word, email=f"{word}@x.example", phone=number),
        lambda: client.request(f"get{word}", {"name": word}),
    ]
    for send in sends:
        with suppress(CallsavvyError):
            await send()
    data = telemetry.reader.get_metrics_data()
    exported = "\n".join([span.to_json() for span in telemetry.spans] + [data.to_json() if data else ""])
    assert len(telemetry.spans) == len(sends)
    assert word not in exported
    assert str(digits) not in exported


async def test_cardinality_is_bounded(scripted: Any, ok: Response, telemetry: Telemetry) -> None:
    """However many resources a program names, those that the API document does not have share one label and one span name."""
    client = scripted(ok(), hooks=[telemetry.hook])
    for number in range(20):
        await client.request(f"resource{number}")
    assert Counter(span.name for span in telemetry.spans) == {"POST": 20}
    assert {len(points) for points in telemetry.metrics().values()} == {1}


WITHOUT_SDK = """
import json, sys, time
from callsavvy_async.integrations.otel import OpenTelemetry
from callsavvy_async.transport.hooks import Hooks, log_event

hooks = Hooks((log_event, OpenTelemetry()))

def one_round(times=2_000):
    began = time.process_time()
    for _ in range(times):
        assert not hooks.listening
    return (time.process_time() - began) / times

one_round()
print(json.dumps([min(one_round() for _ in range(20)) * 1e6, "opentelemetry.sdk" in sys.modules]))
"""


def test_it_costs_little_without_an_sdk() -> None:
    """A library may add the hook always: without an SDK no event is made for it, and a request pays at most 5 microseconds."""
    done = subprocess.run([sys.executable, "-c", WITHOUT_SDK], capture_output=True, text=True, check=True, timeout=60)
    microseconds, has_sdk = json.loads(done.stdout)
    assert not has_sdk
    assert microseconds <= 5
