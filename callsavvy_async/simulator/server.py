"""The simulator on loopback sockets.

with serve(Simulator()) as server:      # in a background thread: for asyncio, trio and synchronous code
    httpx.post(f"{server.url}/getSummary", ...)

await serve_forever(Simulator(), port=8080, ready=print)    # in the running event loop
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import Future
from typing import cast

from callsavvy_async.simulator.app import Simulator
from callsavvy_async.simulator.channel import EXTENSION
from callsavvy_async.simulator.exchange import Exchange
from callsavvy_async.simulator.http1 import BadRequest, Head, parse_head
from callsavvy_async.simulator.service import BASE_PATH

LOOPBACK = "127.0.0.1"
_ACCEPTING = 5
"""Turns of the event loop until an accepted connection is served and can be aborted. asyncio leaks a connection whose
listener is closed in between."""


class SimulatorServer:
    """A simulator that listens on a socket."""

    def __init__(self, simulator: Simulator, *, idle_timeout: float | None = None) -> None:
        self.simulator = simulator
        self.url: str = ""
        """Base URL, including the API's /v1."""
        self.connections: int = 0
        """Number of connections accepted so far."""
        self._idle_timeout = idle_timeout
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def __repr__(self) -> str:
        return f"SimulatorServer({self.url!r}, {self.connections} connections so far)"

    @contextlib.asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncGenerator[None]:
        """Listen while the block runs, and abort open connections at its end.

        Args:
            host: Address to listen on.
            port: Port to listen on; 0 for any free one.
        """
        listener = await asyncio.start_server(self._connected, host, port, backlog=1024)
        bound_host, bound_port = cast("tuple[str, int]", listener.sockets[0].getsockname()[:2])
        self.url = f"http://{f'[{bound_host}]' if ':' in bound_host else bound_host}:{bound_port}{BASE_PATH}"
        try:
            yield
        finally:
            for _ in range(_ACCEPTING):
                await asyncio.sleep(0)
            listener.close()
            tasks = list(self._open)
            for task, writer in self._open.items():
                writer.transport.abort()
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await listener.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._open[task] = writer
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            del self._open[task]
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to one request after another."""
        reusable = True
        while reusable:
            try:
                head = await self._next_head(reader)
            except (BadRequest, asyncio.LimitOverrunError):
                writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                return
            if head is None:
                return
            exchange = Exchange(head, reader, writer)
            scope: dict[str, object] = {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": head.method,
                "path": head.target.partition("?")[0],
                "headers": head.headers,
                "extensions": {EXTENSION: {}},
            }
            await self.simulator(scope, exchange.receive, exchange.send)
            reusable = exchange.reusable

    async def _next_head(self, reader: asyncio.StreamReader) -> Head | None:
        """Read a request's head. Returns None if the client disconnects or exceeds the idle timeout."""
        try:
            async with asyncio.timeout(self._idle_timeout):
                return parse_head(await reader.readuntil(b"\r\n\r\n"))
        except (asyncio.IncompleteReadError, TimeoutError):
            return None


@contextlib.contextmanager
def serve(
    simulator: Simulator, *, host: str = LOOPBACK, port: int = 0, idle_timeout: float | None = None
) -> Generator[SimulatorServer]:
    """Serve a simulator from a background thread while the block runs.

    Args:
        simulator: Simulator to serve.
        host: Address to bind. Default: loopback.
        port: Port to bind. 0 for any free port.
        idle_timeout: Seconds until an idle connection is closed. None for never.
    """
    server = SimulatorServer(simulator, idle_timeout=idle_timeout)
    started: Future[Callable[[], object]] = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_run(server, host, port, started)), name="callsavvy-simulator", daemon=True
    )
    thread.start()
    stop = started.result()
    try:
        yield server
    finally:
        stop()
        thread.join()


async def _run(server: SimulatorServer, host: str, port: int, started: Future[Callable[[], object]]) -> None:
    """Listen until stopped. `started` gets the function that stops the server, or the error of its start."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        async with server.listening(host, port):
            started.set_result(lambda: loop.call_soon_threadsafe(stopped.set))
            await stopped.wait()
    except OSError as error:
        started.set_exception(error)


async def serve_forever(
    simulator: Simulator,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    idle_timeout: float | None = None,
    ready: Callable[[str], object] | None = None,
) -> None:
    """Serve a simulator on the running asyncio loop until cancelled.

    Args:
        simulator: Simulator to serve.
        host: Address to bind. Default: loopback.
        port: Port to bind. 0 for any free port.
        idle_timeout: Seconds until an idle connection is closed. None for never.
        ready: Function called with the base URL as soon as the server listens.
    """
    server = SimulatorServer(simulator, idle_timeout=idle_timeout)
    async with server.listening(host, port):
        if ready is not None:
            ready(server.url)
        await asyncio.get_running_loop().create_future()
