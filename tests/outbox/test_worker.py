"""The worker sends each committed row once, in the order of its recipient, and says what it could not send."""

from __future__ import annotations

import json
import sqlite3

import anyio
import psycopg
import pytest

from callsavvy_async import AuthenticationError, Callsavvy, ConfigurationError, ConnectError, Unlimited
from callsavvy_async.campaigns import JournalError
from callsavvy_async.outbox import Outbox, OutboxReport, OutboxWorker, worker as worker_module
from callsavvy_async.outbox.worker import table_of
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Fault, Simulator, SimulatorServer
from tests.profiles import trio_is_long

from .conftest import Place

pytestmark = [pytest.mark.anyio, pytest.mark.sockets, trio_is_long]

NUMBER, OTHER = "+2348012345678", "+2348012345679"


def make(server: SimulatorServer, place: Place, **options) -> Callsavvy:
    keys = {"public_key": PUBLIC_KEY, "private_key": PRIVATE_KEY}
    return Callsavvy(**{**keys, "base_url": server.url, "timeout": 10, "journal": place.journal, **options})


def enqueue(place: Place, *messages: tuple[str, str], key: str | None = None) -> None:
    connection = sqlite3.connect(place.database) if place.dialect == "sqlite" else psycopg.connect(place.database)
    for recipient, text in messages:
        Outbox().send_sms(connection, recipient, text, key=key)
    connection.commit()
    connection.close()


async def work(server: SimulatorServer, place: Place, **options) -> OutboxReport:
    """Send until the outbox is empty."""
    async with make(server, place, **options) as callsavvy:
        return await OutboxWorker(callsavvy, place.outbox, forever=False, poll=0.05).work()


def states(place: Place) -> list[str]:
    return [state for (state,) in place.query("SELECT state FROM callsavvy_outbox ORDER BY id")]


async def test_what_was_committed_is_sent(place: Place, server: SimulatorServer, sim: Simulator) -> None:
    """A row becomes one request and disappears."""
    enqueue(place, (NUMBER, "a"), (OTHER, "b"))
    assert await work(server, place) == OutboxReport(sent=2)
    assert sim.ledger.charged == {NUMBER: 1, OTHER: 1}
    assert states(place) == []


async def test_rows_of_one_recipient_keep_their_order(place: Place, server: SimulatorServer) -> None:
    """Of several rows in flight, no two are for one recipient."""
    texts, sent, in_flight = [str(number) for number in range(10)], [], set()
    enqueue(place, *((number, text) for text in texts for number in (NUMBER, OTHER)))

    class Recorder:
        async def send_sms(self, recipient: str, text: str, **_: object) -> None:
            assert recipient not in in_flight
            in_flight.add(recipient)
            await anyio.sleep(0.01)
            in_flight.remove(recipient)
            sent.append((recipient, text))

    async with make(server, place) as callsavvy:
        callsavvy.messaging = Recorder()
        await OutboxWorker(callsavvy, place.outbox, forever=False, poll=0.05).work()
    for number in (NUMBER, OTHER):
        assert [text for recipient, text in sent if recipient == number] == texts


async def test_one_key_is_one_send(place: Place, server: SimulatorServer, sim: Simulator) -> None:
    """Two rows with a key, and the client's own send with it, are one request."""
    enqueue(place, (NUMBER, "a"), (NUMBER, "a"), key="order-17")
    assert await work(server, place) == OutboxReport(sent=2)
    async with make(server, place) as callsavvy:
        await callsavvy.messaging.send_sms(NUMBER, "a", key="order-17")
    assert sim.ledger.charged == {NUMBER: 1}


async def test_an_unknown_outcome_stays_until_a_person_resolves_it(
    place: Place, server: SimulatorServer, sim: Simulator
) -> None:
    """The key lists it, nothing is sent again, and a later worker acts on what the person said."""
    sim.faults.next("sendSMS", Fault.DROP_UNPROCESSED)
    enqueue(place, (NUMBER, "a"), key="order-17")
    assert await work(server, place) == OutboxReport(unknown=1)
    assert await work(server, place) == OutboxReport(unknown=1)
    assert (states(place), sim.ledger.charged) == (["unknown"], {})
    async with make(server, place) as callsavvy:
        keys = await callsavvy.keys()
        assert [one.key for one in await keys.unknown()] == ["order-17"]
        await keys.resolve("order-17", as_sent=False)
    assert await work(server, place) == OutboxReport(sent=1)
    assert (states(place), sim.ledger.charged) == ([], {NUMBER: 1})


async def test_a_rejected_message_stays_with_its_reason(place: Place, server: SimulatorServer, sim: Simulator) -> None:
    """Later messages go on, and a person opens it again."""
    sim.faults.next("sendSMS", Fault.with_status(400))
    enqueue(place, (NUMBER, "a"), (NUMBER, "b"))
    assert await work(server, place) == OutboxReport(sent=1, failed=1)
    async with make(server, place) as callsavvy:
        table, writer = table_of(await callsavvy.keys(), place.outbox, 0)
        if place.outbox is not None:
            await writer.open()
        (failed,) = await table.failed()
        assert "400" in failed.detail
        assert await table.reopen("failed") == 1
        if place.outbox is not None:
            await writer.close()
    assert await work(server, place) == OutboxReport(sent=1)
    assert sim.ledger.charged == {NUMBER: 2}


