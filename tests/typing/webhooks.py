"""Handlers of the right signature pass both type checkers, wrong ones fail them.

Both checkers report an ignore that ignores nothing, so each comment below asserts an error.
"""

from __future__ import annotations

from typing import assert_type

from aiohttp import web
from fastapi import FastAPI
from markupsafe import Markup
from starlette.applications import Starlette

from callsavvy_async.integrations.aiohttp import aiohttp_lifespan, aiohttp_routes
from callsavvy_async.integrations.fastapi import fastapi_router
from callsavvy_async.webhooks import (
    CallerCard,
    CallerInformation,
    CallSummary,
    ChatbotCallback,
    Event,
    NewTicket,
    Notification,
    TicketEscalated,
    UnknownEvent,
    Webhooks,
    parse,
)

hooks = Webhooks(insecure=True)


# Right ones.


@hooks.on(CallSummary)
async def log_call(event: CallSummary) -> None: ...


@hooks.on(UnknownEvent)
async def log_unknown(event: UnknownEvent) -> None: ...


async def log_anything(event: Notification) -> None: ...


hooks.on(NewTicket)(log_anything)
hooks.on(TicketEscalated)(log_anything)


async def is_true(event: TicketEscalated) -> bool:
    return event.ticket_id == "t"


@hooks.on(TicketEscalated, confirm=is_true)
async def page(event: TicketEscalated) -> None: ...


@hooks.on(CallerInformation)
async def who(event: CallerInformation) -> CallerCard | None:
    return CallerCard(name="A") if event.caller_number else None


@hooks.on(CallerInformation)
async def nobody(event: CallerInformation) -> None: ...


@hooks.on(ChatbotCallback)
async def bot(event: ChatbotCallback) -> str | Markup:
    return event.original_message or Markup("<b>?</b>")


assert_type(parse(b""), Event)

Starlette(lifespan=hooks.lifespan).mount("/hooks", hooks)
FastAPI(lifespan=hooks.lifespan).mount("/hooks", hooks)
FastAPI().include_router(fastapi_router(hooks))
web.Application().add_routes(aiohttp_routes(hooks))
web.Application().cleanup_ctx.append(aiohttp_lifespan(hooks))


async def the_function_is_handed_back() -> None:
    assert_type(await who(CallerInformation()), CallerCard | None)
    assert_type(await bot(ChatbotCallback()), str | Markup)


# Wrong ones.


@hooks.on(CallSummary)  # type: ignore[arg-type]
def not_async(event: CallSummary) -> None: ...


@hooks.on(CallSummary)  # type: ignore[arg-type]
async def other_event(event: NewTicket) -> None: ...


@hooks.on(CallSummary)  # type: ignore[arg-type]
async def answers_a_notification(event: CallSummary) -> str:
    return ""


@hooks.on(CallSummary)  # type: ignore[arg-type]
async def takes_nothing() -> None: ...


@hooks.on(CallerInformation)  # type: ignore[type-var]
async def answers_text(event: CallerInformation) -> str:
    return ""


@hooks.on(CallerInformation)  # type: ignore[type-var]
async def answers_another_event(event: ChatbotCallback) -> CallerCard:
    return CallerCard()


@hooks.on(ChatbotCallback)  # type: ignore[type-var]
async def answers_nothing(event: ChatbotCallback) -> None: ...


@hooks.on(ChatbotCallback)  # type: ignore[type-var]
def not_async_either(event: ChatbotCallback) -> str:
    return ""


async def confirms_another(event: NewTicket) -> bool:
    return True


hooks.on(TicketEscalated, confirm=confirms_another)  # type: ignore[arg-type]
hooks.on(CallerInformation, confirm=is_true)  # type: ignore[type-var, arg-type]
hooks.on("callSummary")  # type: ignore[call-overload]
