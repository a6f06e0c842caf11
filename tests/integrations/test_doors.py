"""The four doors give identical answers to everything: ASGI mount, FastAPI router, aiohttp routes, sans-IO."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import anyio
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from fastapi import FastAPI
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.routing import Mount

from callsavvy_async.integrations.aiohttp import aiohttp_lifespan, aiohttp_routes
from callsavvy_async.integrations.fastapi import fastapi_router
from callsavvy_async.simulator.webhooks import EVENTS, encode_event
from callsavvy_async.webhooks import (
    CallerCard,
    CallerInformation,
    CallSummary,
    ChatbotCallback,
    NewChat,
    NewTicket,
    Notification,
    TicketEscalated,
    UnknownEvent,
    Webhooks,
)

pytestmark = pytest.mark.anyio

SECRET = "s3cret-segment-of-a-url"
NEXT_SECRET = "the-secret-that-comes-after"
JSON = "application/json"

Answer: TypeAlias = tuple[int, str | None, str | None, bytes]
Ask: TypeAlias = Callable[..., Awaitable[Answer]]


def make_hooks(seen: list[Notification], *, answer_timeout: float = 60) -> Webhooks:
    """Make webhooks that answer, fail and keep what they are told."""
    hooks = Webhooks(secrets=[SECRET, NEXT_SECRET], answer_timeout=answer_timeout)

    @hooks.on(CallerInformation)
    async def who(event: CallerInformation) -> CallerCard | None:
        match event.department_id:
            case "nobody":
                return None
            case "broken":
                raise RuntimeError("+2348012345678 is secret")
            case "slow":
                await anyio.sleep_forever()
        return CallerCard(name="Ada Öbi", email="ada@example.com", info="owes nothing")

    @hooks.on(ChatbotCallback)
    async def bot(event: ChatbotCallback) -> str | Markup:
        if event.department == "html":
            return Markup("<b>{}</b>").format(event.original_message)
        if event.department == "broken":
            return "\ud800"
        return f"You said: {event.original_message}"

    async def keep(event: Notification) -> None:
        seen.append(event)

    for event_type in (CallSummary, NewTicket, TicketEscalated, NewChat, UnknownEvent):
        hooks.on(event_type)(keep)
    return hooks


def answer_of(response: httpx.Response) -> Answer:
    headers = response.headers
    return response.status_code, headers.get("content-type"), headers.get("allow"), response.content


@contextlib.asynccontextmanager
async def over_http(client: httpx.AsyncClient) -> AsyncIterator[Ask]:
    async def ask(token: str, body: bytes, content_type: str | None, method: str) -> Answer:
        headers = {"content-type": content_type} if content_type else {}
        return answer_of(await client.request(method, f"/hooks/{token}", content=body, headers=headers))

    async with client:
        yield ask


@contextlib.asynccontextmanager
async def asgi_mount(hooks: Webhooks) -> AsyncIterator[Ask]:
    app = Starlette(routes=[Mount("/hooks", hooks)], lifespan=hooks.lifespan)
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), over_http(client_of(transport)) as ask:
        yield ask


@contextlib.asynccontextmanager
async def fastapi_door(hooks: Webhooks) -> AsyncIterator[Ask]:
    app = FastAPI()
    app.include_router(fastapi_router(hooks))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), over_http(client_of(transport)) as ask:
        yield ask


@contextlib.asynccontextmanager
async def aiohttp_door(hooks: Webhooks) -> AsyncIterator[Ask]:
    app = web.Application()
    app.add_routes(aiohttp_routes(hooks))
    app.cleanup_ctx.append(aiohttp_lifespan(hooks))
    async with TestServer(app) as server, over_http(httpx.AsyncClient(base_url=str(server.make_url("")))) as ask:
        yield ask


@contextlib.asynccontextmanager
async def sans_io(hooks: Webhooks) -> AsyncIterator[Ask]:
    async def ask(token: str, body: bytes, content_type: str | None, method: str) -> Answer:
        reply = await hooks.handle(token=token, body=body, content_type=content_type, method=method)
        return reply.status, reply.content_type, dict(reply.headers).get("allow"), reply.body

    async with hooks:
        yield ask


def client_of(transport: httpx.ASGITransport) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=transport, base_url="http://receiver.example")


DOORS = {"asgi": asgi_mount, "fastapi": fastapi_door, "aiohttp": aiohttp_door, "sans-io": sans_io}


LOOPS_AND_DOORS = [
    *(("asyncio", name) for name in DOORS),
    ("trio", "sans-io"),
    *(
        pytest.param(("trio", name), marks=pytest.mark.long) for name in ("asgi", "fastapi")
    ),  # aiohttp knows asyncio only
]


@pytest.fixture(params=LOOPS_AND_DOORS, ids="-".join)
def loop_and_door(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Name each door on each event loop that it knows."""
    return request.param


@pytest.fixture
def anyio_backend(loop_and_door: tuple[str, str]) -> str:
    """Run on the loop that was named."""
    return loop_and_door[0]


@pytest.fixture
def door(loop_and_door: tuple[str, str]) -> Callable[[Webhooks], object]:
    """Return the door that was named."""
    return DOORS[loop_and_door[1]]


