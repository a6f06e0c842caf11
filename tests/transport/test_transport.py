"""The loop of a call, in virtual time: tries, waits, deadlines, cancellation, and what the hooks are told."""

from __future__ import annotations

import itertools
import pickle
import random
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from callsavvy_async import (
    BadRequestError,
    Callsavvy,
    ClientClosedError,
    ConfigurationError,
    ConnectError,
    DeadlineExceededError,
    DecodeError,
    FixedRate,
    NotSentError,
    Outcome,
    OutcomeUnknownError,
    RateLimitError,
    RedirectError,
    RequestTimeoutError,
    ResponseTooLargeError,
    ServerError,
    Unlimited,
)
from callsavvy_async.hooks import AttemptFailed, HookEvent, RateLimited, RequestSettled, RequestStarted, RequestWaiting
from callsavvy_async.policy.feedback import Feedback, Permit
from callsavvy_async.transport.request_context import RequestContext, current_context

pytestmark = [pytest.mark.anyio]

NUMBER = "+2348012345678"
Response = Callable[..., httpx.Response]


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    """Every test here runs in virtual time."""
    return virtual_time


@pytest.fixture(autouse=True)
def whole_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the longest back-off, so that waits are known: 0.5, 1, 2, ... seconds."""
    monkeypatch.setattr(random, "random", lambda: 1.0)


class Network(httpx.AsyncBaseTransport):
    """A network whose every exchange is an async function of the request, one after the other, the last for ever."""

    def __init__(self, *script: Callable[[httpx.Request], Any]) -> None:
        self.script = script
        self.posts = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        step = self.script[min(self.posts, len(self.script) - 1)]
        self.posts += 1
        response: httpx.Response = await step(request)
        return response


def over(network: Network, **options: Any) -> Callsavvy:
    return Callsavvy(public_key="p", private_key="q", transport=network, **options)


async def take(request: httpx.Request) -> bytes:
    """Take the body, as a server would."""
    return b"".join([piece async for piece in request.stream])


async def succeed(request: httpx.Request) -> httpx.Response:
    await take(request)
    return httpx.Response(200, json={"status": "success", "data": {"status": "sent"}})


def after(seconds: float, then: Callable[[httpx.Request], Any] = succeed) -> Callable[[httpx.Request], Any]:
    async def step(request: httpx.Request) -> httpx.Response:
        await take(request)
        await anyio.sleep(seconds)
        return httpx.Response(200, json={"status": "success"}) if then is succeed else await then(request)

    return step


def never_reached(error: Exception) -> Callable[[httpx.Request], Any]:
    async def step(_: httpx.Request) -> httpx.Response:
        raise error

    return step


# ------------------------------------------------------------------------------------------------------ proof


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("refused"), httpx.ConnectTimeout("late"), httpx.PoolTimeout("full")]
)
async def test_what_was_never_asked_for_is_sent_again(error: Exception) -> None:
    """A paid call whose body nobody asked for is repeated, and posted once in the end."""
    network = Network(never_reached(error), never_reached(error), succeed)
    receipt = await over(network).messaging.send_sms(NUMBER, "Hi")
    assert receipt.status == "sent"
    assert network.posts == 3


async def test_no_exceptions_name_is_trusted() -> None:
    """A transport that calls a drop after sending a connect error is not believed: the body was asked for."""

    async def lie(request: httpx.Request) -> httpx.Response:
        await take(request)
        raise httpx.ConnectError("connection refused")

    network = Network(lie, succeed)
    with pytest.raises(OutcomeUnknownError):
        await over(network).messaging.send_sms(NUMBER, "Hi")
    assert network.posts == 1


async def test_a_transport_that_replays_cannot_send_twice() -> None:
    """The body is given out once: a transport underneath that repeats by itself fails instead of charging again."""
    delivered: list[bytes] = []

    async def replaying(request: httpx.Request) -> httpx.Response:
        delivered.append(await take(request))
        delivered.append(await take(request))
        return httpx.Response(200, json={"status": "success"})

    with pytest.raises(OutcomeUnknownError) as caught:
        await over(Network(replaying)).messaging.send_sms(NUMBER, "Hi")
    assert len(delivered) == 1
    assert "BodyReadTwiceError" in caught.value.reason


async def test_not_sent_that_stays() -> None:
    """A connection that never comes is given up after the retries, as safe to resend, with every try."""
    with pytest.raises(ConnectError, match="gave up after 3 retries") as caught:
        await over(Network(never_reached(httpx.ConnectError("refused")))).messaging.send_sms(NUMBER, "Hi")
    assert caught.value.safe_to_resend
    assert [attempt.outcome for attempt in caught.value.attempts] == [Outcome.NOT_SENT] * 4
    assert anyio.current_time() == pytest.approx(0.5 + 1 + 2)


@pytest.mark.parametrize("error", [httpx.InvalidURL("odd"), httpx.UnsupportedProtocol("gopher")])
async def test_a_url_that_cannot_be_used_is_not_tried_again(error: Exception) -> None:
    """Nothing was sent, and nothing will be."""
    network = Network(never_reached(error))
    with pytest.raises(NotSentError) as caught:
        await over(network).messaging.send_sms(NUMBER, "Hi")
    assert type(caught.value) is NotSentError
    assert network.posts == 1


async def test_a_certificate_is_not_tried_again() -> None:
    """A refused certificate stays refused."""
    network = Network(never_reached(httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")))
    with pytest.raises(ConnectError, match="certificate was refused"):
        await over(network).account.summary()
    assert network.posts == 1


# ------------------------------------------------------------------------------------------------ time and retries


async def test_backoff_in_time(scripted: Any, ok: Response, refusal: Response) -> None:
    """The waits are those of the policy."""
    await scripted(refusal(500), refusal(502), refusal(504), ok()).account.summary()
    assert anyio.current_time() == pytest.approx(0.5 + 1 + 2)


async def test_retry_after_is_kept(scripted: Any, ok: Response, refusal: Response) -> None:
    """A 503 with Retry-After is repeated then, not before; a paid call too."""
    await scripted(refusal(503, retry_after="7"), ok()).messaging.send_sms(NUMBER, "Hi")
    assert anyio.current_time() == pytest.approx(7)


async def test_options_of_one_call(scripted: Any, refusal: Response) -> None:
    """max_retries, deadline and timeout of a call overrule the client's."""
    client = scripted(refusal(500))
    with pytest.raises(ServerError) as caught:
        await client.account.summary(max_retries=0)
    assert len(caught.value.attempts) == 1
    with pytest.raises(ServerError, match="pass the deadline") as caught:
        await client.account.summary(deadline=1.2, max_retries=9)
    assert len(caught.value.attempts) == 2
    with pytest.raises(ConfigurationError, match="no option 'tiemout'"):
        await client.account.summary(tiemout=1)


