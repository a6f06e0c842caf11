"""Bulk sends: every recipient accounted for, whatever happens, on asyncio and trio, in virtual time."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from decimal import Decimal

import anyio
import httpx
import pytest
from hypothesis import given, strategies as st

from callsavvy_async import SMS, Callsavvy, FixedRate, Robocall, Unlimited, WhatsApp
from callsavvy_async.bulk.chunk_size import NARROW
from callsavvy_async.bulk.fan_out import DEEPEST_SPLIT, SPARE
from callsavvy_async.bulk.recipients import Recipient, SkipReason
from callsavvy_async.bulk.report import ChunkState, StopReason
from callsavvy_async.errors import (
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    InvalidRequestError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
)
from callsavvy_async.resources.sends import SendReceipt
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator
from callsavvy_async.testing.virtual_time import VirtualTimeLoop
from callsavvy_async.transport.clock import current_time
from tests.profiles import examples

from .fakes import ACCEPT, FAIL, FakeMessaging, bulk_over, no_balance, not_sent, numbers, rejected, unknown

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(quick_virtual_time):
    """Every test here runs in virtual time, under asyncio and trio."""
    return quick_virtual_time


def raising(error):
    def script(_):
        raise error

    return script


async def test_everybody_is_reached_once_and_the_report_says_so():
    """Each number goes out in exactly one call, duplicates and bad rows are skipped, and the sums add up."""
    fake = FakeMessaging()
    report = await bulk_over(fake).sms([*numbers(250), numbers(1)[0], "abc"], "Hello")
    assert fake.reached == Counter(dict.fromkeys(numbers(250), 1))
    assert (report.given, report.accepted, report.requests) == (252, 250, 10)
    assert report.skipped == {SkipReason.DUPLICATE: 1, SkipReason.INVALID: 1}
    assert report.cost == 10
    assert report.complete
    assert report.input_complete
    assert report.stopped is None


async def test_async_iterables_and_mappings_are_read_too():
    """Recipients may come from an async iterable of str, Recipient and mapping, mixed."""

    async def rows():
        yield numbers(1)[0]
        await anyio.sleep(5)
        yield Recipient(numbers(1, 1)[0])
        yield {"phone": numbers(1, 2)[0], "name": "x"}

    fake = FakeMessaging()
    report = await bulk_over(fake).sms(rows(), "Hello")
    assert report.accepted == 3
    assert report.complete
    assert sorted(fake.reached) == numbers(3)


async def test_workers_are_bounded_and_busy():
    """Never more than max_in_flight calls at a time, and that many as long as there is work."""
    fake = FakeMessaging(seconds=1.0)
    report = await bulk_over(fake).sms(numbers(100), "Hello", chunk_size=5, max_in_flight=4)
    assert fake.most_in_flight == 4
    assert report.elapsed == pytest.approx(5.0)


async def test_nothing_is_read_ahead_of_need():
    """A million recipients are never in memory: the source is at most one chunk per worker ahead."""
    taken = 0

    def rows():
        nonlocal taken
        for number in numbers(10_000):
            taken += 1
            yield number

    fake = FakeMessaging()
    run = bulk_over(fake).sms(rows(), "Hello", chunk_size=10, max_in_flight=3)
    async for _ in run:
        if run.report.stopped is None:  # then the rest is read, and taken down as pending
            assert taken <= 10 * (len(fake.calls) + 3)
        if len(fake.calls) > 20:
            run.stop()


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (lambda _: ACCEPT, "accepted"),
        (lambda _: FAIL, "failed"),
        (raising(rejected()), "rejected"),
        (raising(unknown()), "unknown"),
        (raising(not_sent()), "pending"),
        (raising(rejected("later", RateLimitError)), "pending"),
        (raising(rejected("later", ServiceUnavailableError)), "pending"),
    ],
    ids=["accepted", "failed", "rejected", "unknown", "not sent", "429", "503"],
)
async def test_every_outcome_is_counted_and_never_raised(outcome, state):
    """One call's outcome is its recipients' outcome; a failed call raises nothing."""
    fake = FakeMessaging(outcome)
    report = await bulk_over(fake).sms(numbers(7), "Hello")
    assert getattr(report, state) == 7
    assert len(fake.calls) == 1
    assert {row.outcome for row in report.rows()} == {state}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (rejected("no", AuthenticationError), StopReason.AUTHENTICATION),
        (rejected("no", PermissionDeniedError), StopReason.AUTHENTICATION),
        (no_balance(), StopReason.BALANCE),
    ],
    ids=["401", "403", "402"],
)
async def test_an_error_that_meets_every_call_stops_at_once(error, reason):
    """401, 403 and an empty balance end the run at the first call; the rest is pending, not lost."""
    fake = FakeMessaging(raising(error))
    report = await bulk_over(fake).sms(numbers(1000), "Hello", chunk_size=10, max_in_flight=1)
    assert len(fake.calls) == 1
    assert (report.rejected, report.pending) == (10, 990)
    assert report.stopped is reason
    assert report.input_complete


@pytest.mark.parametrize(
    ("error", "reason"),
    [(rejected("Bad sender 12"), StopReason.REJECTIONS), (not_sent(), StopReason.UNREACHABLE)],
    ids=["rejections", "unreachable"],
)
async def test_identical_failures_in_a_row_stop_the_run(error, reason):
    """stop_after definite failures of one kind in a row end the run."""
    fake = FakeMessaging(raising(error))
    report = await bulk_over(fake).sms(numbers(1000), "Hello", chunk_size=10, max_in_flight=1, stop_after=3)
    assert len(fake.calls) == 3
    assert report.stopped is reason


async def test_different_failures_or_a_success_between_do_not_stop_it():
    """Only an unbroken row of like failures counts."""
    answers = iter([rejected("a"), rejected("b"), rejected("a"), None, rejected("a"), unknown(), rejected("a")])

    def script(_):
        error = next(answers)
        if error:
            raise error
        return ACCEPT

    report = await bulk_over(FakeMessaging(script)).sms(
        numbers(7), "Hello", chunk_size=1, max_in_flight=1, stop_after=2
    )
    assert report.stopped is None
    assert (report.rejected, report.accepted, report.unknown) == (5, 1, 1)


async def test_a_bad_number_is_isolated_and_the_others_still_get_it():
    """A rejection that names a recipient splits the chunk in halves until the bad number stands alone."""
    bad = numbers(100)[37]

    def script(call):
        if bad in call:
            raise rejected(f"Invalid recipient: {bad}")
        return ACCEPT

    fake = FakeMessaging(script)
    report = await bulk_over(fake).sms(numbers(100), "Hello")
    assert (report.accepted, report.rejected) == (99, 1)
    assert [row.recipient for row in report.rows() if row.outcome == "rejected"] == [bad]
    assert all(bad not in row.detail for row in report.rows()), "the detail masks numbers"
    assert len(fake.calls) <= 15, "twice the depth, and the first"


async def test_splitting_is_bounded():
    """However many numbers the API dislikes, halving ends at DEEPEST_SPLIT."""
    fake = FakeMessaging(raising(rejected("Invalid recipient")))
    size = 2 ** (DEEPEST_SPLIT + 1)
    report = await bulk_over(fake).sms(numbers(size + NARROW), "Hello", chunk_size=size, max_in_flight=1)
    assert report.rejected == size + NARROW
    assert min(len(call) for call in fake.calls if call[0] not in numbers(NARROW)) == 2


async def test_all_workers_are_busy():
    """Each request that leaves brings one more worker to work, until as many are under way as may be."""
    fake = FakeMessaging(seconds=1.0)
    await bulk_over(fake).sms(numbers(640), "Hello", max_in_flight=64, chunk_size=1)
    assert fake.most_in_flight == 64


async def test_no_more_chunks_wait_than_need_be():
    """While the limit lets few start, few are cut: what waits for its turn is at hand for nobody else, and may grow yet."""
    taken, ahead = 0, list[int]()

    def rows():
        nonlocal taken
        for number in numbers(1000):
            taken += 1
            yield number

    class OneAtATime(FakeMessaging):
        turn = anyio.Semaphore(1)

        async def send_sms(self, recipients, message, **options):
            async with self.turn:
                ahead.append(taken - 10 * len(self.calls))
                return await super().send_sms(recipients, message, **options)

    report = await bulk_over(OneAtATime()).sms(rows(), "Hello", chunk_size=10)
    assert report.accepted == 1000
    assert max(ahead) <= 10 * (SPARE + 1)


async def test_calls_are_small_while_they_are_free():
    """As many calls as go side by side take few recipients each; what comes after them fills its calls."""
    fake = FakeMessaging()
    await bulk_over(fake).sms(numbers(175), "Hello", max_in_flight=2, chunk_size=75)
    sizes = [len(call) for call in fake.calls]
    assert (sizes[:2], sorted(sizes[2:])) == ([NARROW, NARROW], [50, 75])


async def test_calls_are_filled_as_soon_as_one_waits_for_the_limit():
    """When the limiter holds a call back, calls are what is scarce: those that were not cut yet take all they may."""
    sim = Simulator(sms_balance=1000, clock=current_time, sleep=anyio.sleep)
    async with Callsavvy(
        public_key=PUBLIC_KEY,
        private_key=PRIVATE_KEY,
        base_url=sim.base_url,
        allow_insecure=True,
        transport=httpx.ASGITransport(app=sim),
        pacing=FixedRate("1/s"),
    ) as client:
        report = await client.bulk.sms(numbers(225), "Hello", max_in_flight=8)
    assert report.accepted == 225
    assert [len(entry.recipients) for entry in sim.ledger.requests] == [NARROW, NARROW, 100, 75]


@pytest.mark.parametrize(
    "error",
    [
        rejected("Request Entity Too Large", BadRequestError, 413),
        rejected("Too many recipients in one call"),
        rejected("recipient: at most 20 are allowed"),
    ],
    ids=["413", "too many", "at most"],
)
async def test_calls_that_are_too_large_are_halved_and_the_next_ones_are_smaller(error):
    """What is refused as too large was not charged: everybody is still reached, once, and the size is learned."""

    def script(call):
        if len(call) > 20:
            raise error
        return ACCEPT

    fake = FakeMessaging(script)
    report = await bulk_over(fake).sms(numbers(200), "Hello", max_in_flight=1)
    assert report.accepted == 200
    refused = [len(call) for call in fake.calls if len(call) > 20]
    assert refused == [NARROW]
    assert {len(call) for call in fake.calls} == {NARROW, 12, 13, 7}


async def test_a_single_recipient_that_is_too_large_is_rejected():
    """A text that no call can carry ends: one recipient cannot be halved."""
    fake = FakeMessaging(raising(rejected("Request Entity Too Large", BadRequestError, 413)))
    report = await bulk_over(fake).sms(numbers(3), "Hello")
    assert report.rejected == 3


async def test_unknown_is_never_split():
    """Halves of an unknown chunk would reach people twice."""
    fake = FakeMessaging(raising(unknown()))
    await bulk_over(fake).sms(numbers(NARROW), "Hello")
    assert len(fake.calls) == 1


async def test_stopping_between_the_halves_leaves_them_pending():
    """A chunk that is being split when the run stops loses nobody."""
    fake = FakeMessaging(raising(rejected("Invalid recipient")))
    run = bulk_over(fake).sms(numbers(8), "Hello")
    with anyio.move_on_after(2.5):
        await run
    run.report.check()
    assert run.report.pending > 0


# ----------------------------------------------------------------------------------------------------------- max_cost


async def test_max_cost_stops_before_it_is_passed():
    """The estimate of a call is reserved before it is sent; what would pass the limit stays pending."""
    fake = FakeMessaging(lambda call: SendReceipt(cost=Decimal(len(call))))
    report = await bulk_over(fake).sms(numbers(100), "Hello", chunk_size=10, max_cost=35)
    assert report.cost == 30
    assert (report.accepted, report.pending) == (30, 70)
    assert report.stopped is StopReason.MAX_COST


async def test_max_cost_follows_the_reported_cost():
    """What the API reports above the estimate counts."""
    fake = FakeMessaging(lambda call: SendReceipt(cost=Decimal(3 * len(call))))
    report = await bulk_over(fake).sms(numbers(100), "Hello", chunk_size=10, max_cost=65, max_in_flight=1)
    assert report.cost == 60


@pytest.mark.parametrize("cost", [1, 0, -10, "-1e9"], ids=["of each recipient", "none", "negative", "absurd"])
async def test_a_cost_below_the_estimate_frees_nothing(cost):
    """It may be that of each recipient (quirk Q41), or nonsense: the limit is kept by the estimate. It is reported as it came."""
    fake = FakeMessaging(lambda _: SendReceipt(cost=Decimal(cost)))
    report = await bulk_over(fake).sms(numbers(100), "Hello", chunk_size=10, max_cost=20, max_in_flight=1)
    assert (report.accepted, report.stopped) == (20, StopReason.MAX_COST)
    assert report.cost == 2 * Decimal(cost)


async def test_a_chunk_that_waits_is_checked_again_before_it_leaves():
    """Requests that settle while others wait for the limit may cost more than estimated: those that wait then do not leave."""
    spent = 0

    async def charge(request: httpx.Request) -> httpx.Response:
        nonlocal spent
        spent += 100
        await anyio.sleep(0.1)
        return httpx.Response(
            200, json={"status": "success", "data": {"message_id": "m", "cost": "100", "status": "sent"}}
        )

    transport = httpx.MockTransport(charge)
    async with Callsavvy(public_key="k", private_key="p", transport=transport, rate="1/s") as client:
        report = await client.bulk.sms(numbers(40), "Hello", chunk_size=1, max_cost=50, max_in_flight=8)
    assert (spent, report.accepted, report.pending) == (100, 1, 39)
    assert report.stopped is StopReason.MAX_COST


@pytest.mark.parametrize(
    ("script", "calls"),
    [(raising(unknown()), 2), (lambda _: SendReceipt(), 2), (raising(rejected("x")), 10)],
    ids=["unknown keeps its estimate", "no cost reported keeps it", "rejected gives it back"],
)
async def test_what_may_have_been_charged_stays_in_the_budget(script, calls):
    """Only what is proved uncharged frees the budget."""
    fake = FakeMessaging(script)
    await bulk_over(fake).sms(numbers(100), "Hello", chunk_size=10, max_cost=20, stop_after=99, max_in_flight=1)
    assert len(fake.calls) == calls


# --------------------------------------------------------------------------------------------------- stopping, cancelling


async def test_stop_drains_what_is_on_the_wire():
    """stop() sends nothing more, and the answers to paid requests are still read."""
    fake = FakeMessaging(seconds=10)
    run = bulk_over(fake).sms(numbers(100), "Hello", chunk_size=10, max_in_flight=2)
    async with anyio.create_task_group() as group:
        group.start_soon(_after, 1.0, run.stop)
        report = await run
    assert (report.accepted, report.pending, report.unknown) == (20, 80, 0)
    assert report.stopped is StopReason.INTERRUPTED


async def test_abandon_makes_what_is_on_the_wire_unknown():
    """abandon() waits for nothing: what was on the wire is unknown, the rest pending."""
    fake = FakeMessaging(seconds=10)
    run = bulk_over(fake).sms(numbers(100), "Hello", chunk_size=10, max_in_flight=2)
    began = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(_after, 1.0, run.stop)
        group.start_soon(_after, 2.0, run.abandon)
        report = await run
    assert anyio.current_time() - began == pytest.approx(2.0)
    assert (report.accepted, report.pending, report.unknown) == (0, 80, 20)


async def test_stopped_before_it_began_sends_nothing():
    """A run may be stopped before it is awaited."""
    fake = FakeMessaging()
    run = bulk_over(fake).sms(numbers(10), "Hello")
    run.stop()
    report = await run
    assert not fake.calls
    assert report.pending == 10


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.0, 1.5, 2.5, 3.0])
async def test_a_cancelled_run_still_has_a_report_that_adds_up(seconds):
    """Cancellation at any moment: nobody is lost, and who was on the wire is not called pending."""
    fake = FakeMessaging(seconds=1.0)
    run = bulk_over(fake).sms(numbers(95), "Hello", chunk_size=10, max_in_flight=2)
    with anyio.move_on_after(seconds) as scope:
        await run
    assert scope.cancelled_caught
    run.report.check()
    pending = {row.recipient for row in run.report.rows() if row.outcome == "pending"}
    assert not pending & fake.reached.keys()
    assert run.report.unknown == 0
    assert run.report.stopped is StopReason.INTERRUPTED
    assert run.report.input_complete


async def test_an_endless_async_source_does_not_hold_a_cancelled_run():
    """When interrupted, an async iterable is not read to its end; the report says so."""

    async def endless():
        for n in range(10**9):
            yield f"+23480{n:08d}"
            await anyio.sleep(0.01)

    run = bulk_over(FakeMessaging()).sms(endless(), "Hello", chunk_size=10, max_in_flight=1)
    with anyio.move_on_after(3.05):
        await run
    run.report.check()
    assert not run.report.input_complete
    assert not run.report.complete


async def test_an_async_source_that_has_ended_is_complete_also_when_stopped():
    """An interrupted run whose input was read to its end says so."""

    class Rows:
        def __init__(self):
            self.left = numbers(20)

        def __aiter__(self):
            return self

        async def __anext__(self):
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop()

    run = bulk_over(FakeMessaging(seconds=10)).sms(Rows(), "Hello", chunk_size=10, max_in_flight=3)
    with anyio.move_on_after(1):
        await run
    assert run.report.input_complete
    assert run.report.accepted == 20

    cut = bulk_over(FakeMessaging(seconds=10)).sms(Rows(), "Hello", chunk_size=10, max_in_flight=1)
    with anyio.move_on_after(1):
        await cut
    assert not cut.report.input_complete
    cut.report.check()


async def _after(seconds, call):
    await anyio.sleep(seconds)
    call()


# -------------------------------------------------------------------------------------------------------------- errors


async def test_a_source_that_breaks_is_raised_after_everything_was_taken_down():
    """What the iterable raises comes out as it is; what was under way is settled and reported before."""

    def rows():
        yield from numbers(25)
        raise OSError("the disk is gone")

    fake = FakeMessaging()
    run = bulk_over(fake).sms(rows(), "Hello", chunk_size=10, max_in_flight=2)
    with pytest.raises(OSError, match="the disk is gone"):
        await run
    run.report.check()
    assert (run.report.accepted, run.report.pending) == (20, 5)
    assert run.report.stopped is StopReason.ERROR
    assert not run.report.input_complete


async def test_an_async_source_that_breaks_is_raised_too():
    """The same for async iterables."""

    async def rows():
        yield numbers(1)[0]
        raise OSError("the socket is gone")

    run = bulk_over(FakeMessaging()).sms(rows(), "Hello")
    with pytest.raises(OSError, match="the socket is gone"):
        await run
    assert run.report.pending == 1


async def test_a_misused_source_sends_nothing():
    """Rows without the named column raise before anything is sent."""
    fake = FakeMessaging()
    run = bulk_over(fake).sms([{"name": "x"}, {"name": "y"}], "Hello", column="phone")
    with pytest.raises(InvalidRequestError):
        await run
    assert not fake.calls
    run.report.check()


async def test_an_error_of_the_program_is_raised_as_it_is():
    """An error that is no outcome (a closed client) ends the run and comes out unwrapped; its chunk is pending."""
    fake = FakeMessaging(raising(ClientClosedError("closed")))
    run = bulk_over(fake).sms(numbers(30), "Hello", chunk_size=10, max_in_flight=2)
    with pytest.raises(ClientClosedError):
        await run
    run.report.check()
    assert run.report.pending == 30


async def test_an_error_after_the_answer_never_makes_a_paid_call_pending(monkeypatch):
    """What the API accepted is unknown when the program fails to read it: pending would be sent again."""
    sim = Simulator(sms_balance=1000, clock=current_time, sleep=anyio.sleep)

    def fail(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("callsavvy_async.wire.codec.Codec.decode", fail)
    async with Callsavvy(
        public_key=PUBLIC_KEY,
        private_key=PRIVATE_KEY,
        base_url=sim.base_url,
        allow_insecure=True,
        transport=httpx.ASGITransport(app=sim),
    ) as client:
        run = client.bulk.sms(numbers(50), "Hello", chunk_size=25, max_in_flight=1)
        with pytest.raises(RuntimeError, match="a bug"):
            await run
    assert sim.ledger.charged.total() == 25
    assert (run.report.unknown, run.report.pending, run.report.stopped) == (25, 25, StopReason.ERROR)


async def test_an_error_in_the_rest_of_the_source_is_raised_after_a_stop():
    """A source may break while its rest is only being counted."""

    def rows():
        yield from numbers(1000)
        raise OSError("late")

    run = bulk_over(FakeMessaging(raising(no_balance()))).sms(rows(), "Hello", chunk_size=10, max_in_flight=1)
    with pytest.raises(OSError, match="late"):
        await run
    run.report.check()
    assert run.report.given == 1000
    assert run.report.stopped is StopReason.BALANCE


async def test_a_run_is_started_once():
    """Awaiting a run again would send again."""
    run = bulk_over(FakeMessaging()).sms(numbers(1), "Hello")
    await run
    with pytest.raises(InvalidRequestError, match="awaited only once"):
        await run


# ------------------------------------------------------------------------------------------------------------ streaming


async def test_results_stream_as_they_come():
    """Iterating yields one result per call, while the run goes on."""
    bulk = bulk_over(FakeMessaging())
    results = [result async for result in bulk.sms(numbers(25), "Hello", chunk_size=10)]
    assert [result.state for result in results] == [ChunkState.ACCEPTED] * 3
    assert sum(len(result.recipients) for result in results) == 25
    assert "+234" not in repr(results)
    assert "Hello" not in repr(results)


async def test_a_stream_is_its_own_iterator():
    """The iterator of a run may be held, and iterated over."""
    stream = aiter(bulk_over(FakeMessaging()).sms(numbers(25), "Hello"))
    assert [len(result.recipients) async for result in stream] == [25]


async def test_leaving_the_loop_stops_the_run():
    """After a break nothing more is sent."""
    fake = FakeMessaging()
    run = bulk_over(fake).sms(numbers(1000), "Hello", chunk_size=10, max_in_flight=2)
    async for _ in run:
        break
    await anyio.sleep(60)
    assert len(fake.calls) <= 4
    run.report.check()


async def test_a_cancelled_stream_drains():
    """Cancelling the loop waits for what is on the wire."""
    fake = FakeMessaging(seconds=10)
    run = bulk_over(fake).sms(numbers(100), "Hello", chunk_size=10, max_in_flight=2)
    with anyio.move_on_after(1):
        async for _ in run:
            pass
    run.report.check()
    assert (run.report.accepted, run.report.pending) == (20, 80)


async def test_a_stream_raises_what_its_source_raises():
    """The results come first, the error after them."""

    def rows():
        yield from numbers(10)
        raise OSError("gone")

    seen = []
    with pytest.raises(OSError, match="gone"):
        async for result in bulk_over(FakeMessaging()).sms(rows(), "Hello", chunk_size=5, max_in_flight=1):
            seen.append(result)  # noqa: PERF401 - the loop raises
    assert len(seen) == 2


async def test_a_stream_that_is_never_read_sends_nothing():
    """A stream that is dropped or closed before its first result has not begun."""
    fake = FakeMessaging()
    aiter(bulk_over(fake).sms(numbers(10), "Hello"))
    await aiter(bulk_over(fake).sms(numbers(10), "Hello")).aclose()
    await anyio.sleep(10)
    assert not fake.calls


async def test_results_and_progress_are_handed_on():
    """The callbacks see each result once, and the report after it."""
    seen, accepted = [], []
    await bulk_over(FakeMessaging()).sms(
        numbers(30),
        "Hello",
        chunk_size=10,
        max_in_flight=1,
        on_result=seen.append,
        on_progress=lambda report: accepted.append(report.accepted),
    )
    assert len(seen) == 3
    assert accepted == [10, 20, 30]


# ------------------------------------------------------------------------------------------------------ the three channels


async def test_whatsapp_never_takes_more_than_thirty():
    """At most 30 recipients a call, always (quirk Q49)."""
    fake = FakeMessaging()
    await bulk_over(fake).whatsapp(numbers(125), "Hello", channel_uid="c", max_in_flight=1)
    assert [len(call) for call in fake.calls] == [NARROW, 30, 30, 30, 10]
    with pytest.raises(InvalidRequestError, match="at most 30"):
        bulk_over(fake).whatsapp(numbers(100), "Hello", channel_uid="c", chunk_size=31)


async def test_robocall_text_and_audio():
    """A robocall reads a text or plays a recording, and its estimate is minutes per recipient."""
    fake = FakeMessaging()
    await bulk_over(fake).robocall(numbers(3), "Hello", duration_minutes=2)
    await bulk_over(fake).robocall(numbers(3), audio_url="https://a/b.mp3", duration_minutes=2)
    assert [("text" in o, "audio_url" in o) for o in fake.options] == [(True, False), (False, True)]
    stopped = await bulk_over(fake).robocall(
        numbers(10), "Hello", duration_minutes=2, chunk_size=1, max_cost=7, max_in_flight=1
    )
    assert stopped.stopped is StopReason.MAX_COST


async def test_mail_merge_shares_calls_between_equal_texts():
    """Recipients whose rendered text is equal share a call."""
    rows = [{"phone": n, "city": "Lagos" if i % 2 else "Kano"} for i, n in enumerate(numbers(50))]
    fake = FakeMessaging()
    report = await bulk_over(fake).sms(rows, template="Hello {city}")
    assert report.accepted == 50
    assert Counter(fake.texts) == {"Hello Lagos": 1, "Hello Kano": 1}


async def test_a_row_that_cannot_be_rendered_is_skipped_not_lost():
    """A missing field skips the row; a later row of the same number that has it is still sent."""
    rows = [{"phone": numbers(1)[0], "name": ""}, {"phone": numbers(1)[0], "name": "Ada"}]
    fake = FakeMessaging()
    report = await bulk_over(fake).sms(rows, template="Hello {name}")
    assert report.skipped == {SkipReason.INVALID: 1}
    assert fake.texts == ["Hello Ada"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"chunk_size": 0}, "chunk_size is 0; it must be at least 1"),
        ({"max_in_flight": 0}, "max_in_flight is 0; it must be a whole number, 1 or more"),
        ({"max_in_flight": "8"}, "max_in_flight is '8'"),
        ({"stop_after": 0}, "stop_after is 0"),
        ({"deadline": 0}, "deadline is 0; it must be a number of seconds above 0"),
        ({"deadline": "soon"}, "deadline is 'soon'"),
        ({"timeout": -1}, "timeout is -1"),
        ({"max_retries": -1}, "max_retries is -1; it must be a whole number, 0 or more"),
        ({"max_cost": -1}, "max_cost is -1; it must be a number of units"),
        ({"max_cost": "much"}, "max_cost is 'much'"),
        ({"on_result": "print"}, "on_result is 'print'; it must be a plain function"),
        ({"on_progress": anyio.sleep}, "on_progress is .* plain function, not"),
        ({"dry_run": True}, "a bulk send has no option 'dry_run'. It has: chunk_size, column"),
        ({"supress": ()}, "no option 'supress'. Did you mean 'suppress'"),
        ({"max_in_fligth": 3}, "Did you mean 'max_in_flight'"),
    ],
)
async def test_bad_options_raise_before_anything_is_read(options, error):
    """The error names the option, its value and the rule; a bulk send and its plan refuse alike."""
    bulk, message = bulk_over(FakeMessaging()), SMS("Hello")
    for take in (bulk.send, bulk.plan):
        with pytest.raises((ConfigurationError, InvalidRequestError), match=error):
            take(iter(()), message, **options)
    with pytest.raises((ConfigurationError, InvalidRequestError), match=error):
        bulk.sms(iter(()), "Hello", **options)


async def test_what_is_no_message_is_refused():
    """A bare text names no channel, and a budget is kept only where a cost is documented."""
    bulk = bulk_over(FakeMessaging())
    for take in (bulk.send, bulk.plan):
        with pytest.raises(InvalidRequestError, match="of type str"):
            take([], "Hello")
        with pytest.raises(InvalidRequestError, match=r"max_cost is .* the cost of whatsapp"):
            take([], WhatsApp("x", channel_uid="c"), max_cost=1)


async def test_options_of_requests_reach_every_request():
    """A request may wait for the limit as long as it takes; timeout, max_retries and extra are those of single sends."""
    fake = FakeMessaging()
    await bulk_over(fake).send(numbers(1), SMS("x", sender_id="Acme"), timeout=3.0, max_retries=0, extra={"a": "b"})
    await bulk_over(fake).send(numbers(1), SMS("x"))
    own = {"sender_id": "Acme", "deadline": None, "timeout": 3.0, "max_retries": 0, "extra": {"a": "b"}}
    assert fake.options == [own, {"sender_id": None, "deadline": None}]


async def test_a_deadline_ends_the_run():
    """After so many seconds nothing more is sent, what is on the wire is waited for, and nothing more is read."""

    async def endless():
        for n in range(10**9):
            yield f"+23480{n:08d}"
            await anyio.sleep(0.01)

    fake = FakeMessaging(seconds=1.0)
    report = await bulk_over(fake).sms(numbers(100), "Hello", chunk_size=10, max_in_flight=2, deadline=2.5)
    assert (report.accepted, report.pending, report.stopped) == (60, 40, StopReason.DEADLINE)
    assert report.elapsed == pytest.approx(3.0)
    endless_report = await bulk_over(fake).sms(endless(), "Hello", chunk_size=10, max_in_flight=1, deadline=3.05)
    assert (endless_report.stopped, endless_report.input_complete) == (StopReason.DEADLINE, False)
    early = await bulk_over(fake).sms(numbers(10), "Hello", deadline=60)
    assert (early.accepted, early.stopped) == (10, None)


async def test_a_deadline_hides_no_error():
    """What the recipients raise comes out as it is, in no group of exceptions."""

    def rows():
        yield from numbers(10)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await bulk_over(FakeMessaging()).sms(rows(), "Hello", deadline=60)


async def test_a_field_that_nobody_has_sends_nothing():
    """A template that does not fit its recipients is refused before the first request, also where all have a default."""
    fake = FakeMessaging()
    people = [{"phone": number, "name": "Ada"} for number in numbers(300)]
    for rows, template in (
        (people, "Hi {nam}"),
        (people, "Hi {nam|you}"),
        (numbers(300), "Hi {name|you}"),
        (people[:3], "{nam|x}"),
    ):
        run = bulk_over(fake).sms(rows, template=template, chunk_size=1)
        with pytest.raises(InvalidRequestError, match="the template names"):
            await run
        run.report.check()
        assert run.report.accepted == 0
    assert not fake.calls


async def test_a_default_stands_for_those_who_have_no_value():
    """A field that some have and others lack is filled in for all."""
    fake = FakeMessaging()
    names = [{}, {"name": ""}, {"name": "Ada"}]
    rows = [{"phone": number, **name} for number, name in zip(numbers(3), names, strict=True)]
    report = await bulk_over(fake).sms(rows, template="Hi {name|friend}")
    assert report.accepted == 3
    assert sorted(fake.texts) == ["Hi Ada", "Hi friend"]


def test_plan_counts_without_sending():
    """plan() reads the recipients once and says what a send would do."""
    fake = FakeMessaging()
    plan = bulk_over(fake).plan([*numbers(61), "abc"], WhatsApp("Hello", channel_uid="c"), balance=Decimal(5))
    assert (plan.recipients, plan.requests, plan.most_requests) == (61, 3, 3)
    assert bulk_over(fake).plan(numbers(2), Robocall("x", duration=3)).estimated_units == 6
    assert not fake.calls


@pytest.mark.parametrize("count", [1, 30, 150, 200, 500, 1000])
@pytest.mark.parametrize("rate", [None, "1/s"])
async def test_a_send_makes_as_many_requests_as_its_plan_says(count, rate):
    """Where requests are free, and where each waits for the limit, their number is within that of the plan."""
    sim = Simulator(sms_balance=10**6, clock=current_time, sleep=anyio.sleep)
    async with Callsavvy(
        public_key=PUBLIC_KEY,
        private_key=PRIVATE_KEY,
        base_url=sim.base_url,
        allow_insecure=True,
        transport=httpx.ASGITransport(app=sim),
        pacing=Unlimited() if rate is None else FixedRate(rate),
    ) as client:
        plan = client.bulk.plan(numbers(count), SMS("Hello"))
        report = await client.bulk.send(numbers(count), SMS("Hello"))
    assert plan.requests <= report.requests <= plan.most_requests
    assert report.requests == len(sim.ledger.requests)


# ------------------------------------------------------------------------------------------------------------- property


@examples(60)
@given(
    outcomes=st.lists(st.sampled_from(["ok", "failed", "unknown", "rejected", "named", "not_sent"]), max_size=40),
    count=st.integers(0, 120),
    size=st.integers(1, 40),
    workers=st.integers(1, 6),
    stop_at=st.one_of(st.none(), st.floats(0, 30)),
    abandon=st.booleans(),
)
def test_nobody_is_lost_or_reached_twice(outcomes, count, size, workers, stop_at, abandon):
    """Whatever the API answers and whenever it is stopped: the sums add up, no number is in two accepted calls."""
    plan = iter(outcomes)
    accepted: Counter[str] = Counter()

    def script(call):
        match next(plan, "ok"):
            case "failed":
                return FAIL
            case "unknown":
                raise unknown()
            case "rejected":
                raise rejected()
            case "named":
                raise rejected("Invalid recipient")
            case "not_sent":
                raise not_sent()
        accepted.update(call)
        return ACCEPT

    async def main():
        run = bulk_over(FakeMessaging(script)).sms(
            numbers(count), "x", chunk_size=size, max_in_flight=workers, stop_after=3
        )
        async with anyio.create_task_group() as group:
            if stop_at is not None:
                group.start_soon(_after, stop_at, run.abandon if abandon else run.stop)
            await run
            group.cancel_scope.cancel()
        return run.report

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        report = runner.run(main())
    report.check()
    assert report.given == count
    rows = Counter(row.recipient for row in report.rows())
    assert rows == Counter(dict.fromkeys(numbers(count), 1))
    assert all(times == 1 for times in accepted.values())
    assert accepted.total() >= report.accepted
    assert math.isclose(report.accepted, sum(row.outcome == "accepted" for row in report.rows()))
