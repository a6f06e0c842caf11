"""Sends that share calls: as few calls as the limit demands, nobody lost or reached twice, everybody told what became."""

from __future__ import annotations

import copy
import json
import pickle
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import attrs
import httpx
import pytest
from hypothesis import given, strategies as st

from callsavvy_async import (
    BadRequestError,
    Callsavvy,
    ClientClosedError,
    DeadlineExceededError,
    FixedRate,
    InvalidRequestError,
    NotSentError,
    OutcomeUnknownError,
    RequestError,
    Unlimited,
)
from callsavvy_async.batching.batcher import Batcher
from callsavvy_async.policy.feedback import Feedback, Signal
from callsavvy_async.policy.pacer import Pacer
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, WHATSAPP_UID, Fault, Simulator, TokenBucket
from callsavvy_async.testing.virtual_time import run_in_virtual_time
from callsavvy_async.transport.clock import current_time
from tests.profiles import examples

pytestmark = pytest.mark.anyio
TEXT = "We open at nine."


@pytest.fixture
def anyio_backend(quick_virtual_time: object) -> object:
    """Every test here runs in virtual time."""
    return quick_virtual_time


def make_simulator(**settings: Any) -> Simulator:
    return Simulator(
        sms_balance=10**6, local_balance=10**6, latency=0.2, clock=current_time, sleep=anyio.sleep, **settings
    )


def over(sim: Simulator, pacer: Pacer, **options: Any) -> Callsavvy:
    return Callsavvy(
        public_key=PUBLIC_KEY,
        private_key=PRIVATE_KEY,
        base_url=sim.base_url,
        allow_insecure=True,
        transport=httpx.ASGITransport(app=sim),
        pacing=pacer,
        **options,
    )


def number(n: int) -> str:
    return f"+23480{n:08}"


def sizes(sim: Simulator) -> list[int]:
    return [len(entry.recipients) for entry in sim.ledger.requests if entry.charged]


@pytest.fixture
async def stack(anyio_backend: object) -> Any:
    """Hold contexts open for the test."""
    async with AsyncExitStack() as opened:
        yield opened


async def test_the_first_goes_at_once_and_the_rest_gather() -> None:
    """While the first is on its way those that come gather; they leave when it is answered, or after max_delay."""
    sim = make_simulator()
    ended: list[float] = []
    async with over(sim, Unlimited()) as client, client.batcher(max_delay=0.05) as messaging:
        began = current_time()

        async def one(n: int) -> None:
            await messaging.send_sms(number(n), TEXT)
            ended.append(round(current_time() - began, 3))

        async with anyio.create_task_group() as group:
            group.start_soon(one, 0)
            await anyio.sleep(0.01)
            for n in range(1, 8):
                group.start_soon(one, n)
                await anyio.sleep(0.001)
    assert sizes(sim) == [1, 7]
    assert ended == [0.2, *[pytest.approx(0.26, abs=0.002)] * 7]


@pytest.mark.parametrize(("most", "channel"), [(100, "sms"), (30, "whatsapp")])
async def test_as_few_calls_as_the_limit_demands(most: int, channel: str) -> None:
    """At one call a second 300 sends take no more calls than there is room for, and never more than a call takes."""
    sim = make_simulator(limit=TokenBucket(1, 1))
    async with (
        over(sim, FixedRate("1/s")) as client,
        client.batcher() as messaging,
        anyio.create_task_group() as group,
    ):
        for n in range(300):
            if channel == "sms":
                group.start_soon(messaging.send_sms, number(n), TEXT)
            else:
                group.start_soon(_whatsapp, messaging, number(n))
            await anyio.sleep(0.001)
    assert sim.ledger.charged == Counter({number(n): 1 for n in range(300)})
    assert max(sizes(sim)) <= most
    assert len(sizes(sim)) <= 300 / most + 2
    assert client.pacing.snapshot().rate_limited == 0


async def _whatsapp(messaging: Batcher, to: str) -> None:
    await messaging.send_whatsapp(to, TEXT, channel_uid=WHATSAPP_UID)