async def test_with_options(scripted: Any, ok: Response, refusal: Response) -> None:
    """A derived client has other options and the same connections, limit and budget."""
    client = scripted(refusal(500), ok())
    derived = client.with_options(max_retries=0, extra={"beta": "1"})
    with pytest.raises(ServerError):
        await derived.account.summary()
    await client.account.summary(extra={"gamma": "2"})
    assert [request.content for request in scripted.requests] == [b'{"beta":"1"}', b'{"gamma":"2"}']
    await derived.aclose()
    with pytest.raises(ClientClosedError):
        await client.account.summary()


async def test_an_attempt_times_out() -> None:
    """The timeout is one attempt's, connecting and reading included; a read is tried again."""
    network = Network(after(60), after(0))
    await over(network, timeout=2).account.summary()
    assert anyio.current_time() == pytest.approx(2 + 0.5)
    with pytest.raises(RequestTimeoutError, match="5 s"):
        await over(Network(after(60)), timeout=5, max_retries=0).account.summary()


async def test_the_deadline_bounds_the_last_attempt() -> None:
    """No attempt outlives the call's deadline."""
    with pytest.raises(OutcomeUnknownError):
        await over(Network(after(60)), timeout=30, deadline=3).messaging.send_sms(NUMBER, "Hi")
    assert anyio.current_time() == pytest.approx(3)


async def test_a_deadline_that_cannot_be_kept_is_told_before_sending() -> None:
    """A call that the limiter would keep too long is refused at once, not sent."""
    network = Network(succeed)
    client = over(network, rate="1/min")
    await client.messaging.send_sms(NUMBER, "Hi")
    with pytest.raises(DeadlineExceededError, match="60 s, past the deadline in 10 s") as caught:
        await client.messaging.send_sms(NUMBER, "Hi", deadline=10)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert isinstance(caught.value, TimeoutError)
    assert anyio.current_time() == 0
    assert network.posts == 1


