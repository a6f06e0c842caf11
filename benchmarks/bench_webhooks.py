"""Webhooks under load and under attack, with each server integration.

    python benchmarks/bench_webhooks.py                # short: seconds for each integration
    python benchmarks/bench_webhooks.py --long         # 100,000 bad tokens, 2,000 slow and half-closed clients

The server runs in a separate process, and so on another core. This process sends the load over keep-alive loopback
sockets.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import platform
import socket
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path

import uvicorn
from aiohttp import web
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from webhook_clients import HOST, SECRET, Attack, load

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
    Webhooks,
)

SERVED = ("asgi", "fastapi", "aiohttp")


class Receiver:
    """Webhooks that count the events that reach a handler."""

    def __init__(self) -> None:
        self.handled = 0
        self.hooks = Webhooks(secrets=[SECRET], body_timeout=2.0)
        for event_type in (CallSummary, NewTicket, TicketEscalated, NewChat):
            self.hooks.on(event_type)(self.count)
        self.hooks.on(CallerInformation)(self.who)
        self.hooks.on(ChatbotCallback)(self.bot)

    async def count(self, _event: Notification) -> None:
        self.handled += 1

    async def who(self, _event: CallerInformation) -> CallerCard:
        self.handled += 1
        return CallerCard(name="Ada Obi")

    async def bot(self, _event: ChatbotCallback) -> str:
        self.handled += 1
        return "Open till five"

    def state(self) -> dict[str, int]:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return {
            "handled": self.handled,
            "tasks": len(asyncio.all_tasks()),
            "files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208
            "cpu_ms": round(time.process_time() * 1000),
            "kib": pages * os.sysconf("SC_PAGE_SIZE") // 1024,
        }


def serve(integration: str, listener: socket.socket, control: Connection) -> None:
    """Run an integration in this process until the parent stops it. Each word on `control` gets the server's state back."""
    asyncio.run(_serve(integration, listener, control))


async def _serve(integration: str, listener: socket.socket, control: Connection) -> None:
    receiver = Receiver()
    stop = await (_aiohttp if integration == "aiohttp" else _uvicorn)(integration, receiver.hooks, listener)
    control.send("ready")
    while await asyncio.to_thread(control.recv) != "stop":
        control.send(receiver.state())
    await stop()


async def _uvicorn(integration: str, hooks: Webhooks, listener: socket.socket) -> Callable[[], Awaitable[None]]:
    app: Starlette
    if integration == "fastapi":
        app = FastAPI()
        app.include_router(fastapi_router(hooks))
    else:
        app = Starlette(routes=[Mount("/hooks", hooks)], lifespan=hooks.lifespan)
    server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning"))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - it tells no other way
        await asyncio.sleep(0.01)

    async def stop() -> None:
        server.should_exit = True
        await running

    return stop


async def _aiohttp(_integration: str, hooks: Webhooks, listener: socket.socket) -> Callable[[], Awaitable[None]]:
    app = web.Application()
    app.add_routes(aiohttp_routes(hooks))
    app.cleanup_ctx.append(aiohttp_lifespan(hooks))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    return runner.cleanup


class Server:
    """A server integration in a separate process."""

    def __init__(self, integration: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._control, theirs = context.Pipe()
        listener = socket.create_server((HOST, 0), backlog=1024)
        listener.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )  # asyncio sets it only for a protocol that it knows
        self.port = listener.getsockname()[1]
        self._process = context.Process(target=serve, args=(integration, listener, theirs))
        self._process.start()
        listener.close()
        assert self._control.recv() == "ready"

    def state(self) -> dict[str, int]:
        self._control.send("state")
        return self._control.recv()

    def measure(self, seconds: float, *, connections: int) -> dict[str, float]:
        """Load the server. Events per CPU second are more reliable than events per second beside other programs."""
        before = self.state()["cpu_ms"]
        figures = asyncio.run(load(self.port, seconds, connections=connections))
        figures["events_per_cpu_second"] = round(figures["events"] * 1000 / (self.state()["cpu_ms"] - before))
        return figures

    def settle(self, idle: dict[str, int]) -> dict[str, int]:
        """Wait until all connections and tasks have ended. aiohttp waits 10 s for the rest of a rejected body."""
        until = time.monotonic() + 30
        while True:
            state = self.state()
            if state["tasks"] <= idle["tasks"] and state["files"] <= idle["files"]:
                return state
            assert time.monotonic() < until, f"something is left over: {state}; idle was {idle}"
            time.sleep(0.5)

    def stop(self) -> None:
        self._control.send("stop")
        self._process.join(20)
        assert self._process.exitcode == 0, "the server did not shut down in order"


async def sans_io(seconds: float) -> dict[str, object]:
    """Measure `handle` alone, without a server."""
    receiver = Receiver()
    bodies = [encode_event(name) for name in EVENTS]
    until, count, cpu = time.perf_counter() + seconds, 0, time.process_time()
    async with receiver.hooks as hooks:
        while time.perf_counter() < until:
            for kind, body in bodies:
                assert (await hooks.handle(token=SECRET, body=body, content_type=kind)).status in {200, 503}
            count += len(bodies)
            await asyncio.sleep(0)
    return {
        "events_per_second": round(count / seconds),
        "events_per_cpu_second": round(count / (time.process_time() - cpu)),
        "handled": receiver.handled,
        "events": count,
    }


def run_integration(integration: str, *, seconds: float, guesses: int, clients: int) -> dict[str, object]:
    """Measure one integration, then attack it, and check that no attack succeeded and no resource leaked."""
    server = Server(integration)
    try:
        idle = server.state()
        asyncio.run(load(server.port, 0.5, connections=8))  # warm
        busy = server.measure(seconds, connections=64)
        calm = server.measure(seconds, connections=4)
        asyncio.run(Attack(server.port).run(guesses=guesses // 10, clients=clients // 10))
        before = server.settle(idle)
        tally = asyncio.run(Attack(server.port).run(guesses=guesses, clients=clients))
        after = server.settle(idle)
    finally:
        server.stop()
    assert tally["in"] == 0, tally
    assert tally["404"] == guesses // 20 * 20, tally
    assert after["handled"] == before["handled"], (before, after)
    return {
        "busy": busy,
        "calm": calm,
        "attack": tally,
        "before": before,
        "after": after,
        "growth_kib": after["kib"] - before["kib"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--integrations", nargs="+", choices=SERVED, default=SERVED)
    chosen = parser.parse_args()
    seconds, guesses, clients = (10.0, 100_000, 2_000) if chosen.long else (2.0, 2_000, 80)
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores; {guesses:,} bad tokens, {clients:,} bad clients"
    )
    print(json.dumps({"integration": "sans-io", **asyncio.run(sans_io(seconds))}), flush=True)
    for integration in chosen.integrations:
        figures = run_integration(integration, seconds=seconds, guesses=guesses, clients=clients)
        print(json.dumps({"integration": integration, **figures}), flush=True)


if __name__ == "__main__":
    main()
