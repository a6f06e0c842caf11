"""A worker that has nothing to send does not wait for company for ever; one that has, waits, and saves requests."""

from __future__ import annotations

import random
from collections import Counter

import anyio
import pytest

from callsavvy_async.bulk.source import PATIENCE
from tests.profiles import mostly_long

from .fakes import FakeMessaging, bulk_over, numbers

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(quick_virtual_time):
    """Every test here runs in virtual time, under asyncio and trio."""
    return quick_virtual_time


class Timed(FakeMessaging):
    """Remembers when each number was sent to."""

    def __init__(self):
        super().__init__(seconds=0.1)
        self.at: dict[str, float] = {}

    async def send_sms(self, recipients, message, **options):
        people = list(recipients)
        self.at.update(dict.fromkeys(people, anyio.current_time()))
        return await super().send_sms(people, message, **options)


@pytest.mark.parametrize("workers", mostly_long([1, 8]))
@pytest.mark.parametrize("content", [{"text": "Hello"}, {"template": "Hi {name}"}], ids=["one text", "many"])
async def test_a_stream_that_trickles_is_sent_as_it_comes(workers, content):
    """Who waits in a stream that yields slowly leaves soon, and not when the chunk is full or the stream ends."""
    given: dict[str, float] = {}

    async def trickle():
        for n, number in enumerate(numbers(40)):
            given[number] = anyio.current_time()
            yield {"phone": number, "name": f"name {n % 13}"}
            await anyio.sleep(0.3 if n % 10 else 600)

    fake = Timed()
    report = await bulk_over(fake).sms(trickle(), chunk_size=100, max_in_flight=workers, **content)
    assert report.accepted == 40
    assert fake.reached == Counter(numbers(40))
    assert max(fake.at[number] - given[number] for number in given) < 4 * PATIENCE


async def test_a_stream_that_stops_for_good_leaves_nobody_waiting():
    """Behind the last row nothing comes, and the stream does not end either: everybody was sent to all the same."""
    fake = FakeMessaging(seconds=0.1)

    async def hanging():
        for n, number in enumerate(numbers(30)):
            yield {"phone": number, "name": str(n)}
        await anyio.sleep_forever()

    run = bulk_over(fake).sms(hanging(), template="Hi {name}", max_in_flight=2)
    with anyio.move_on_after(60):
        await run
    assert run.report.accepted == 30
    assert not run.report.input_complete
    run.report.check()


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_list_is_sent_in_full_chunks_whatever_its_order(asynchronous):
    """A list is read faster than its texts fill, so nobody is impatient: as few requests as there can be."""
    rows = [{"phone": number, "name": str(n % 90)} for n, number in enumerate(numbers(1800))]
    random.Random(3).shuffle(rows)

    async def stream():
        for row in rows:
            yield row

    fake = FakeMessaging(seconds=0.01)
    report = await bulk_over(fake).sms(
        stream() if asynchronous else rows, template="Hi {name}", chunk_size=20, max_in_flight=1
    )
    assert report.requests == 90
    assert {len(call) for call in fake.calls} == {20}


async def test_rows_are_not_read_ahead_of_the_workers():
    """A stream is asked for rows only while a worker waits for a chunk."""
    read = 0

    async def stream():
        nonlocal read
        for number in numbers(1000):
            read += 1
            yield number

    fake = FakeMessaging(seconds=1)
    run = bulk_over(fake).sms(stream(), "Hello", chunk_size=10, max_in_flight=2)
    with anyio.move_on_after(2.5):
        await run
    assert read <= 10 * (len(fake.calls) + 2)
    run.report.check()


async def test_a_stream_that_breaks_while_all_are_busy_is_raised():
    """An error of the stream that nobody was waiting for comes out all the same, after what was sent."""

    async def stream():
        for number in numbers(25):
            yield number
        raise OSError("the socket is gone")

    run = bulk_over(FakeMessaging()).sms(stream(), "Hello", chunk_size=10, max_in_flight=2)
    with pytest.raises(OSError, match="the socket is gone"):
        await run
    run.report.check()
    assert run.report.accepted + run.report.pending == 25
    assert not run.report.input_complete