EMPTY: Answer = (200, None, None, b"")
NOT_FOUND: Answer = (404, "text/plain; charset=utf-8", None, b"Not Found")
NOBODY: Answer = (200, JSON, None, b'{"status": "success", "caller_name": "", "caller_email": "", "customer_info": ""}')
ADA: Answer = (
    200,
    JSON,
    None,
    (
        b'{"status": "success", "caller_name": "Ada \\u00d6bi", "caller_email": "ada@example.com",'
        b' "customer_info": "owes nothing"}'
    ),
)
SAID = "You said: What are your opening hours? Är ni öppna & lediga?".encode()


def event(name: str, **fields: str) -> tuple[str, bytes, str | None, str]:
    content_type, body = encode_event(name, fields)
    return SECRET, body, content_type, "POST"


CASES: dict[str, tuple[tuple[str, bytes, str | None, str], Answer]] = {
    # the six events
    "callerInformation": (event("callerInformation"), ADA),
    "callSummary": (event("callSummary"), EMPTY),
    "newTicketOpened": (event("newTicketOpened"), EMPTY),
    "ticketEscalated": (event("ticketEscalated"), EMPTY),
    "newChat": (event("newChat"), EMPTY),
    "chatbotCallback": (event("chatbotCallback"), (200, "text/plain; charset=utf-8", None, SAID)),
    # their other answers
    "caller unrecognised": (event("callerInformation", call_department="nobody"), NOBODY),
    "caller handler fails": (event("callerInformation", call_department="broken"), NOBODY),
    "caller handler is slow": (event("callerInformation", call_department="slow"), NOBODY),
    "bot answers html": (
        event("chatbotCallback", department="html", original_message="<i>"),
        (200, "text/html; charset=utf-8", None, b"<b>&lt;i&gt;</b>"),
    ),
    "bot answers no text": (
        event("chatbotCallback", department="broken"),
        (200, "text/plain; charset=utf-8", None, b""),
    ),
    "unknown event": (event("moonRose", phase="full"), EMPTY),
    # the first byte decides, not the content type
    "json called a form": ((*event("callSummary")[:2], "application/x-www-form-urlencoded", "POST"), EMPTY),
    "form called json": (
        (*event("chatbotCallback")[:2], JSON, "POST"),
        (200, "text/plain; charset=utf-8", None, SAID),
    ),
    "no content type": ((*event("callSummary")[:2], None, "POST"), EMPTY),
    "second secret": ((NEXT_SECRET, *event("callSummary")[1:]), EMPTY),
    # strangers
    "bad secret": (("x" * len(SECRET), *event("callSummary")[1:]), NOT_FOUND),
    "unknown path": (("a/b/c", *event("callSummary")[1:]), NOT_FOUND),
    "a slash behind the secret": ((f"{SECRET}/", *event("callSummary")[1:]), EMPTY),
    "path below the secret": ((f"{SECRET}/x", *event("callSummary")[1:]), NOT_FOUND),
    "empty path": (("", *event("callSummary")[1:]), NOT_FOUND),
    "secret in other letters": ((SECRET.upper(), *event("callSummary")[1:]), NOT_FOUND),
    "no ascii": (("sécret", *event("callSummary")[1:]), NOT_FOUND),
    "bad secret by GET": (("x", b"", None, "GET"), NOT_FOUND),
    "bad secret, huge": (("x", b"{" + b" " * 300_000, JSON, "POST"), NOT_FOUND),
    # faults of those who know the secret
    "GET": ((SECRET, b"", None, "GET"), (405, None, "POST", b"")),
    "PUT": ((SECRET, *event("callSummary")[1:3], "PUT"), (405, None, "POST", b"")),
    "unusual method": ((SECRET, b"", None, "PROPFIND"), (405, None, "POST", b"")),
    "too large": ((SECRET, b'{"event": "newChat"' + b" " * 262_144 + b"}", JSON, "POST"), (413, None, None, b"")),
    "no body": ((SECRET, b"", None, "POST"), (400, None, None, b"")),
    "broken json": ((SECRET, b'{"event": "newChat"', JSON, "POST"), (400, None, None, b"")),
    "json list": ((SECRET, b'[{"event": "newChat"}]', JSON, "POST"), (400, None, None, b"")),
    "no event named": ((SECRET, b'{"name": "newChat"}', JSON, "POST"), (400, None, None, b"")),
    "deep": (
        (SECRET, b'{"event": "newChat", "x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", JSON, "POST"),
        (400, *EMPTY[1:]),
    ),
    "many fields": ((SECRET, b"event=newChat" + b"&a=b" * 300, None, "POST"), (400, None, None, b"")),
}


@pytest.mark.parametrize("case", CASES)
async def test_doors_answer_alike(
    case: str, door: Callable[[Webhooks], contextlib.AbstractAsyncContextManager[Ask]]
) -> None:
    """Whatever comes, through whichever door, the answer is the same to the byte."""
    asked, wanted = CASES[case]
    async with door(make_hooks([], answer_timeout=0.2 if "slow" in case else 60)) as ask:
        assert await ask(*asked) == wanted


async def test_doors_deliver_alike(door: Callable[[Webhooks], contextlib.AbstractAsyncContextManager[Ask]]) -> None:
    """What was acknowledged has reached its handler when the door is shut."""
    seen: list[Notification] = []
    async with door(make_hooks(seen)) as ask:
        for name in (*EVENTS, "moonRose"):
            await ask(*event(name))
    assert {each.name for each in seen} == {*EVENTS, "moonRose"} - {"callerInformation", "chatbotCallback"}