async def test_who_comes_while_the_call_waits_for_its_turn_joins_it() -> None:
    """The recipients are settled when the permit came, not when the call began to wait for it."""
    sim = make_simulator()
    async with over(sim, FixedRate("0.1/s", burst=1)) as client:
        await client.messaging.send_sms(number(99), "first")
        async with client.batcher() as messaging, anyio.create_task_group() as group:
            for n in range(9):
                group.start_soon(messaging.send_sms, number(n), TEXT)
                await anyio.sleep(1)
    assert sizes(sim) == [1, 9]


async def test_nothing_is_shared_across_texts_senders_channels_and_options() -> None:
    """Only what is alike in everything but the recipient shares a call."""
    sim = make_simulator()
    async with (
        over(sim, Unlimited()) as client,
        client.batcher() as messaging,
        anyio.create_task_group() as group,
    ):
        for n in range(3):
            group.start_soon(messaging.send_sms, number(n), TEXT)
            group.start_soon(messaging.send_sms, number(n), "another text")
            group.start_soon(_from, messaging, number(n), "Shop")
            group.start_soon(_whatsapp, messaging, number(n))
            group.start_soon(_patient, messaging, number(n))
    told = Counter((entry.resource, len(entry.recipients)) for entry in sim.ledger.requests)
    assert told == {("sendSMS", 3): 4, ("sendWhatsapp", 3): 1}


async def _from(messaging: Batcher, to: str, sender: str) -> None:
    await messaging.send_sms(to, TEXT, sender_id=sender)


async def _patient(messaging: Batcher, to: str) -> None:
    await messaging.send_sms(to, TEXT, timeout=50)


async def test_texts_are_told_apart_by_what_they_say() -> None:
    """A text of somebody's own class may show nothing of itself; each still gets the text that was meant for them."""

    class Hidden(str):
        """A text that is not shown."""

        __slots__ = ()

        def __repr__(self) -> str:
            return "***"

    sim = make_simulator()
    async with (
        over(sim, FixedRate("1/s")) as client,
        client.batcher() as messaging,
        anyio.create_task_group() as group,
    ):
        for n in range(4):
            group.start_soon(messaging.send_sms, number(n), Hidden(f"your code is {n}"))
    assert len(sim.ledger.requests) == 4


async def test_the_same_number_twice_is_two_sends() -> None:
    """A duplicate is neither dropped nor doubled within a call: it goes with another one."""
    sim = make_simulator()
    async with (
        over(sim, Unlimited()) as client,
        client.batcher() as messaging,
        anyio.create_task_group() as group,
    ):
        for n in (1, 2, 1, 1):
            group.start_soon(messaging.send_sms, number(n), TEXT)
    assert sim.ledger.charged == Counter({number(1): 3, number(2): 1})
    assert all(len(set(entry.recipients)) == len(entry.recipients) for entry in sim.ledger.requests)


async def test_the_same_number_in_another_spelling_is_the_same_number() -> None:
    """Numbers are compared as they go out."""
    sim = make_simulator()
    async with (
        over(sim, Unlimited()) as client,
        client.batcher() as messaging,
        anyio.create_task_group() as group,
    ):
        group.start_soon(messaging.send_sms, "+234 801 234 5678", TEXT)
        group.start_soon(messaging.send_sms, "00234-801-234-5678", TEXT)
    assert sizes(sim) == [1, 1]


async def test_cancelling_withdraws_only_its_own_recipient() -> None:
    """Who gives up before the call has left gets nothing, and nobody else is the worse for it."""
    sim = make_simulator()
    async with over(sim, FixedRate("0.1/s")) as client:
        await client.messaging.send_sms(number(99), "first")
        async with client.batcher() as messaging, anyio.create_task_group() as group:
            for n in range(4):
                group.start_soon(messaging.send_sms, number(n), TEXT)
            with anyio.move_on_after(3):
                await messaging.send_sms(number(4), TEXT)
    assert sim.ledger.charged == Counter({number(n): 1 for n in (99, 0, 1, 2, 3)})


async def test_when_all_withdraw_no_call_is_made_and_no_permit_is_lost() -> None:
    """An empty call never leaves, and its turn is given on."""
    sim = make_simulator()
    async with over(sim, Unlimited(max_in_flight=1)) as client, client.batcher() as messaging:
        async with anyio.create_task_group() as group:
            group.start_soon(client.messaging.send_sms, number(99), "first")
            await anyio.sleep(0.1)
            with anyio.move_on_after(0.05):
                await messaging.send_sms(number(1), TEXT)
        assert client.pacing.snapshot().in_flight == client.pacing.waiting == 0
        await messaging.send_sms(number(2), TEXT)
    assert sim.ledger.charged == Counter({number(99): 1, number(2): 1})


