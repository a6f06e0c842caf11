"""The simulator as an ASGI application.

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
from callsavvy_async.simulator.responses import Reply, RequestRejected, error
from callsavvy_async.simulator.seeding import seed_world
from callsavvy_async.simulator.service import BASE_PATH, Service
from callsavvy_async.simulator.state import Balances, World
from callsavvy_async.simulator.webhooks import CallbackResponse, new_ticket_fields, post_event

PUBLIC_KEY = "TEST-public"
"""Default public key of a simulator."""
PRIVATE_KEY = "TEST-private"
"""Default private key of a simulator."""
WHATSAPP_UID = "TEST-whatsapp"
"""Default WhatsApp channel of a simulator."""


class Simulator:
    """A simulated business and its API, as an ASGI application.

    Args:
        public_key: Valid Public-Key header.
        private_key: Valid Private-Key header.
        sms_balance: Initial balance in SMS units.
        local_balance: Initial balance of outbound local call minutes.
        international_balance: Initial balance of outbound international call minutes.
        home_prefix: Prefix of local numbers.
        whatsapp_uids: WhatsApp channels of the business.
        seed: Seed of records, ids, latencies and random faults.
        now: Naive wall clock of the business.
        clock: Monotonic clock of the rate limit, in seconds.
        limit: Rate limit. Assign the attribute `limit` to change it later.
        latency: Seconds between the processing of a request and its response, or a function that draws them.
        sleep: Function that waits. Pass `trio.sleep` to use the simulator in process under trio.
        keep_requests: Number of requests that `requests` keeps.
        callback_url: URL that receives events. Each createTicket posts a newTicketOpened.
    """

    base_url: str = f"http://simulator.invalid{BASE_PATH}"
    """Base URL for use in process, where the host name is never resolved."""

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
        self.world: World = World(
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
        self.ledger: Ledger = Ledger()
        self.faults: FaultPlan = FaultPlan(seed=seed)
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

    def emit(self, event: str, **fields: str) -> Future[CallbackResponse]:
        """Post an event to `callback_url` in the background; see `callsavvy_async.simulator.webhooks`.

        Args:
            event: Name of the event in the API document.
            **fields: Fields of the event.

        Raises:
            ValueError: `callback_url` is None.
        """
        if self.callback_url is None:
            raise ValueError("callback_url is None; pass one to Simulator to emit events.")
        return post_event(self.callback_url, event, fields)

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Respond to an HTTP request (ASGI 3)."""
        if scope["type"] != "http":
            raise NotImplementedError(f"the simulator supports only the ASGI scope http, not {scope['type']}")
        channel = Channel(scope, receive, send)
        request = channel.request()
        fault = self.faults.take(request)
        if fault is not None:
            self.requests.append(request)
            await self._respond_unread(channel, request, fault)
            return
        body = await channel.read()
        if body is None:
            return
        request = replace(request, body=body, read=True)
        self.requests.append(request)
        await self._respond(channel, request, self.faults.take(request))

    async def _respond_unread(self, channel: Channel, request: Request, fault: Fault) -> None:
        nothing = error(request.resource, RequestRejected(400, "The request was not read"))
        await deliver(channel, nothing, fault, sleep=self._sleep)

    async def _respond(self, channel: Channel, request: Request, fault: Fault | None) -> None:
        """Process the request, wait for the latency, then respond."""
        limit = self.limit
        admission = limit.admit(self._clock()) if limit else None
        try:
            shown = limit.headers_for(admission, wall=self.world.now()) if limit and admission else {}
            reply = self._process(request, _rejection(admission), fault)
            delay = self.latency(self._random) if callable(self.latency) else self.latency
            if delay > 0:
                await self._sleep(delay)
            await deliver(
                channel, Reply(reply.status, reply.envelope, {**shown, **reply.headers}), fault, sleep=self._sleep
            )
        finally:
            if limit and admission and admission.admitted:
                limit.release()

    def _process(self, request: Request, rejection: RequestRejected | None, fault: Fault | None) -> Reply:
        """Process the request, and post an event for a ticket that it opened."""
        if self.callback_url is None:
            return self._service.respond(request, rejection=rejection, fault=fault)
        before = set(self.world.tickets)
        reply = self._service.respond(request, rejection=rejection, fault=fault)
        for ticket_id in self.world.tickets.keys() - before:
            self.emit("newTicketOpened", **new_ticket_fields(self.world.tickets[ticket_id]))
        return reply


def _rejection(admission: Admission | None) -> RequestRejected | None:
    return None if admission is None or admission.admitted else RequestRejected(429, "Too many requests")