async def test_no_deadline(scripted: Any, ok: Response, refusal: Response) -> None:
    """With deadline=None it waits as long as the API asks."""
    await scripted(refusal(429, retry_after="5000"), ok(), deadline=None).messaging.send_sms(NUMBER, "Hi")
    assert anyio.current_time() == pytest.approx(5000)


async def test_a_429_that_stays_ends_with_the_deadline(scripted: Any, refusal: Response) -> None:
    """Refusals do not use up the retries: they last until the deadline, and the last refusal is told."""
    with pytest.raises(RateLimitError, match="gave up: a wait of 10 s would pass the deadline") as caught:
        await scripted(refusal(429, retry_after="10"), max_retries=0, deadline=55).messaging.send_sms(NUMBER, "Hi")
    assert len(caught.value.attempts) == 6
    assert caught.value.safe_to_resend
    assert caught.value.retry_after == 10


async def test_a_429_without_retry_after_pauses_longer_and_longer(scripted: Any, refusal: Response) -> None:
    """Told what to keep to, 1, 2, 4, ... s; if the pause would pass the deadline the refusal is told, with the limit's words."""
    with pytest.raises(RateLimitError, match="the rate limiter expects a wait of 16 s") as caught:
        await scripted(refusal(429), deadline=20, pacing=Unlimited()).account.summary()
    assert len(caught.value.attempts) == 5
    assert anyio.current_time() == pytest.approx(1 + 2 + 4 + 8)


async def test_a_429_without_retry_after_is_probed(scripted: Any, ok: Response, refusal: Response) -> None:
    """Left to find the limit, the client comes back soon: one probe for everybody, each a third later than the last."""
    events: list[HookEvent] = []
    client = scripted(*[refusal(429)] * 5, ok(), hooks=[events.append])
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(client.account.summary)
    pauses = [event.seconds for event in events if isinstance(event, RateLimited)]
    assert len(pauses) == 5
    assert pauses[0] == pytest.approx(0.15, rel=0.1)
    assert [later / sooner for sooner, later in itertools.pairwise(pauses)] == pytest.approx([1.3] * 4)


async def test_headers_slow_a_client_down_before_it_is_refused(scripted: Any) -> None:
    """What the API says is left is spread over the time until its reset; what cannot be true is not believed."""
    for reset, seconds in (("60", 60.0), ("-5", 0.2)):
        told = httpx.Response(
            200,
            json={"status": "success", "data": {}},
            headers={"x-ratelimit-remaining": "2", "x-ratelimit-reset": reset},
        )
        client, began = scripted(told, deadline=None), anyio.current_time()
        for _ in range(4):
            await client.account.summary()
        assert anyio.current_time() - began == pytest.approx(seconds, rel=0.5)


async def test_why_it_waits_is_told(scripted: Any, ok: Response, refusal: Response) -> None:
    """An event says what holds a call back: here the gate that a 429 shut, there a rate."""
    events: list[HookEvent] = []
    await scripted(refusal(429, retry_after="3"), ok(), hooks=[events.append]).account.summary()
    paced = scripted(ok(), rate="1/s", hooks=[events.append])
    for _ in range(2):
        await paced.account.summary()
    waits = [(event.seconds, event.why) for event in events if isinstance(event, RequestWaiting)]
    assert waits == [(pytest.approx(3), "rate-limited"), (pytest.approx(1), "fixed rate")]


async def test_one_429_pauses_all(scripted: Any, ok: Response, refusal: Response) -> None:
    """Everybody of the client waits, not only who was refused."""
    client = scripted(refusal(429, retry_after="30"), ok())
    times: list[float] = []

    async def one() -> None:
        await client.messaging.send_sms(NUMBER, "Hi")
        times.append(anyio.current_time())

    async with anyio.create_task_group() as group:
        group.start_soon(one)
        await anyio.sleep(1)
        group.start_soon(one)
        group.start_soon(one)
    assert times[0] == pytest.approx(30)  # the probe; its admission lets the others through
    assert times[1:] == pytest.approx([30] * 2, abs=1)


async def test_the_retry_budget(scripted: Any, refusal: Response) -> None:
    """When nothing succeeds any more, repeats stop: 50 of them, and not three for every call."""
    client = scripted(refusal(500))
    for _ in range(30):
        with pytest.raises(ServerError) as caught:
            await client.account.summary()
    assert "retry budget is spent" in str(caught.value)
    assert len(scripted.requests) == 30 + 50