async def test_the_last_may_withdraw_at_any_step_while_its_turn_comes() -> None:
    """Around the moment in which a call is given its permit, a withdrawal leaves an empty call unsent, and loses nothing."""
    for steps in range(-1, 12):
        sim = make_simulator()
        async with (
            over(sim, Unlimited(max_in_flight=1)) as client,
            client.batcher() as messaging,
            anyio.create_task_group() as group,
        ):
            limiter = client.pacing.limiter("sendSMS")
            permit = limiter.try_acquire(current_time())
            assert permit is not None
            scope = anyio.CancelScope()
            group.start_soon(_within, scope, messaging)
            await anyio.wait_all_tasks_blocked()
            if steps < 0:
                scope.cancel()  # in the same step, but before
            limiter.done(permit, Feedback(Signal.ADMITTED), current_time())
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            scope.cancel()
            await anyio.sleep(1)
            assert client.pacing.snapshot().in_flight == client.pacing.waiting == 0
            assert all(entry.recipients == (number(1),) for entry in sim.ledger.requests)
            await messaging.send_sms(number(2), TEXT)
        assert sim.ledger.charged[number(2)] == 1


async def _within(scope: anyio.CancelScope, messaging: Batcher) -> None:
    with scope:
        await messaging.send_sms(number(1), TEXT)


async def test_trying_again_at_once_after_the_last_withdrew() -> None:
    """Who comes in the step in which a call lost its last recipient is not taken into it, and does not wait for ever."""
    sim = make_simulator()
    async with over(sim, FixedRate("0.1/s")) as client, client.batcher() as messaging:
        await client.messaging.send_sms(number(99), "first")
        for patience in (1.0, 100.0):  # no step of the event loop lies between the two sends
            with anyio.move_on_after(patience) as scope:
                await messaging.send_sms(number(1), TEXT)
    assert not scope.cancelled_caught
    assert sim.ledger.charged == Counter({number(99): 1, number(1): 1})


class UncopiableError(Exception):
    """It cannot be made without its argument, and does not give it to its base."""

    def __init__(self, *, why: str) -> None:
        super().__init__()
        self.why = why


async def test_an_error_that_cannot_be_copied_reaches_everybody() -> None:
    """Whatever a pacer of somebody's own raises, nobody waits for ever for it."""

    class Breaking(Unlimited):
        def delay(self, now: float) -> float:
            raise UncopiableError(why="broken")

    async with over(make_simulator(), Breaking()) as client, client.batcher() as messaging:
        for _ in range(2):
            with anyio.fail_after(5), pytest.raises(UncopiableError):
                await messaging.send_sms(number(1), TEXT)


async def test_broken_off_while_under_way_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even the shield holds (the program ends), what has left is not called unsent."""

    class EndOfProgram(BaseException):
        """What ends a program."""

    sim, told = make_simulator(), list[Exception]()

    async def one(messaging: Batcher) -> None:
        with pytest.raises(RequestError) as caught:
            await messaging.send_sms(number(1), TEXT)
        told.append(caught.value)

    async def ended(self: object, *_: object, **__: object) -> None:
        await anyio.sleep(1)
        raise EndOfProgram

    with pytest.raises(BaseExceptionGroup):
        async with anyio.create_task_group() as group, over(sim, Unlimited()) as client:
            monkeypatch.setattr(type(client._transport.shared.backend), "exchange", ended)
            async with client.batcher() as messaging:
                group.start_soon(one, messaging)
                await anyio.sleep(2)
    assert [type(error) for error in told] == [OutcomeUnknownError]


async def test_cancelling_after_the_call_has_left_stops_only_the_waiting() -> None:
    """What is on the wire is waited for, so that the others learn what became of it; the block's end waits too."""
    sim = make_simulator()
    async with over(sim, Unlimited()) as client:
        async with client.batcher() as messaging:
            with anyio.move_on_after(0.1):
                await messaging.send_sms(number(1), TEXT)
            left = current_time()
        assert current_time() - left == pytest.approx(0.1, abs=0.01)
    assert sim.ledger.charged == Counter({number(1): 1})