@pytest.mark.parametrize("message", ["{", "[]", json.dumps({"channel": "pigeon"}), json.dumps({"channel": "sms"})])
async def test_a_row_that_no_outbox_wrote_fails(sqlite: Place, server: SimulatorServer, message: str) -> None:
    """It neither stops the worker nor is it sent."""
    columns = f"'k', '{NUMBER}', '{message}'"
    sqlite.query(f"INSERT INTO callsavvy_outbox (key, recipient, message) VALUES ({columns})")
    assert await work(server, sqlite) == OutboxReport(failed=1)


async def test_another_content_under_a_key_fails(place: Place, server: SimulatorServer, sim: Simulator) -> None:
    """The key belongs to the first content."""
    enqueue(place, (NUMBER, "a"), (NUMBER, "b"), key="order-17")
    assert await work(server, place) == OutboxReport(sent=1, failed=1)
    assert sim.ledger.charged == {NUMBER: 1}


async def test_wrong_keys_end_the_work_and_keep_the_messages(place: Place, server: SimulatorServer) -> None:
    """Each message would meet the same error."""
    enqueue(place, (NUMBER, "a"), (OTHER, "b"))
    with pytest.raises(AuthenticationError):
        await work(server, place, private_key="wrong")
    assert states(place) == ["pending"] * 2
    assert await work(server, place) == OutboxReport(sent=2)


async def test_an_unreachable_api_ends_a_worker_that_does_not_wait(sqlite: Place, server: SimulatorServer) -> None:
    """The messages stay in the outbox."""
    enqueue(sqlite, (NUMBER, "a"))
    with pytest.raises(ConnectError):
        await work(server, sqlite, base_url="http://127.0.0.1:9", max_retries=0)
    assert states(sqlite) == ["pending"]


async def test_a_worker_that_waits_tries_again(
    sqlite: Place, server: SimulatorServer, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failure that did nothing, it pauses, and sends the message later."""
    monkeypatch.setattr(worker_module, "_FIRST_PAUSE", 0.01)
    sim.faults.next("sendSMS", Fault.with_status(503, retry_after="0"), times=2)
    enqueue(sqlite, (NUMBER, "a"))
    async with make(server, sqlite, max_retries=0) as callsavvy, anyio.create_task_group() as group:
        worker = OutboxWorker(callsavvy, sqlite.outbox, poll=0.05)
        group.start_soon(worker.work)
        with anyio.fail_after(60):
            while worker.report.sent < 1:  # noqa: ASYNC110 - the worker has no event for it
                await anyio.sleep(0.01)
        worker.stop()
    assert sim.ledger.charged == {NUMBER: 1}


async def test_a_commit_wakes_a_worker(postgresql: Place, server: SimulatorServer) -> None:
    """NOTIFY comes long before the next look."""
    async with make(server, postgresql) as callsavvy, anyio.create_task_group() as group:
        worker = OutboxWorker(callsavvy, poll=60)
        group.start_soon(worker.work)
        await anyio.sleep(0.5)
        with anyio.fail_after(60):
            for number in range(2):
                enqueue(postgresql, (NUMBER, str(number)))
                while worker.report.sent <= number:  # noqa: ASYNC110 - the worker has no event for it
                    await anyio.sleep(0.01)
        worker.stop()


async def test_a_cancelled_worker_gives_back_what_it_did_not_send(
    place: Place, server: SimulatorServer, sim: Simulator
) -> None:
    """It waits for the request in flight, and another worker of the same process sends the rest."""
    sim.latency = lambda _: 0.2
    enqueue(place, (NUMBER, "a"), (OTHER, "b"))
    async with make(server, place, pacing=Unlimited(max_in_flight=1)) as callsavvy:
        async with anyio.create_task_group() as group:
            group.start_soon(OutboxWorker(callsavvy, place.outbox).work)
            with anyio.fail_after(60):
                while not sim.ledger.requests:  # noqa: ASYNC110 - the simulator has no event for it
                    await anyio.sleep(0.01)
            group.cancel_scope.cancel()
        sim.latency = lambda _: 0.0
        await OutboxWorker(callsavvy, place.outbox, forever=False).work()
    assert sim.ledger.charged == {NUMBER: 1, OTHER: 1}
    assert states(place) == []


async def test_abandoning_leaves_the_request_in_flight_unknown(
    sqlite: Place, server: SimulatorServer, sim: Simulator
) -> None:
    """The worker ends without its response."""
    sim.latency = lambda _: 5.0
    enqueue(sqlite, (NUMBER, "a"))
    async with make(server, sqlite) as callsavvy, anyio.create_task_group() as group:
        worker = OutboxWorker(callsavvy, sqlite.outbox)
        group.start_soon(worker.work)
        with anyio.fail_after(4):
            while not sim.ledger.requests:  # noqa: ASYNC110 - the simulator has no event for it
                await anyio.sleep(0.01)
        worker.abandon()
    assert worker.report == OutboxReport(unknown=1)


async def test_where_the_outbox_is_must_be_clear(place: Place, server: SimulatorServer, tmp_path) -> None:
    """A missing table, file or name is an error that says what to do."""
    place.query("DROP TABLE callsavvy_outbox")
    with pytest.raises(ConfigurationError, match="no table callsavvy_outbox; create it with"):
        await work(server, place)
    file = Place("sqlite", "", f"sqlite:///{tmp_path / 'other.db'}", None)
    with pytest.raises(ConfigurationError, match="name it, as in OutboxWorker"):
        await work(server, file)
    async with make(server, file) as callsavvy:
        with pytest.raises(JournalError, match="there is no file"):
            await OutboxWorker(callsavvy, f"sqlite:///{tmp_path / 'none.db'}", patience=0).work()
        with pytest.raises(ConfigurationError, match="write sqlite:///file"):
            await OutboxWorker(callsavvy, "mysql://db").work()