async def test_max_in_flight() -> None:
    """No more requests are on their way than allowed."""
    now = most = 0

    async def count(request: httpx.Request) -> httpx.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await anyio.sleep(1)
        now -= 1
        return await succeed(request)

    client = over(Network(count), max_in_flight=3)
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(client.account.summary)
    assert most == 3
    assert anyio.current_time() == pytest.approx(4)


# ------------------------------------------------------------------------------------------------------- answers


async def test_an_answer_of_another_shape(scripted: Any, ok: Response) -> None:
    """A success whose data is no list is a DecodeError for a read, with the body and the try that brought it."""
    with pytest.raises(DecodeError, match="shows a list here, the response holds text") as caught:
        await scripted(ok("surprise")).tickets.list()
    assert b"surprise" in (caught.value.body or b"")
    assert caught.value.status_code == 200
    assert len(caught.value.attempts) == 1
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("data", ["gone", 7, [1, 2], True], ids=repr)
async def test_a_delete_of_another_shape_is_done(data: object, scripted: Any, ok: Response) -> None:
    """A success is a success for whatever changes something, the idempotent delete too."""
    receipt = await scripted(ok(data)).contacts.delete("c")
    assert receipt.contact_id is None
    assert b"success" in receipt.raw


async def test_errors_carry_what_is_known(scripted: Any, refusal: Response) -> None:
    """Endpoint, status, the API's words and body, and the wait that it asked for."""
    with pytest.raises(BadRequestError) as caught:
        await scripted(refusal(422, "Invalid sender_id", retry_after="3")).messaging.send_sms(NUMBER, "Hi")
    error = caught.value
    assert (error.endpoint, error.status_code, error.message, error.retry_after) == (
        "sendSMS",
        422,
        "Invalid sender_id",
        3,
    )
    assert b"Invalid sender_id" in (error.body or b"")
    assert error.attempts[0].status_code == 422


async def test_a_broken_location_is_still_a_refusal(scripted: Any) -> None:
    """An odd header makes no odd error, and costs no permit."""
    client = scripted(httpx.Response(307, headers={"location": "http://[broken"}), max_in_flight=1)
    for _ in range(2):
        with pytest.raises(RedirectError, match="an unnamed place"):
            await client.messaging.send_sms(NUMBER, "Hi")


# --------------------------------------------------------------------------------------------------------- hooks


async def test_hooks_are_told_everything(scripted: Any, ok: Response, refusal: Response) -> None:
    """Start, refusal, failure, wait and end, in order, without personal data."""
    events: list[HookEvent] = []
    await scripted(refusal(429, retry_after="5"), refusal(500), ok(), hooks=[events.append]).account.summary()
    assert [type(event) for event in events] == [
        RequestStarted,
        RateLimited,
        AttemptFailed,
        RequestWaiting,
        AttemptFailed,
        RequestSettled,
    ]
    limited, failed, waiting, failed_again, settled = events[1:]
    assert isinstance(limited, RateLimited)
    assert (limited.seconds, limited.retry_after) == (pytest.approx(5), 5)
    assert isinstance(failed, AttemptFailed)
    assert (failed.number, failed.attempt.outcome) == (1, Outcome.REJECTED)
    assert isinstance(waiting, RequestWaiting)
    assert waiting.seconds == pytest.approx(5)
    assert isinstance(failed_again, AttemptFailed)
    assert (failed_again.number, failed_again.retry_in) == (2, 0.5)
    assert isinstance(settled, RequestSettled)
    assert (settled.outcome, len(settled.attempts), settled.cancelled) == (Outcome.ACCEPTED, 3, False)
    assert settled.seconds == pytest.approx(5.5)


async def test_a_hook_that_raises_changes_nothing(
    scripted: Any, ok: Response, caplog: pytest.LogCaptureFixture
) -> None:
    """A send is not lost to its observer: the others are told, and the fault is logged."""
    events: list[HookEvent] = []

    def broken(_: HookEvent) -> None:
        raise RuntimeError("observer")

    await scripted(ok(), hooks=[broken, events.append]).messaging.send_sms(NUMBER, "Hi")
    assert [type(event) for event in events] == [RequestStarted, RequestSettled]
    assert caplog.text.count("failed on") == 2


