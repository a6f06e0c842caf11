"""Answered events: a live call is never broken by what a handler does."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

import anyio
import pytest

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.simulator.webhooks import encode_event
from callsavvy_async.webhooks import (
    AnsweredEvent,
    CallerCard,
    CallerInformation,
    CallSummary,
    ChatbotCallback,
    Event,
    Reply,
    Webhooks,
)

pytestmark = pytest.mark.anyio

NOBODY = {"status": "success", "caller_name": "", "caller_email": "", "customer_info": ""}


async def ask(hooks: Webhooks, name: str) -> Reply:
    content_type, body = encode_event(name)
    return await hooks.handle(token="", body=body, content_type=content_type)


async def raises(event: Event) -> None:
    raise ValueError("+2348012345678 ada@example.com")


async def sleeps(event: Event) -> None:
    await anyio.sleep_forever()


async def meets_a_cancelled_task(event: Event) -> None:
    raise asyncio.CancelledError


async def raises_a_group(event: Event) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(raises, event)


async def returns_a_dict(event: Event) -> dict[str, str]:
    return {"caller_name": "Ada Obi"}


async def returns_bytes_in_a_card(event: Event) -> CallerCard:
    return CallerCard(name=b"Ada Obi")  # type: ignore[arg-type]


async def returns_surrogates(event: Event) -> str:
    return "Ada Obi \ud83d"


FAULTY = [raises, sleeps, raises_a_group, returns_a_dict, meets_a_cancelled_task]


@pytest.mark.parametrize("handler", [*FAULTY, returns_bytes_in_a_card, returns_surrogates])
async def test_faulty_caller_handler_yields_an_unrecognised_caller(
    handler: Callable[[Event], Awaitable[CallerCard | None]], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong, the phone shows an unknown caller in good time, and the log says why and not who."""
    hooks = Webhooks(insecure=True, answer_timeout=0.1 if handler is sleeps else 60)
    hooks.on(CallerInformation)(handler)
    reply = await ask(hooks, "callerInformation")
    assert reply.status == 200
    assert json.loads(reply.body) == NOBODY
    _logged_once_and_discreetly(caplog, handler)


@pytest.mark.parametrize("handler", [*FAULTY, returns_surrogates])
async def test_faulty_bot_yields_an_empty_text(
    handler: Callable[[Event], Awaitable[str]], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong, the visitor gets an empty text."""
    hooks = Webhooks(insecure=True, answer_timeout=0.1 if handler is sleeps else 60)
    hooks.on(ChatbotCallback)(handler)
    reply = await ask(hooks, "chatbotCallback")
    assert (reply.status, reply.body, reply.content_type) == (200, b"", "text/plain; charset=utf-8")
    _logged_once_and_discreetly(caplog, handler)


def _logged_once_and_discreetly(caplog: pytest.LogCaptureFixture, handler: object) -> None:
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.name == "callsavvy_async.webhooks"
    assert handler.__qualname__ in record.getMessage()  # type: ignore[attr-defined]
    assert record.exc_info is None
    assert not [word for word in ("+234", "ada@", "Ada") if word in caplog.text]


@pytest.mark.parametrize("name", ["callerInformation", "chatbotCallback"])
async def test_no_handler_is_no_error(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """An answered event that nobody handles gets the safe answer."""
    reply = await ask(Webhooks(insecure=True), name)
    assert reply.status == 200
    assert not caplog.records


async def test_cancellation_is_not_swallowed() -> None:
    """When the server gives up a request, its handler is cancelled and no answer is made up."""
    hooks = Webhooks(insecure=True, answer_timeout=30)
    ended: list[str] = []

    @hooks.on(CallerInformation)
    async def who(event: CallerInformation) -> None:
        try:
            await anyio.sleep(30)
        finally:
            ended.append("handler")

    with anyio.move_on_after(0.05):
        await ask(hooks, "callerInformation")
        ended.append("answer")
    assert ended == ["handler"]


async def test_only_one_answers() -> None:
    """An answered event has exactly one handler: a second one is an error when it is registered."""
    hooks = Webhooks(insecure=True)
    hooks.on(CallerInformation)(raises)
    with pytest.raises(ConfigurationError, match="exactly one"):
        hooks.on(CallerInformation)(raises)


class AsyncCallable:
    async def __call__(self, event: CallSummary) -> None:
        """Do nothing."""


def not_async(event: CallSummary) -> None:
    """Do nothing."""


async def test_handlers_are_async() -> None:
    """A plain function is refused by name when it is registered; an object with an async __call__ is fine."""
    hooks = Webhooks(insecure=True)
    hooks.on(CallSummary)(AsyncCallable())
    with pytest.raises(ConfigurationError, match="async def not_async"):
        hooks.on(CallSummary)(not_async)  # type: ignore[arg-type]


async def test_confirm_is_for_notifications() -> None:
    """There is no time to confirm a call that is ringing."""
    with pytest.raises(ConfigurationError, match="confirm="):
        Webhooks(insecure=True).on(CallerInformation, confirm=raises)(raises)  # type: ignore[call-overload]


@pytest.mark.parametrize("event_type", [Event, AnsweredEvent])
async def test_bases_are_no_events(event_type: type[Event]) -> None:
    """A handler of a base type would never run, so it is refused."""
    with pytest.raises(ConfigurationError, match="is a base class"):
        Webhooks(insecure=True).on(event_type)(raises)  # type: ignore[call-overload]


@pytest.mark.parametrize("setting", ["answer_timeout", "body_timeout", "concurrency", "queue_size", "duplicate_window"])
async def test_figures_are_checked(setting: str) -> None:
    """A figure that makes no sense is named."""
    with pytest.raises(ConfigurationError, match=setting):
        Webhooks(insecure=True, **{setting: 0})  # type: ignore[arg-type]


async def test_card_repr_shows_nobody() -> None:
    """A caller's card may be logged."""
    assert "Ada" not in repr(CallerCard(name="Ada", email="ada@example.com", info="Ada"))