async def test_leaving_waits_for_what_is_gathered() -> None:
    """Sends of other tasks that wait for the limit are sent before the block ends."""
    sim = make_simulator()
    async with anyio.create_task_group() as group, over(sim, FixedRate("1/s")) as client:
        async with client.batcher() as messaging:
            for n in range(3):
                group.start_soon(messaging.send_sms, number(n), f"text {n}")
            await anyio.sleep(0.1)
        assert len(sim.ledger.requests) == 3
        with pytest.raises(ClientClosedError, match="is closed"):
            await messaging.send_sms(number(9), TEXT)


async def test_an_error_in_the_block_sends_nothing_more_and_comes_out_bare() -> None:
    """What has not left is not sent, and those who wait for it are told so; what is on the wire gets its answer."""
    sim = make_simulator()
    told: dict[int, object] = {}

    async def one(messaging: Batcher, n: int, text: str) -> None:
        try:
            told[n] = await messaging.send_sms(number(n), text)
        except NotSentError as error:
            told[n] = error

    async with anyio.create_task_group() as group, over(sim, FixedRate("1/s")) as client:
        with pytest.raises(ZeroDivisionError):
            async with client.batcher() as messaging:
                group.start_soon(one, messaging, 0, "a")
                group.start_soon(one, messaging, 1, "b")
                await anyio.sleep(0.1)
                raise ZeroDivisionError
        await anyio.wait_all_tasks_blocked()
        assert client.pacing.snapshot().in_flight == client.pacing.waiting == 0
    assert sorted(type(result).__name__ for result in told.values()) == ["NotSentError", "SendReceipt"]
    assert len(sim.ledger.requests) == 1


async def test_cancelling_the_block_leaves_nothing_behind() -> None:
    """A cancelled block waits for what is on the wire, and drops the rest."""
    sim = make_simulator()
    async with over(sim, FixedRate("1/s")) as client:
        with anyio.move_on_after(0.1) as scope:
            async with client.batcher() as messaging, anyio.create_task_group() as group:
                for n in range(3):
                    group.start_soon(messaging.send_sms, number(n), f"text {n}")
        assert scope.cancelled_caught
        assert client.pacing.snapshot().in_flight == client.pacing.waiting == 0
    assert sum(sizes(sim)) == 1


async def test_one_bad_number_fails_alone() -> None:
    """A call that is rejected for a recipient is cut in halves: nothing was charged, and the others asked for no more."""
    sim = make_simulator()
    bad = number(17)

    def answer(request: httpx.Request) -> httpx.Response:
        if bad in json.loads(request.content)["recipient"].split(","):
            return httpx.Response(422, json={"status": "error", "message": f"Invalid recipient: {bad}"})
        return httpx.Response(200, json={"status": "success", "data": {"status": "sent"}})

    failed: list[int] = []
    client = Callsavvy(public_key="p", private_key="q", transport=httpx.MockTransport(answer), pacing=Unlimited())

    async def one(messaging: Batcher, n: int) -> None:
        try:
            await messaging.send_sms(number(n), TEXT)
        except BadRequestError:
            failed.append(n)

    async with client, client.batcher() as messaging, anyio.create_task_group() as group:
        for n in range(40):
            group.start_soon(one, messaging, n)
    assert failed == [17]
    assert not sim.ledger.requests


async def test_everybody_gets_an_error_of_their_own() -> None:
    """The call's error reaches each sender as a copy, which pickles and can be raised without writing into others'."""
    sim = make_simulator()
    sim.faults.next("sendSMS", Fault.with_status(500))
    errors: list[OutcomeUnknownError] = []

    async def one(messaging: Batcher, n: int) -> None:
        with pytest.raises(OutcomeUnknownError) as caught:
            await messaging.send_sms(number(n), TEXT)
        errors.append(caught.value)

    async with (
        over(sim, Unlimited()) as client,
        client.batcher() as messaging,
        anyio.create_task_group() as group,
    ):
        for n in range(5):
            group.start_soon(one, messaging, n)
    assert len({id(error) for error in errors}) == 5
    assert len({str(error) for error in errors}) == 1
    assert str(pickle.loads(pickle.dumps(copy.copy(errors[0])))) == str(errors[0])  # noqa: S301 - our own