async def test_a_failure_settles_with_its_outcome(scripted: Any, refusal: Response) -> None:
    """Settled says what the error says."""
    events: list[HookEvent] = []
    with pytest.raises(OutcomeUnknownError):
        await scripted(refusal(500), hooks=[events.append]).messaging.send_sms(NUMBER, "Hi")
    assert isinstance(events[-1], RequestSettled)
    assert events[-1].outcome is Outcome.UNKNOWN
    assert not events[-1].cancelled
    assert isinstance(events[-2], AttemptFailed)
    assert events[-2].retry_in is None


# -------------------------------------------------------------------------------------------------- cancellation


@pytest.mark.parametrize(
    ("moment", "outcome"), [(0.5, Outcome.UNKNOWN), (1.25, Outcome.REJECTED), (2.5, Outcome.UNKNOWN)]
)
async def test_cancelled(moment: float, outcome: Outcome) -> None:
    """Cancelled on the wire is UNKNOWN; between two tries it is what the last try proved. The permit comes back."""

    async def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"retry-after": "1"})

    events: list[HookEvent] = []
    network = Network(after(1, refuse), after(60))
    client = over(network, hooks=[events.append], max_in_flight=1)
    with anyio.move_on_after(moment):
        await client.messaging.send_sms(NUMBER, "Hi")
    settled = events[-1]
    assert isinstance(settled, RequestSettled)
    assert settled.cancelled
    assert settled.outcome is outcome
    network.script = (succeed,)
    with anyio.fail_after(100):
        await client.messaging.send_sms(NUMBER, "Hi")


async def test_cancelled_before_it_started() -> None:
    """A call that still waited for its turn was not sent."""
    events: list[HookEvent] = []
    network = Network(succeed)
    client = over(network, rate="1/min", hooks=[events.append])
    await client.account.summary()
    with anyio.move_on_after(5):
        await client.messaging.send_sms(NUMBER, "Hi")
    assert isinstance(events[-1], RequestSettled)
    assert (events[-1].outcome, events[-1].cancelled) == (Outcome.NOT_SENT, True)
    assert network.posts == 1


async def test_no_cancellation_leaks_a_permit() -> None:
    """At whatever moment calls are cancelled, with whatever network, all permits come back."""
    steps = (after(1), never_reached(httpx.ConnectError("x")), after(0.5), succeed)
    for moment in range(24):
        client = over(Network(*steps), max_in_flight=1)
        async with anyio.create_task_group() as group:
            scope = anyio.CancelScope()

            async def victim(client: Callsavvy = client, scope: anyio.CancelScope = scope) -> None:
                with scope:
                    await client.account.summary()

            group.start_soon(victim)
            group.start_soon(client.account.summary)
            await anyio.sleep(moment / 8)
            scope.cancel()
        with anyio.fail_after(100):
            await client.account.summary()
        assert client.pacing.snapshot().in_flight == 0


# -------------------------------------------------------------------------------------------------------- watching


async def test_a_shielded_send_gets_its_answer() -> None:
    """With a shield, a cancelled task still learns what became of the paid request on the wire."""
    watch = RequestContext(shield=True)
    done: list[object] = []

    async def send() -> None:
        current_context.set(watch)
        done.append(await over(Network(after(3))).messaging.send_sms(NUMBER, "Hi"))

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        await anyio.sleep(1)
        assert watch.on_wire
        group.cancel_scope.cancel()
    assert len(done) == 1
    assert anyio.current_time() == pytest.approx(3)
    assert not watch.on_wire


async def test_a_shielded_send_can_be_abandoned() -> None:
    """`abandon` stops waiting for the answer: the outcome is UNKNOWN, told as an error."""
    watch = RequestContext(shield=True)
    caught: list[OutcomeUnknownError] = []

    async def send() -> None:
        current_context.set(watch)
        try:
            await over(Network(after(60))).messaging.send_sms(NUMBER, "Hi")
        except OutcomeUnknownError as error:
            caught.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        await anyio.sleep(1)
        watch.abandon()
    assert anyio.current_time() == pytest.approx(1)
    assert [error.reason for error in caught] == ["the request was cancelled before its response"]
    watch.abandon()


