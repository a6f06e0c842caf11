"""The identifier of a request: one for its events, log lines, errors, raw response and journal row."""

from __future__ import annotations

import json
import logging
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from callsavvy_async import Callsavvy, DeadlineExceededError, OutcomeUnknownError, RequestError, Unlimited
from callsavvy_async.hooks import (
    AttemptFailed,
    HookEvent,
    RateLimited,
    RequestSettled,
    RequestStarted,
    RequestWaiting,
    SharedLimitLost,
    SharedLimitRestored,
)
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse
from callsavvy_async.wire.response_headers import Headers
from tests.profiles import sized

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(quick_virtual_time: object) -> object:
    """Waits take no time."""
    return quick_virtual_time


Response = Callable[..., httpx.Response]
NUMBER = "+2348012345678"


def is_id(text: str) -> bool:
    return len(text) == 16 and set(text) <= set("0123456789abcdef")


class Fickle:
    """A backend that fails at random."""

    is_open = False

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        await anyio.sleep(self.chance.random())
        status = self.chance.choices([200, 429, 500, 422], [20, 1, 4, 1])[0]
        body = {"status": "success" if status == 200 else "error", "data": {}}
        return HttpResponse(status, Headers([(b"retry-after", b"1")]), json.dumps(body).encode())

    async def aclose(self) -> None:
        pass


async def mixed_requests(seed: int, requests: int) -> tuple[list[HookEvent], list[RequestError]]:
    """Send requests at once to a server that fails at random; return all events as they came, and the errors."""
    events: list[HookEvent] = []
    errors: list[RequestError] = []
    client = Callsavvy(public_key="p", private_key="q", backend=Fickle(seed), hooks=[events.append], pacing=Unlimited())

    async def send(number: int) -> None:
        try:
            await (client.account.summary() if number % 2 else client.messaging.send_sms(NUMBER, "Hi"))
        except RequestError as error:
            errors.append(error)

    async with client, anyio.create_task_group() as group:
        for number in range(requests):
            group.start_soon(send, number)
    return events, errors


def check_stream(stream: list[HookEvent]) -> RequestSettled:
    """Check that events are the whole story of one request, and return its last."""
    first, *middle, last = stream
    assert isinstance(first, RequestStarted)
    assert isinstance(last, RequestSettled)
    assert is_id(first.request_id)
    number, failures = 1, []
    for event in middle:
        assert isinstance(event, RequestWaiting | RateLimited | AttemptFailed)
        assert event.number == number
        if isinstance(event, AttemptFailed):
            failures.append(event.attempt)
            number += event.retry_in is not None
    assert len(last.attempts) == number
    assert [attempt for attempt in last.attempts if attempt.status_code != 200] == failures
    return last


@given(seed=st.integers(0, 2**32))
@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck))
async def test_the_streams_of_interleaved_requests_reassemble(caplog: pytest.LogCaptureFixture, seed: int) -> None:
    """Sorted by `request_id`, the mixed events of many requests are as many whole stories, and so are their log lines."""
    caplog.clear()
    caplog.set_level(logging.DEBUG, "callsavvy_async")
    requests = sized(1_000, quick=300)
    events, errors = await mixed_requests(seed, requests)
    streams: dict[str, list[HookEvent]] = defaultdict(list)
    for event in events:
        assert not isinstance(event, SharedLimitLost | SharedLimitRestored)
        streams[event.request_id].append(event)
    assert len(streams) == requests
    ends = {request_id: check_stream(stream) for request_id, stream in streams.items()}
    assert len({error.request_id for error in errors}) == len(errors) > 0
    for error in errors:
        assert ends[error.request_id].attempts == error.attempts
        assert ends[error.request_id].outcome is error.outcome
    lines: dict[str, list[str]] = defaultdict(list)
    for record in caplog.records:
        lines[vars(record)["request_id"]].append(record.getMessage())
    assert lines == {request_id: [str(event) for event in stream] for request_id, stream in streams.items()}


async def test_a_raw_response_has_it(scripted: Any, ok: Response, refusal: Response) -> None:
    """The result of one method with its metadata: identifier, attempts and seconds."""
    events: list[HookEvent] = []
    client = scripted(refusal(500), ok(), hooks=[events.append])
    raw = await client.with_raw_response(client.account.summary)
    (settled,) = (event for event in events if isinstance(event, RequestSettled))
    assert (raw.request_id, raw.attempts) == (settled.request_id, settled.attempts)
    assert raw.seconds >= settled.seconds


async def test_every_error_has_it_without_hooks(scripted: Any, ok: Response, refusal: Response) -> None:
    """An error can be looked up also if nobody observed the request, and its text is the same for equal errors."""
    client = scripted(refusal(500))
    with pytest.raises(OutcomeUnknownError) as first:
        await client.messaging.send_sms(NUMBER, "Hi")
    with pytest.raises(OutcomeUnknownError) as second:
        await client.messaging.send_sms(NUMBER, "Hi")
    assert is_id(first.value.request_id)
    assert first.value.request_id != second.value.request_id
    assert str(first.value) == str(second.value)
    late = scripted(ok(), rate="1/min", deadline=1)
    await late.account.summary()
    with pytest.raises(DeadlineExceededError) as caught:
        await late.account.summary()
    assert is_id(caught.value.request_id)


async def test_a_hook_adds_header_fields_to_every_attempt(scripted: Any, ok: Response, refusal: Response) -> None:
    """Trace context travels with each attempt of its request, and with no other request."""

    def add(event: HookEvent) -> None:
        if isinstance(event, RequestStarted) and event.endpoint == "getSummary":
            event.headers["traceparent"] = f"00-{event.request_id}"

    client = scripted(refusal(500), ok(), hooks=[add])
    await client.account.summary()
    await client.contacts.list()
    sent = [request.headers.get("traceparent") for request in scripted.answers.requests]
    assert sent[0] == sent[1] != sent[2] is None


@pytest.mark.parametrize("field", [("x", "1\r\ny: 2"), ("Private-Key", "other"), ("content-length", "0"), ("a b", "1")])
async def test_a_header_field_of_a_hook_cannot_break_a_request(
    scripted: Any, ok: Response, caplog: pytest.LogCaptureFixture, field: tuple[str, str]
) -> None:
    """A field that would smuggle another, or replace one of the SDK's, is logged and left out; the request goes on."""

    def add(event: HookEvent) -> None:
        if isinstance(event, RequestStarted):
            event.headers.update([field])

    await scripted(ok(), hooks=[add]).account.summary()
    (request,) = scripted.answers.requests
    assert request.headers.get(field[0]) != field[1]
    assert "are not sent" in caplog.text
    assert field[1] not in caplog.text or field[1] in {"0", "1"}