@pytest.mark.parametrize("patience", [0.1, 2.0], ids=["on the wire", "after the refusal"])
async def test_a_refused_call_lets_go_of_who_gives_up_before_it_is_repeated(patience: float) -> None:
    """A 429 proves that nothing was done: who gave up meanwhile is not in the repeat."""
    sim = make_simulator()
    sim.faults.next("sendSMS", Fault.with_status(429, retry_after="5"))
    async with (
        over(sim, Unlimited()) as client,
        client.batcher() as messaging,
        anyio.create_task_group() as group,
    ):
        group.start_soon(messaging.send_sms, number(1), TEXT)
        with anyio.move_on_after(patience):
            await messaging.send_sms(number(2), TEXT)
    assert sim.ledger.charged == Counter({number(1): 1})


async def test_a_deadline_and_a_bad_argument_are_told_to_everybody() -> None:
    """What would be raised by a send of one's own is raised here too, before anything is sent."""
    sim = make_simulator()
    async with over(sim, FixedRate("1/h"), deadline=5) as client, client.batcher() as messaging:
        with pytest.raises(InvalidRequestError):
            await messaging.send_sms("12", TEXT)
        with pytest.raises(InvalidRequestError):
            await messaging.send_sms(number(1), " ")
        await messaging.send_sms(number(1), TEXT)
        with pytest.raises(DeadlineExceededError):
            await messaging.send_sms(number(2), TEXT)
    assert len(sim.ledger.requests) == 1


@attrs.frozen
class Send:
    """One send of the property test, in seconds."""

    to: int
    text: int
    comes: float
    patience: float


FAULTS = {
    "none": Fault.SHOUTED_STATUS,
    "refused": Fault.with_status(429, retry_after="1"),
    "unknown": Fault.with_status(500),
    "charged and lost": Fault.MALFORMED_JSON,
    "rejected": Fault.with_status(422),
    "failed": Fault.SEND_FAILED,
}
ticks = st.integers(0, 30).map(lambda tick: tick / 20)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(
    sends=st.lists(
        st.builds(Send, st.integers(0, 5), st.integers(0, 1), ticks, st.one_of(st.just(1e6), ticks)), max_size=25
    ),
    faults=st.lists(st.sampled_from(sorted(FAULTS)), max_size=8),
    pacer=st.sampled_from([lambda: Unlimited(max_in_flight=1), lambda: FixedRate("4/s"), Unlimited]),
)
@examples(60)
def test_nobody_is_lost_or_reached_twice(
    backend: str, sends: list[Send], faults: list[str], pacer: Callable[[], Pacer]
) -> None:
    """Under any cancellations and faults the ledger agrees: who was told "sent" was charged once for it, no more."""
    sim = make_simulator()
    sure, perhaps = Counter[str](), Counter[str]()

    async def one(messaging: Batcher, send: Send) -> None:
        await anyio.sleep(send.comes)
        with anyio.move_on_after(send.patience) as scope:
            try:
                receipt = await messaging.send_sms(number(send.to), f"text {send.text}")
            except OutcomeUnknownError:
                perhaps[number(send.to)] += 1
            except RequestError as error:
                perhaps[number(send.to)] += not error.safe_to_resend
            else:
                sure[number(send.to)] += not receipt.failed
        perhaps[number(send.to)] += scope.cancelled_caught

    async def run() -> None:
        for fault in faults:
            sim.faults.next("sendSMS", FAULTS[fault])
        async with over(sim, pacer()) as client:
            async with client.batcher() as messaging, anyio.create_task_group() as group:
                for send in sends:
                    group.start_soon(one, messaging, send)
            assert client.pacing.snapshot().in_flight == client.pacing.waiting == 0
            assert not messaging._coalescer._newest, "a text is kept for nobody"

    run_in_virtual_time(backend, run)  # type: ignore[arg-type]
    charged = sim.ledger.charged
    for to in {number(send.to) for send in sends}:
        assert sure[to] <= charged[to] <= sure[to] + perhaps[to]
    for entry in sim.ledger.requests:
        assert len(set(entry.recipients)) == len(entry.recipients)
