"""A durable inbox: stored before the acknowledgement, handled at least once, under a key that stays the same."""

from __future__ import annotations

import json

import anyio
import pytest

from callsavvy_async import Callsavvy, ConfigurationError
from callsavvy_async.campaigns import Journal, JournalUnavailableError, inbox as inbox_module
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, SimulatorServer
from callsavvy_async.webhooks import NewTicket, Webhooks, event_key, inbox as runner_module

pytestmark = [pytest.mark.anyio, pytest.mark.every_journal, pytest.mark.sockets]

SECRET = "4f0c2a7e9b1d4c58a3e6f7b8c9d0e1f2"
NUMBER = "+2348012345678"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "_POLL", 0.02)
    monkeypatch.setattr(inbox_module, "_FIRST_PAUSE", 0.0)


def body(number: int = 1) -> bytes:
    return json.dumps({"event": "newTicketOpened", "ticket_id": str(number)}).encode()


def webhooks(journal: Journal, **options) -> Webhooks:
    return Webhooks(secrets=[SECRET], inbox=journal, **options)


async def post(hooks: Webhooks, content: bytes) -> int:
    return (await hooks.handle(token=SECRET, body=content, content_type="application/json")).status


async def until(holds) -> None:
    with anyio.fail_after(60):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await anyio.sleep(0.005)


async def test_an_event_is_handled_after_its_acknowledgement(url: str) -> None:
    """The handler gets it as it came, once."""
    hooks, handled = webhooks(Journal.open(url)), []

    @hooks.on(NewTicket)
    async def handle(event: NewTicket) -> None:
        handled.append((event.raw, event_key()))

    async with hooks:
        assert [await post(hooks, body(number)) for number in range(3)] == [200] * 3
        await until(lambda: len(handled) == 3)
    assert {raw for raw, _ in handled} == {body(number) for number in range(3)}
    assert len({key for _, key in handled}) == 3
    with pytest.raises(ConfigurationError, match="works in the handler"):
        event_key()


async def test_what_a_dead_process_acknowledged_is_handled_by_the_next(url: str) -> None:
    """Its sends happen once, because the key is the same."""
    async with Journal.open(url) as journal:  # the process dies after the handler's send
        await journal.inbox.add(body(), None, None)
        (taken,) = await journal.inbox.take(10)
    hooks, keys = webhooks(Journal.open(url)), []

    @hooks.on(NewTicket)
    async def handle(event: NewTicket) -> None:
        keys.append(event_key())

    async with hooks:
        await until(lambda: keys)
    assert keys == [taken.key]


async def test_sends_of_a_handler_happen_once(url: str, server: SimulatorServer, sim: Simulator) -> None:
    """A handler that fails after its send runs again, and its send is the same one."""
    journal, failures = Journal.open(url), [ValueError("first"), None]
    hooks = webhooks(journal)
    keys = {"public_key": PUBLIC_KEY, "private_key": PRIVATE_KEY}

    async with hooks, Callsavvy(**keys, base_url=server.url, journal=journal) as callsavvy:

        @hooks.on(NewTicket)
        async def handle(event: NewTicket) -> None:
            await callsavvy.messaging.send_sms(NUMBER, "Thanks", key=f"{event_key()}-thanks")
            if failure := failures.pop(0):
                raise failure

        assert await post(hooks, body()) == 200
        await until(lambda: not failures)
    assert sim.ledger.charged == {NUMBER: 1}


async def test_an_event_that_always_fails_is_a_dead_letter(url: str) -> None:
    """It is listed without its text, and a person replays it."""
    journal, attempts = Journal.open(url), []
    hooks = webhooks(journal)

    @hooks.on(NewTicket)
    async def handle(event: NewTicket) -> None:
        attempts.append(event_key())
        if len(attempts) <= inbox_module.MOST_ATTEMPTS:
            raise ValueError("secret text")

    async with hooks:
        await post(hooks, body())
        with anyio.fail_after(60):
            while not (dead := await journal.inbox.dead()):  # noqa: ASYNC110 - a journal has no event
                await anyio.sleep(0.01)
        assert len(attempts) == inbox_module.MOST_ATTEMPTS
        assert dead[0].key == attempts[0]
        assert dead[0].detail.startswith("ValueError at ")
        assert await journal.inbox.replay("another") == 0
        assert await journal.inbox.replay() == 1
        await until(lambda: len(attempts) == inbox_module.MOST_ATTEMPTS + 1)
    assert set(attempts) == {dead[0].key}


async def test_an_event_that_kills_each_process_is_a_dead_letter(url: str) -> None:
    """Taking counts as an attempt, so it does not kill processes for ever."""
    for _ in range(inbox_module.MOST_ATTEMPTS):
        async with Journal.open(url) as journal:
            await journal.inbox.add(body(), None, 3600)
            assert len(await journal.inbox.take(1)) == 1
    async with Journal.open(url) as journal:
        assert await journal.inbox.take(1) == []
        assert [letter.detail for letter in await journal.inbox.dead()] == ["each process that handled it died"]


async def test_duplicates_within_the_window_are_one_event(url: str) -> None:
    """In one group of commits, in two of them, and after it was handled."""
    async with Journal.open(url) as journal:
        inbox, added = journal.inbox, []

        async def add() -> None:
            added.append(await inbox.add(body(), None, 3600))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(add)
        assert sorted(added) == [False] * 4 + [True]
        (event,) = await inbox.take(10)
        await inbox.handled(event)
        await inbox.forget(3600)
        assert not await inbox.add(body(), None, 3600)
        assert await inbox.add(body(), None, None)
        await inbox.forget(None)
        assert await inbox.add(body(), None, 3600)


async def test_an_event_that_cannot_be_stored_is_not_acknowledged(url: str, monkeypatch) -> None:
    """The sender gets a 503, and tries again."""
    journal = Journal.open(url)
    hooks = webhooks(journal)

    @hooks.on(NewTicket)
    async def handle(event: NewTicket) -> None: ...

    async def fail(*_: object) -> bool:
        raise JournalUnavailableError("full disk")

    with pytest.raises(ConfigurationError, match="store events while they run"):
        await post(hooks, body())
    async with hooks:
        monkeypatch.setattr(journal.inbox, "add", fail)
        assert await post(hooks, body()) == 503


async def test_the_end_gives_back_what_is_not_handled(url: str) -> None:
    """A handler that outlives the drain is cancelled, and its event is handled by the next process."""
    hooks, began = webhooks(Journal.open(url), drain_timeout=0.05), anyio.Event()

    @hooks.on(NewTicket)
    async def handle(event: NewTicket) -> None:
        began.set()
        await anyio.sleep(60)

    async with hooks:
        await post(hooks, body())
        await began.wait()
    async with Journal.open(url) as journal:
        (event,) = await journal.inbox.take(10)
        assert (event.body, event.attempts) == (body(), 1)
