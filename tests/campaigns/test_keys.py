"""One request for each key, whatever its callers and their processes go through."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import anyio
import pytest

from callsavvy_async import (
    Callsavvy,
    ConfigurationError,
    DeadlineExceededError,
    Effect,
    InvalidRequestError,
    KeyReusedError,
    NotSentError,
    OutcomeUnknownError,
    RejectedError,
)
from callsavvy_async.campaigns import Journal, JournalError, JournalInUseError, JournalUnavailableError
from callsavvy_async.campaigns.client_journal import ClientJournal
from callsavvy_async.campaigns.journal import keyed
from callsavvy_async.campaigns.journal.runs import PROCESS_DIED
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, WHATSAPP_UID, Fault, Simulator, SimulatorServer

from .conftest import only_postgresql, only_sqlite

pytestmark = [pytest.mark.anyio, pytest.mark.sockets]
every_journal = pytest.mark.every_journal
"""For rules that the database keeps; those that the client keeps are held over the first."""

NUMBER, OTHER_NUMBER, TEXT, KEY = "+2348012345678", "+2348012345679", "Your order has shipped", "order-17-shipped"


def make(server: SimulatorServer, journal: str | Journal, **options) -> Callsavvy:
    keys = {"public_key": PUBLIC_KEY, "private_key": PRIVATE_KEY}
    return Callsavvy(**{**keys, "base_url": server.url, "timeout": 10, "journal": journal, **options})


@pytest.fixture
async def callsavvy(journal: Journal, server: SimulatorServer) -> AsyncIterator[Callsavvy]:
    async with make(server, journal) as opened:
        yield opened


def send(client: Callsavvy, *, key: str = KEY, text: str = TEXT, **options):
    return client.messaging.send_sms(NUMBER, text, key=key, **options)


def create_ticket(client: Callsavvy, sim: Simulator, **options):
    department = next(iter(sim.world.departments))
    person = {"sender_name": "Ada", "sender_email": "ada@example.com"}
    return client.tickets.create(department_id=department, subject="s", message="m", **person, **options)


async def until(holds) -> None:
    """Wait for what happens in another thread."""
    while not holds():  # noqa: ASYNC110
        await anyio.sleep(0.01)


def posts(sim: Simulator) -> int:
    return sim.ledger.posts("sendSMS")


# ---------------------------------------------------------------------------------------------------------- one request


@every_journal
async def test_the_second_request_returns_the_receipt_of_the_first(callsavvy, sim):
    """The same key, at once or later, is one request, and every caller gets its whole receipt."""
    first, second = await send(callsavvy), await send(callsavvy)
    assert first == second
    assert first.raw == second.raw != b""
    assert first.cost == Decimal(1)
    assert posts(sim) == 1
    await send(callsavvy, key="order-18-shipped")
    assert posts(sim) == 2


@every_journal
async def test_callers_at_the_same_time_share_one_request(callsavvy, sim):
    """Whoever comes while the request is under way waits for its receipt."""
    sim.latency = lambda _: 0.05
    receipts = []

    async def one():
        receipts.append(await send(callsavvy))

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(one)
    assert len({receipt.message_id for receipt in receipts}) == 1
    assert len(receipts) == 10
    assert posts(sim) == 1


@every_journal
async def test_a_later_process_gets_the_receipt(url, server, sim):
    """A key outlives its process: a client with the same journal sends nothing."""
    async with make(server, url) as callsavvy:
        first = await send(callsavvy)
    async with make(server, url) as callsavvy:
        assert (await send(callsavvy)).raw == first.raw
    assert posts(sim) == 1


@every_journal
@only_postgresql
async def test_clients_of_several_processes_share_one_request(url, server, sim):
    """Two journals on one PostgreSQL, as two processes have them, make one request of one key."""
    sim.latency = lambda _: 0.05
    receipts = []

    async def one(callsavvy):
        receipts.append(await send(callsavvy))

    async with (
        make(server, url) as first,
        make(server, url) as second,
        anyio.create_task_group() as group,
    ):
        for _ in range(5):
            group.start_soon(one, first)
            group.start_soon(one, second)
    assert len({receipt.message_id for receipt in receipts}) == 1
    assert len(receipts) == 10
    assert posts(sim) == 1


@only_sqlite
async def test_another_process_is_refused_a_file(url, server):
    """One process at a time has a SQLite journal; another one learns it when its client opens."""
    async with make(server, url):
        with pytest.raises(JournalInUseError, match="open in another process"):
            async with make(server, url):
                pass


async def test_every_kind_of_request_that_creates_or_charges(callsavvy, sim):
    """One mechanism serves all endpoints."""
    calls = {
        "sendWhatsapp": lambda key: callsavvy.messaging.send_whatsapp(NUMBER, TEXT, channel_uid=WHATSAPP_UID, key=key),
        "sendRobocall": lambda key: callsavvy.messaging.send_robocall(
            NUMBER, duration_minutes=1, text="Hello", key=key
        ),
        "createTicket": lambda key: create_ticket(callsavvy, sim, key=key),
        "createMeeting": lambda key: callsavvy.meetings.create("Review", key=key),
        "createContact": lambda key: callsavvy.contacts.create("Ada", phone=NUMBER, key=key),
    }
    for resource, call in calls.items():
        before = sim.ledger.posts(resource)
        first = await call(resource)
        assert (await call(resource)).raw == first.raw
        assert sim.ledger.posts(resource) == before + 1
    ticket = await create_ticket(callsavvy, sim)
    replies = [await callsavvy.tickets.reply(ticket.ticket_id, message="Yes", key="reply") for _ in range(2)]
    assert replies[0].raw == replies[1].raw
    assert sim.ledger.posts("replyTicket") == 1


async def test_a_reply_of_a_later_second_is_the_same_reply(callsavvy, sim):
    """The time of a reply is not part of its content, because each attempt fills it in anew."""
    ticket = await create_ticket(callsavvy, sim)
    for second in (1, 2):
        moment = datetime(2026, 11, 30, 12, 0, second)  # noqa: DTZ001 - the API's times are naive
        await callsavvy.tickets.reply(ticket.ticket_id, message="Yes", replied_at=moment, key="reply")
    assert sim.ledger.posts("replyTicket") == 1


async def test_a_set_of_numbers_is_the_same_in_every_process(callsavvy, sim):
    """The order of a set differs between processes, so it is not part of the content."""
    numbers = [f"+23480123456{n:02}" for n in range(20)]
    await callsavvy.messaging.send_sms({*numbers}, TEXT, key=KEY)
    await callsavvy.messaging.send_sms({*reversed(numbers)}, TEXT, key=KEY)
    await callsavvy.messaging.send_sms(sorted(numbers), TEXT, key=KEY)
    assert posts(sim) == 1


async def test_the_raw_response_of_a_recorded_receipt(callsavvy):
    """`with_raw_response` shows the recorded body, and that this call made no attempt."""
    made = await callsavvy.with_raw_response(callsavvy.messaging.send_sms, NUMBER, TEXT, key=KEY)
    recorded = await callsavvy.with_raw_response(callsavvy.messaging.send_sms, NUMBER, TEXT, key=KEY)
    assert len(made.attempts) == 1
    assert recorded.attempts == ()
    assert (recorded.status_code, recorded.body, recorded.value) == (made.status_code, made.body, made.value)


@every_journal
async def test_an_account_has_its_own_keys(journal, server, sim):
    """Clients of two accounts, or of two servers, may use the same key in one journal."""
    for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
        async with make(server, journal, base_url=url) as callsavvy:
            await send(callsavvy)
    assert posts(sim) == 2


# ------------------------------------------------------------------------------------------------------------ refused


async def test_the_same_key_with_other_content(callsavvy, sim):
    """It is refused before anything is sent, and the error shows neither numbers nor texts."""
    key = f"otp for {NUMBER}"
    await send(callsavvy, key=key)
    for attempt in (
        send(callsavvy, key=key, text="Another text"),
        callsavvy.messaging.send_sms(OTHER_NUMBER, TEXT, key=key),
        send(callsavvy, key=key, sender_id="Acme"),
        send(callsavvy, key=key, extra={"beta": "1"}),
        callsavvy.messaging.send_whatsapp(NUMBER, TEXT, channel_uid="uid", key=key),
    ):
        with pytest.raises(KeyReusedError, match="other content") as refused:
            await attempt
        assert not [word for word in (NUMBER, OTHER_NUMBER, TEXT, "Another text") if word in str(refused.value)]
    assert sum(sim.ledger.posts(resource) for resource in ("sendSMS", "sendWhatsapp")) == 1


async def test_without_a_journal(server, sim):
    """A key without a journal promises nothing, so it is refused before anything is sent."""
    async with make(server, None) as callsavvy:
        with pytest.raises(ConfigurationError, match="key= needs a journal"):
            await send(callsavvy)
        with pytest.raises(ConfigurationError, match=r"keys\(\) needs a journal"):
            await callsavvy.keys()
    assert posts(sim) == 0


@pytest.mark.parametrize("key", ["", "a" * 256, "a\nb", "a\0b", "\ud800", 17, None])
async def test_what_is_no_key(callsavvy, sim, key):
    """A key is a printable text of at most 255 characters; the error does not show it."""
    with pytest.raises(ConfigurationError, match="1 to 255 printable characters"):
        await send(callsavvy, key=key)
    assert posts(sim) == 0


async def test_where_a_key_makes_no_sense(callsavvy):
    """Reads and deletions may be repeated, and settings of several requests have no key."""
    for attempt in (callsavvy.account.summary(key=KEY), callsavvy.contacts.delete("1", key=KEY)):
        with pytest.raises(ConfigurationError, match="takes no key="):
            await attempt
    with pytest.raises(ConfigurationError, match="belongs to one request"):
        callsavvy.with_options(key=KEY)
    async with callsavvy.batcher() as batcher:
        for attempt in (
            batcher.send_sms(NUMBER, TEXT, key=KEY),
            batcher.send_whatsapp(NUMBER, TEXT, channel_uid="uid", key=KEY),
        ):
            with pytest.raises(ConfigurationError, match="a batch cannot have a key="):
                await attempt


@pytest.mark.parametrize("keep", [timedelta(0), timedelta(days=-1)])
async def test_keys_are_kept_for_some_time(keep):
    """A journal that keeps no keys is refused."""
    with pytest.raises(ConfigurationError, match="keep is"):
        Journal.open("sqlite:///x.db", keep=keep)


# --------------------------------------------------------------------------------------------- nothing was done


async def test_a_rejected_request_frees_its_key(callsavvy, sim, raw):
    """The API did nothing, so the next caller may send, even with other content."""
    sim.faults.next("sendSMS", Fault.with_status(422))
    with pytest.raises(RejectedError):
        await send(callsavvy)
    assert raw("SELECT count(*) FROM keyed") == [(0,)]
    await send(callsavvy, text="A text that the API takes")
    assert sim.ledger.charged == {NUMBER: 1}


async def test_a_request_that_never_left_frees_its_key(url, raw, sim, server):
    """Nothing listens there: the key is free."""
    async with make(server, url, base_url="http://127.0.0.1:1/v1", max_retries=0) as callsavvy:
        with pytest.raises(NotSentError):
            await send(callsavvy)
        assert raw("SELECT count(*) FROM keyed") == [(0,)]


async def test_a_key_that_waits_for_its_retry_has_no_row(callsavvy, sim, raw):
    """A process that is killed between two attempts leaves nothing unknown behind."""
    sim.faults.next("sendSMS", Fault.with_status(429, retry_after="0.3"))
    async with anyio.create_task_group() as group:
        group.start_soon(send, callsavvy)
        await until(lambda: posts(sim))
        await anyio.sleep(0.15)
        assert raw("SELECT count(*) FROM keyed") == [(0,)]
    assert sim.ledger.charged == {NUMBER: 1}


async def test_cancelled_while_it_waits_for_the_limit(url, server, sim, raw):
    """A request that is cancelled before its turn leaves no row."""
    async with make(server, url, rate="1/min") as callsavvy:
        await send(callsavvy, key="first")
        with anyio.move_on_after(0.1):
            await send(callsavvy)
        assert raw("SELECT name FROM keyed") == [("first",)]
    assert posts(sim) == 1


async def test_cancelled_while_its_row_is_written(callsavvy, sim, raw, monkeypatch):
    """The row is written to its end and then deleted: nothing left, so the key is free."""
    depart, begun = keyed.depart, threading.Event()

    def slow(*args):
        begun.set()
        time.sleep(0.1)
        return depart(*args)

    monkeypatch.setattr(keyed, "depart", slow)
    async with anyio.create_task_group() as group:
        group.start_soon(send, callsavvy)
        await until(begun.is_set)
        group.cancel_scope.cancel()
    assert raw("SELECT count(*) FROM keyed") == [(0,)]
    assert posts(sim) == 0


# --------------------------------------------------------------------------------------------------------- unknown


async def lose(callsavvy: Callsavvy, sim: Simulator, *, processed: bool = True) -> None:
    sim.faults.next("sendSMS", Fault.DROP_AFTER_READ if processed else Fault.DROP_UNPROCESSED)
    with pytest.raises(OutcomeUnknownError):
        await send(callsavvy)


async def test_an_unknown_outcome_stays_locked(callsavvy, sim):
    """No later request with the key is sent, and its error says how to go on."""
    await lose(callsavvy, sim)
    for _ in range(2):
        with pytest.raises(
            OutcomeUnknownError, match=r"'order-17-shipped' may have been performed.*callsavvy keys resolve"
        ):
            await send(callsavvy)
    with pytest.raises(KeyReusedError):
        await send(callsavvy, text="Another text")
    assert posts(sim) == 1
    (unknown,) = await (await callsavvy.keys()).unknown()
    assert (unknown.key, unknown.resource) == (KEY, "sendSMS")
    assert "account " in unknown.account
    assert abs(unknown.began - datetime.now(UTC)) < timedelta(minutes=1)
    assert unknown.detail
    assert NUMBER not in repr(unknown)


@every_journal
@pytest.mark.parametrize("as_sent", [True, False])
async def test_a_person_resolves_it(callsavvy, journal, sim, as_sent):
    """Sent: later callers get a receipt without values. Not sent: the next one sends."""
    await lose(callsavvy, sim, processed=as_sent)
    await journal.keys.resolve(KEY, as_sent=as_sent)
    assert await journal.keys.unknown() == ()
    receipt = await send(callsavvy)
    assert (receipt.message_id is None) == as_sent
    assert sim.ledger.charged == {NUMBER: 1}
    with pytest.raises(InvalidRequestError, match="is not unknown"):
        await journal.keys.resolve(KEY, as_sent=as_sent)


async def test_a_key_of_two_accounts_is_resolved_by_its_account(journal, server, sim):
    """Which account is meant is asked, never guessed."""
    for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
        async with make(server, journal, base_url=url) as callsavvy:
            await lose(callsavvy, sim)
    with pytest.raises(InvalidRequestError, match="several accounts"):
        await journal.keys.resolve(KEY, as_sent=True)
    for unknown in await journal.keys.unknown():
        await journal.keys.resolve(KEY, as_sent=True, account=unknown.account)
    assert await journal.keys.unknown() == ()


async def test_cancelled_in_flight(callsavvy, sim):
    """A request that was cancelled on the wire is unknown, and is not sent again."""
    sim.latency = lambda _: 5.0
    async with anyio.create_task_group() as group:
        group.start_soon(send, callsavvy)
        await until(lambda: posts(sim))
        group.cancel_scope.cancel()
    with pytest.raises(OutcomeUnknownError, match="cancelled in flight"):
        await send(callsavvy)
    assert posts(sim) == 1


async def test_waiting_for_another_request_ends_with_the_deadline(callsavvy, sim):
    """The wait for a request under way counts against the deadline; this caller sent nothing."""
    sim.latency = lambda _: 0.6
    async with anyio.create_task_group() as group:
        group.start_soon(send, callsavvy)
        await until(lambda: posts(sim))
        with pytest.raises(DeadlineExceededError, match="still under way") as late:
            await send(callsavvy, deadline=0.1)
        assert late.value.safe_to_resend
    assert posts(sim) == 1


async def leave_under_way(url: str, server: SimulatorServer) -> None:
    """Leave a row as a process does that was killed in flight."""
    async with make(server, url) as callsavvy:
        await send(callsavvy)


@every_journal
async def test_a_killed_process_leaves_its_key_unknown(url, raw, server, sim):
    """Its row is under way for ever, so whoever comes next finds it unknown, and sends nothing."""
    await leave_under_way(url, server)
    raw("UPDATE keyed SET outcome = NULL, status = NULL, body = NULL")
    async with make(server, url) as callsavvy:
        assert [unknown.detail for unknown in await (await callsavvy.keys()).unknown()] == [PROCESS_DIED]
        with pytest.raises(OutcomeUnknownError, match=PROCESS_DIED):
            await send(callsavvy)
        raw("UPDATE keyed SET outcome = NULL")
        if not raw.is_file:  # nobody asked for it yet
            await (await callsavvy.keys()).resolve(KEY, as_sent=True)
            assert (await send(callsavvy)).raw == b""
    assert posts(sim) == 1


@every_journal
@only_postgresql
async def test_a_lost_connection_does_not_kill_a_request_under_way(url, raw, server, sim):
    """The server ends the session while the request is in flight: the process waits for it, and records its outcome."""
    sim.latency = lambda _: 0.4
    receipts = []

    async def one(callsavvy):
        receipts.append(await send(callsavvy))

    async with make(server, url) as callsavvy:
        async with anyio.create_task_group() as group:
            group.start_soon(one, callsavvy)
            await until(lambda: posts(sim))
            raw("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'callsavvy-async'")
            group.start_soon(one, callsavvy)
        assert len({receipt.message_id for receipt in receipts}) == 1
        assert (await send(callsavvy)).raw == receipts[0].raw
    assert posts(sim) == 1


@every_journal
@only_postgresql
async def test_a_late_response_is_recorded_over_unknown(url, raw, server, sim):
    """Another process took a lost session for a death; the response proves what happened."""
    sim.latency = lambda _: 0.4
    async with make(server, url) as callsavvy, make(server, url) as other:
        async with anyio.create_task_group() as group:
            group.start_soon(send, callsavvy)
            await until(lambda: posts(sim))
            raw("UPDATE keyed SET session = session + 1")
            with pytest.raises(OutcomeUnknownError):
                await send(other)
            await (await other.keys()).resolve(KEY, as_sent=False)
        assert (await send(other)).message_id
    assert posts(sim) == 1


# --------------------------------------------------------------------------------------------------- the journal


@every_journal
async def test_an_expired_key_may_be_used_again(url, server, sim, raw):
    """After `keep`, a request with the key is sent again; unknown outcomes do not expire."""
    async with Journal.open(url, keep=timedelta(days=1)) as journal, make(server, journal) as callsavvy:
        await send(callsavvy)
        raw("UPDATE keyed SET expires = expires - 86401")
        await send(callsavvy, text="Another text")
        assert posts(sim) == 2
        await lose_other(callsavvy, sim)
        raw("UPDATE keyed SET expires = expires - 86401")
        with pytest.raises(OutcomeUnknownError):
            await send(callsavvy, key="lost")


async def lose_other(callsavvy: Callsavvy, sim: Simulator) -> None:
    sim.faults.next("sendSMS", Fault.DROP_AFTER_READ)
    with pytest.raises(OutcomeUnknownError):
        await send(callsavvy, key="lost")


@every_journal
async def test_expired_keys_are_deleted_on_the_way(callsavvy, raw, monkeypatch):
    """Nobody has to clean up: every so many requests delete expired keys."""
    monkeypatch.setattr("callsavvy_async.campaigns.keys._DEPARTURES_PER_EXPIRY", 3)
    await send(callsavvy, key="1")
    raw("UPDATE keyed SET expires = 0")
    await send(callsavvy, key="2")
    assert sorted(raw("SELECT name FROM keyed")) == [("1",), ("2",)]
    await send(callsavvy, key="3")
    assert sorted(raw("SELECT name FROM keyed")) == [("2",), ("3",)]


@every_journal
async def test_nothing_leaves_without_the_journal(url, server, sim, monkeypatch):
    """The row cannot be written: nothing is sent, and the key is free when the journal is back."""
    async with Journal.open(url, patience=0) as journal, make(server, journal) as callsavvy:

        def fail(*args):
            raise JournalUnavailableError("gone")

        with monkeypatch.context() as patch:
            patch.setattr(keyed, "depart", fail)
            with pytest.raises(JournalUnavailableError, match="gone"):
                await send(callsavvy)
        assert posts(sim) == 0
        await send(callsavvy)
    assert posts(sim) == 1


@every_journal
async def test_an_unconfirmed_row_is_recognised(callsavvy, sim, monkeypatch):
    """The COMMIT of a row was not confirmed: the repetition finds its own row, and sends."""
    depart = keyed.depart

    def unconfirmed(cursor, session, row):
        assert depart(cursor, session, row)
        return depart(cursor, session, row)

    monkeypatch.setattr(keyed, "depart", unconfirmed)
    await send(callsavvy)
    assert posts(sim) == 1


@every_journal
async def test_a_receipt_is_returned_although_the_journal_is_gone(url, server, sim, monkeypatch, caplog):
    """An accepted request never raises; its outcome is recorded with the next transaction."""
    async with Journal.open(url, patience=0) as journal, make(server, journal) as callsavvy:
        accept = keyed.accept

        def fail(*args):
            raise JournalUnavailableError("gone")

        with monkeypatch.context() as patch:
            patch.setattr(keyed, "accept", fail)
            receipt = await send(callsavvy)
            patch.setattr(keyed, "accept", accept)
            assert "is not in the journal yet: gone" in caplog.text
            assert (await send(callsavvy)).raw == receipt.raw
    assert posts(sim) == 1


@every_journal
async def test_an_older_copy_takes_no_new_keys(url, server, sim, raw):
    """It may lack keys used since, so new ones are refused until a person trusts it; old ones return their receipts."""
    async with make(server, url) as callsavvy:
        await send(callsavvy)
    raw(f"INSERT INTO journal (name, value) VALUES ('{keyed.KEYS_MISSING}', '1')")
    async with make(server, url) as callsavvy:
        await send(callsavvy)
        with pytest.raises(JournalError, match="callsavvy keys trust"):
            await send(callsavvy, key="new")
        assert posts(sim) == 1
        await (await callsavvy.keys()).trust_copy()
        await send(callsavvy, key="new")
    assert posts(sim) == 2


@only_sqlite
async def test_an_older_copy_of_a_file_is_noticed_by_its_keys(url, server, raw, tmp_path):
    """A key that was used after the copy was made is missing in it, which the witness beside the file shows."""
    async with Journal.open(url) as journal, make(server, journal) as callsavvy:
        await send(callsavvy, key="before")
        await journal.backup(tmp_path / "copy.db")
        await send(callsavvy, key="after")
    raw.path.unlink()
    (tmp_path / "copy.db").rename(raw.path)
    async with make(server, url) as callsavvy:
        with pytest.raises(JournalError, match="older copy"):
            await send(callsavvy, key="after")


async def test_a_journal_that_was_brought_stays_open(journal, server):
    """The client closes what it opened, and no more."""
    async with make(server, journal) as callsavvy:
        await send(callsavvy)
    assert await journal.campaigns() == ()


async def test_a_client_that_was_not_entered_opens_its_journal(url, server, sim):
    """The first request with a key opens the journal, also after the client was closed and entered again."""
    callsavvy = make(server, url)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(send, callsavvy)
    await callsavvy.aclose()
    await callsavvy.aclose()
    async with callsavvy:
        await send(callsavvy)
    assert posts(sim) == 1


async def test_a_resource_that_the_sdk_does_not_know(callsavvy, sim):
    """`request` takes a key as every method does; the effect decides whether it makes sense."""
    params = {"recipient": NUMBER, "message": TEXT}
    for _ in range(2):
        await callsavvy.request("sendSMS", params, key=KEY)
    assert posts(sim) == 1
    with pytest.raises(ConfigurationError, match="takes no key="):
        await callsavvy.request("getSummary", effect=Effect.READ, key=KEY)


@only_sqlite
async def test_the_journal_of_a_client_is_opened_and_closed_once(url):
    """However many requests need it first, and however often the client is closed."""
    given = ClientJournal(url)
    await given.aclose()
    found = []

    async def ask() -> None:
        found.append(await given.opened())

    for _ in range(2):
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(ask)
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(given.aclose)
    assert len(found) == 6
    async with Journal.open(url):  # nobody holds its lock
        pass


@every_journal
async def test_one_statement_takes_all_rows_of_a_group(journal: Journal):
    """Quotes, commas, control characters and bytes arrive as they are, in both databases."""
    texts = ['"', "',", "{a}", "\\", "\n", "\u2028", "\N{GRINNING FACE}", ""]
    rows = [(number, text, text.encode()) for number, text in enumerate(texts)]
    statement = """SELECT a, b, c FROM (SELECT CAST(? AS BIGINT) AS a, CAST(? AS TEXT) AS b,
        CAST(? AS BLOB) AS c) AS given"""
    writer = journal.keys.writer
    found = await writer.run(lambda cursor: writer.database.for_each(cursor, statement, rows))
    assert sorted((a, b, bytes(c)) for a, b, c in found) == rows
