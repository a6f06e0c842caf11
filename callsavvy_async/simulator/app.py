"""The simulator: a stateful stand-in for the Callsavvy API, as one ASGI application.

sim = Simulator(sms_balance=100)
httpx.AsyncClient(transport=httpx.ASGITransport(app=sim), base_url=sim.base_url)    # in process
with serve(sim) as server: server.url                                               # on loopback
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from random import Random

from callsavvy_async.simulator.channel import Channel, Event, Receive, Send
from callsavvy_async.simulator.delivery import deliver
from callsavvy_async.simulator.fault_plan import FaultPlan
from callsavvy_async.simulator.faults import Fault
from callsavvy_async.simulator.ledger import Ledger
from callsavvy_async.simulator.limits import Admission, Limit
from callsavvy_async.simulator.requests import Request
from callsavvy_async.simulator.responses import Reply, RequestRefused, error
from callsavvy_async.simulator.seeding import seed_world
from callsavvy_async.simulator.service import BASE_PATH, Service
from callsavvy_async.simulator.state import Balances, World
from callsavvy_async.simulator.webhooks import CallbackAnswer, new_ticket_fields, post_event

PUBLIC_KEY = "TEST-public"
"""The public key that a simulator takes unless told otherwise."""
PRIVATE_KEY = "TEST-private"
"""The private key that a simulator takes unless told otherwise."""
WHATSAPP_UID = "TEST-whatsapp"
"""The one WhatsApp channel that a simulator has unless told otherwise."""


class Simulator:
    """One simulated business and its API; itself an ASGI application.

    Args:
        public_key: The Public-Key header that is let in.
        private_key: The Private-Key header that is let in.
        sms_balance: SMS units to begin with.
        local_balance: Outbound local call minutes to begin with.
        international_balance: Outbound international call minutes to begin with.
        home_prefix: Numbers that begin with it are local.
        whatsapp_uids: The WhatsApp channels that exist.
        seed: Makes records, ids, latencies and drawn faults the same each time.
        now: The business's wall clock, naive.
        clock: The monotonic clock, in seconds, that limits are measured on.
        limit: Whom to answer 429; it can be exchanged later through the attribute of that name.
        latency: Seconds between a request's processing and its answer, fixed or drawn.
        sleep: How to wait; give `trio.sleep` to use the simulator in process under trio.
        keep_requests: How many requests `requests` remembers.
        callback_url: Where events are posted, newTicketOpened by itself after each createTicket.
    """

    base_url = f"http://simulator.invalid{BASE_PATH}"
    """A base URL for use in process, where no name is ever looked up."""

    def __init__(
        self,
        *,
        public_key: str = PUBLIC_KEY,
        private_key: str = PRIVATE_KEY,
        sms_balance: int | Decimal = 1_000,
        local_balance: int | Decimal = 1_000,
        international_balance: int | Decimal = 1_000,
        home_prefix: str = "+234",
        whatsapp_uids: tuple[str, ...] = (WHATSAPP_UID,),
        seed: int = 0,
        now: Callable[[], datetime] = datetime.now,
        clock: Callable[[], float] = time.monotonic,
        limit: Limit | None = None,
        latency: float | Callable[[Random], float] = 0.0,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        keep_requests: int = 1_000,
        callback_url: str | None = None,
    ) -> None:
        self.world = World(
            now=now,
            seed=seed,
            balances=Balances(
                sms=Decimal(sms_balance),
                local=Decimal(local_balance),
                international=Decimal(international_balance),
                inbound=Decimal(500),
            ),
            home_prefix=home_prefix,
            whatsapp_uids=frozenset(whatsapp_uids),
        )
        seed_world(self.world)
        self.ledger = Ledger()
        self.faults = FaultPlan(seed=seed)
        self.limit = limit
        self.latency = latency
        self.callback_url = callback_url
        self.requests: deque[Request] = deque(maxlen=keep_requests)
        self._service = Service(world=self.world, ledger=self.ledger, public_key=public_key, private_key=private_key)
        self._clock = clock
        self._sleep = sleep
        self._random = Random(seed)

    def __repr__(self) -> str:
        return f"Simulator(balances={self.world.balances}, limit={self.limit}, {self.ledger}, {self.faults})"

    def emit(self, event: str, **fields: str) -> Future[CallbackAnswer]:
        """Post an event to `callback_url` in the background; see `callsavvy_async.simulator.webhooks`."""
        if self.callback_url is None:
            raise ValueError("the simulator has no callback_url; give it one to emit events.")
        return post_event(self.callback_url, event, fields)

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer one HTTP request (ASGI 3)."""
        if scope["type"] != "http":
            raise NotImplementedError(f"the simulator speaks HTTP only, not {scope['type']}")
        channel = Channel(scope, receive, send)
        request = channel.request()
        fault = self.faults.take(request)
        if fault is not None:
            self.requests.append(request)
            await self._answer_unread(channel, request, fault)
            return
        body = await channel.read()
        if body is None:
            return
        request = replace(request, body=body, read=True)
        self.requests.append(request)
        await self._answer(channel, request, self.faults.take(request))

    async def _answer_unread(self, channel: Channel, request: Request, fault: Fault) -> None:
        nothing = error(request.resource, RequestRefused(400, "The request was not read"))
        await deliver(channel, nothing, fault, sleep=self._sleep)

    async def _answer(self, channel: Channel, request: Request, fault: Fault | None) -> None:
        """Process at once, as soon as the request is read, and only then take time to answer."""
        limit = self.limit
        admission = limit.admit(self._clock()) if limit else None
        try:
            shown = limit.headers_for(admission, wall=self.world.now()) if limit and admission else {}
            reply = self._process(request, _refusal(admission), fault)
            delay = self.latency(self._random) if callable(self.latency) else self.latency
            if delay > 0:
                await self._sleep(delay)
            await deliver(
                channel, Reply(reply.status, reply.envelope, {**shown, **reply.headers}), fault, sleep=self._sleep
            )
        finally:
            if limit and admission and admission.admitted:
                limit.release()

    def _process(self, request: Request, refusal: RequestRefused | None, fault: Fault | None) -> Reply:
        """Do what a request asks, and tell the business of a ticket that it opened."""
        if self.callback_url is None:
            return self._service.answer(request, refusal=refusal, fault=fault)
        before = set(self.world.tickets)
        reply = self._service.answer(request, refusal=refusal, fault=fault)
        for ticket_id in self.world.tickets.keys() - before:
            self.emit("newTicketOpened", **new_ticket_fields(self.world.tickets[ticket_id]))
        return reply


def _refusal(admission: Admission | None) -> RequestRefused | None:
    return None if admission is None or admission.admitted else RequestRefused(429, "Too many requests")
