"""What an exchange costs on a connection that is warm: counted, since counts are the same on every machine.

System calls are counted by ``benchmarks.speed.counts``, which needs strace.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from callsavvy_async.transport import native
from callsavvy_async.transport.native.backend import NativeBackend
from callsavvy_async.wire import response_headers

from .hostile import Hostile

pytestmark = pytest.mark.sockets

ROUNDS = 50
OURS = (str(Path(native.__file__).parent), str(Path(response_headers.__file__).parent))
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Wed, 25 Nov 2026 19:08:29 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: 60\r\nConnection: keep-alive\r\n\r\n" + b" " * 58 + b"{}"
)


@contextmanager
def answering() -> Iterator[Hostile]:
    """Answer from a thread, so that only the client's calls are counted."""

    class Answering(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(ANSWER)

    started, stop = threading.Event(), threading.Event()
    server = Hostile()

    async def serve() -> None:
        listener = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
        server.port = listener.sockets[0].getsockname()[1]
        started.set()
        await asyncio.get_running_loop().run_in_executor(None, stop.wait)
        listener.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    started.wait()
    try:
        yield server
    finally:
        stop.set()
        thread.join()


def count_calls(run: Callable[[], None]) -> Counter[str]:
    """Count the calls that `run` makes, by the file that makes them or is called."""
    counted: Counter[str] = Counter()

    def note(frame, event: str, argument: object) -> None:
        if event in {"call", "c_call"}:
            counted[frame.f_code.co_filename] += 1

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return counted


@pytest.mark.long
def test_function_calls() -> None:
    """At most 28 function calls of our own, C's among them, and 92 with the event loop's."""
    backend = NativeBackend()
    with answering() as server, asyncio.Runner() as runner:
        request = server.request()

        async def some() -> None:
            for _ in range(ROUNDS):
                await backend.exchange(request, timeout=10, max_bytes=1000)

        runner.run(some())
        # All in one loop and on one connection; what the runner itself does is shared by the rounds.
        counted = count_calls(lambda: runner.run(some()))
        assert repr(backend) == "native (1 open, 1 idle)"
        runner.run(backend.aclose())
    ours = sum(calls for file, calls in counted.items() if file.startswith(OURS) or file.startswith("<attrs"))
    assert ours / ROUNDS <= 28
    assert sum(counted.values()) / ROUNDS <= 92