async def test_with_raw_response(scripted: Any, ok: Response, refusal: Response) -> None:
    """Status, headers, body and attempts of the last exchange come with the value."""
    client = scripted(refusal(500), ok({"sms_balance": "4"}))
    raw = await client.with_raw_response(client.account.summary)
    assert raw.value.sms_balance == 4
    assert raw.status_code == 200
    assert b"sms_balance" in raw.body
    assert raw.headers["content-type"] == "application/json"
    assert [attempt.outcome for attempt in raw.attempts] == [Outcome.UNKNOWN, Outcome.ACCEPTED]
    assert "sms_balance" not in repr(raw).replace("Summary", "").split("status_code")[1]
    assert current_context.get() is None

    async def nothing() -> None:
        """Call nothing."""

    with pytest.raises(ConfigurationError, match="did not send a request"):
        await client.with_raw_response(nothing)


async def test_a_watch_is_told_before_each_request_and_each_wait(
    scripted: Any, ok: Response, refusal: Response
) -> None:
    """What is written ahead can be taken back while a refused request waits: between 429 and repeat nothing is out."""
    told: list[tuple[str, float]] = []

    def tell(what: str) -> Callable[[], Any]:
        async def hook(*_: object) -> None:
            told.append((what, anyio.current_time()))

        return hook

    client = scripted(refusal(429, retry_after="7"), refusal(503, retry_after="5"), ok())
    token = current_context.set(RequestContext(before_sending=tell("sends"), before_waiting=tell("waits")))
    try:
        await client.messaging.send_sms(NUMBER, "Hi")
    finally:
        current_context.reset(token)
    assert [what for what, _ in told] == ["sends", "waits", "sends", "waits", "sends"]
    assert told[2][1] - told[1][1] >= 7
    assert told[4][1] - told[3][1] >= 5


async def test_endpoints_whose_answers_name_other_policies_get_limits_of_their_own() -> None:
    """`RateLimit-Policy` is heard on every answer: what is counted apart no longer waits for each other."""

    def answer(request: httpx.Request) -> httpx.Response:
        policy = "reads" if request.url.path.endswith("getSummary") else "sends"
        headers = {"ratelimit-policy": f'"{policy}";q=10;w=1'}
        return httpx.Response(200, json={"status": "success", "data": {}}, headers=headers)

    client = Callsavvy(public_key="p", private_key="q", transport=httpx.MockTransport(answer))
    async with client:
        await client.messaging.send_sms(NUMBER, "Hello")
        await client.account.summary()
        await client.account.summary()
    assert client.pacing.snapshot().sent == 2, "the first answer of the other policy is what tells them apart"
    assert client.pacing.snapshot().groups["reads"].sent == 1


