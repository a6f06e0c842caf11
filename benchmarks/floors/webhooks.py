"""CPU time of a webhook on uvicorn beside a bare ASGI application that reads the body and parses it.

Both run as uvicorn's whole application, in turn, on the client's core; the load comes from the other one.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.floors.figures import Figures
from benchmarks.speed import cores
from benchmarks.speed.servers import free_port, running, wait_for
from callsavvy_async.webhooks import CallSummary, Webhooks

SECRET = "0123456789abcdefghijklmnopqrstuvwxyz"
EVENT = (
    b'{"event": "callSummary", "call_direction": "Incoming", "call_duration": "94", "caller_number": "+2348012%05d"}'
)
REQUEST = b"POST /%b HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
REQUESTS = 4_000
CONNECTIONS = 16

hooks = Webhooks(secrets=[SECRET])


@hooks.on(CallSummary)
async def _ended(_: CallSummary) -> None:
    pass


async def bare(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Read the body, parse it, and respond."""
    if scope["type"] == "lifespan":
        for part in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{part}.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    json.loads(body)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def measure() -> Figures:
    """Measure both in turn."""
    os.sched_setaffinity(0, {cores.SERVER})
    return Figures(_serve("hooks"), _serve("bare"))


def _serve(application: str) -> float:
    """Return the microseconds of CPU time that uvicorn takes for one request."""
    port = free_port()
    options = ["--port", str(port), "--log-level", "error", "--http", "httptools", "--no-access-log"]
    line = [sys.executable, "-m", "uvicorn", f"{__name__}:{application}", *options]
    with running(line, core=cores.CLIENT) as process:
        wait_for(port)
        asyncio.run(_load(port, REQUESTS // 8))
        before = _cpu(process)
        asyncio.run(_load(port, REQUESTS))
        return (_cpu(process) - before) / REQUESTS * 1e6


async def _load(port: int, requests: int) -> None:
    async def work(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(first, requests, CONNECTIONS):
            body = EVENT % number
            writer.write(REQUEST % (SECRET.encode(), len(body), body))
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head.partition(b"\r\n")[0], head
        writer.close()

    await asyncio.gather(*(work(number) for number in range(CONNECTIONS)))


def _cpu(process: subprocess.Popen[str]) -> float:
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{process.pid}/task").glob("*/schedstat")) / 1e9