async def test_waiting_tells_how_many_go_first() -> None:
    """The event says why a call waits, how long as far as that can be told, and how many go before it."""
    waits: list[RequestWaiting] = []
    network = Network(succeed)
    async with (
        over(
            network,
            pacing=FixedRate("1/s"),
            hooks=[lambda event: isinstance(event, RequestWaiting) and waits.append(event)],
        ) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(4):
            group.start_soon(client.account.summary)
            await anyio.wait_all_tasks_blocked()
        with pytest.raises(DeadlineExceededError, match=r"a wait of 4 s, past the deadline in 3.5 s"):
            await client.account.summary(deadline=3.5)
    assert [(wait.seconds, wait.why, wait.ahead) for wait in waits] == [
        (pytest.approx(n + 1), "fixed rate", n) for n in range(3)
    ]


class Broken(Unlimited):
    """A pacer of somebody's own, which fails on every answer."""

    def done(self, now: float, permit: Permit, feedback: Feedback) -> None:
        super().done(now, permit, feedback)
        raise ZeroDivisionError


async def test_an_answer_is_not_lost_to_a_pacer_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """What a user's pacer raises on an answer is logged; the paid send returns, those that wait have their turn."""
    network = Network(after(1.0))
    async with over(network, pacing=Broken(max_in_flight=1)) as client, anyio.create_task_group() as group:
        group.start_soon(client.messaging.send_sms, NUMBER, "Hi")
        group.start_soon(client.messaging.send_sms, NUMBER, "Hi")
    assert network.posts == 2
    assert caplog.text.count("the pacer Broken failed on the end of a request") == 2


async def test_what_others_say_is_masked_and_our_figures_are_not() -> None:
    """Numbers and keys that a server echoes reach neither the error's text nor its attempts; our own figures stay."""
    said = {"status": "error", "message": f"{NUMBER} may not be called with the-private-key of the-public-key"}
    async with Callsavvy(
        public_key="the-public-key",
        private_key="the-private-key",
        transport=httpx.MockTransport(lambda _request: httpx.Response(422, json=said)),
    ) as client:
        with pytest.raises(BadRequestError, match=r"may not be called with \*\*\* of \*\*\*") as caught:
            await client.messaging.send_sms(NUMBER, "x")
    assert NUMBER not in str(caught.value)
    away = httpx.MockTransport(
        lambda _request: httpx.Response(307, headers={"location": "https://2348012345678.example"})
    )
    async with Callsavvy(public_key="p", private_key="k", transport=away) as client:
        with pytest.raises(RedirectError) as redirected:
            await client.messaging.send_sms(NUMBER, "x")
    assert "2348012345678" not in f"{redirected.value} {redirected.value.attempts}"
    large = httpx.MockTransport(lambda _request: httpx.Response(200, content=b"x" * 2_000_000))
    async with Callsavvy(public_key="p", private_key="k", transport=large, max_response_bytes=1_234_567) as client:
        with pytest.raises(ResponseTooLargeError, match="1234567"):
            await client.account.summary()


async def test_a_call_that_was_refused_goes_first(scripted: Any, ok: Response, refusal: Response) -> None:
    """It came before those that wait, and starves otherwise where every second request is refused."""
    client, order = scripted(refusal(429, retry_after="1"), ok()), list[str]()

    async def one(name: str) -> None:
        await client.account.summary()
        order.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(one, "refused")
        await anyio.sleep(0.5)
        for _ in range(20):
            group.start_soon(one, "newcomer")
    assert order[0] == "refused"


async def test_a_call_that_is_too_heavy_ends_with_an_error(refusal: Response) -> None:
    """Refused for ever while others are admitted, it is given up, says why, and keeps nobody else from being served."""

    async def answer(request: httpx.Request) -> httpx.Response:
        heavy = b"heavy" in await request.aread()
        return refusal(429) if heavy else await succeed(request)

    client, served = over(Network(answer), deadline=None), 0

    async def light() -> None:
        nonlocal served
        for _ in range(200):
            await client.messaging.send_sms(NUMBER, "Hi")
            served += 1

    async with anyio.create_task_group() as group:
        group.start_soon(light)
        with pytest.raises(RateLimitError, match="while others were admitted; the request may count for more than"):
            await client.messaging.send_sms(NUMBER, "heavy")
    assert served == 200


async def test_a_call_that_is_given_up_tells_the_wait(scripted: Any, ok: Response, refusal: Response) -> None:
    """Now, or in how long: at a known rate the wait behind others is foretold within a fifth, after a 429 it is its pause."""
    client, told, taken = scripted(ok(), rate="2/s"), list[float](), list[float]()

    async def patient() -> None:
        began = anyio.current_time()
        await client.account.summary(deadline=None)
        taken.append(anyio.current_time() - began)

    async with anyio.create_task_group() as group:
        for number in range(40):
            if number % 10 == 9:
                with pytest.raises(DeadlineExceededError) as caught:
                    await client.account.summary(deadline=0.01)
                told.append(caught.value.expected_wait or 0.0)
            group.start_soon(patient)
            await anyio.lowlevel.checkpoint()
    assert told == pytest.approx([taken[9], taken[19], taken[29], taken[39]], rel=0.2)
    with pytest.raises(RateLimitError) as refused:
        await scripted(refusal(429, retry_after="30"), deadline=5).account.summary()
    assert refused.value.expected_wait == pytest.approx(30, abs=0.1)
    again = pickle.loads(pickle.dumps(refused.value))  # noqa: S301 - our own
    assert again.expected_wait == refused.value.expected_wait


# ------------------------------------------------------------------------------------------------ the straight path


async def test_a_success_pays_back_into_the_budget_of_retries() -> None:
    """A first attempt that succeeds returns its token, whichever way it went."""
    client = over(Network(succeed))
    budget = client._transport.shared.budget
    assert budget.take()
    left = budget.tokens
    await client.messaging.send_sms(NUMBER, "Hi")
    assert budget.tokens == left + 1.0


@pytest.mark.parametrize("status", [500, 502, 302])
async def test_the_word_success_under_another_status_proves_nothing(status: int) -> None:
    """Only a 2xx is the API's success: a paid request is UNKNOWN then, and is not repeated."""

    async def odd(request: httpx.Request) -> httpx.Response:
        await take(request)
        return httpx.Response(status, json={"status": "success"})

    network = Network(odd)
    with pytest.raises(OutcomeUnknownError):
        await over(network).messaging.send_sms(NUMBER, "Hi")
    assert network.posts == 1
