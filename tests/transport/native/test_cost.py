"""What an exchange costs on a connection that is warm: counted, since counts are the same on every machine."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from callsavvy_async.transport import native
from callsavvy_async.transport.native.backend import NativeBackend
from callsavvy_async.wire import fields

from .hostile import Hostile

pytestmark = pytest.mark.sockets

ROUNDS = 50
_NO_IO = re.compile(r"resumed>|brk\(|mmap\(|munmap\(|getpid\(")
"""Memory, and 3.11's question whether it was forked, which it asks for the running loop."""
OURS = (str(Path(native.__file__).parent), str(Path(fields.__file__).parent))
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


def test_function_calls() -> None:
    """At most 56 function calls of our own, C's among them, and 122 with the event loop's."""
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
    assert ours / ROUNDS <= 56
    assert sum(counted.values()) / ROUNDS <= 122


def test_system_calls(tmp_path: Path) -> None:
    """Five: one look at the idle connection, one write, one read, and two looks of the event loop."""
    strace = shutil.which("strace")
    if strace is None:  # a machine without it has the count from those that have it
        return
    with answering() as server:
        program = (
            "import asyncio, sys\n"
            "from callsavvy_async.transport.native.backend import NativeBackend\n"
            "from callsavvy_async.wire.request import HttpRequest\n"
            "from callsavvy_async.wire.target import Target\n"
            "async def main():\n"
            f"    request = HttpRequest(Target.of('http://127.0.0.1:{server.port}/', ()), b'')\n"
            "    backend = NativeBackend()\n"
            "    for _ in range(int(sys.argv[1])):\n"
            "        await backend.exchange(request, timeout=10, max_bytes=1000)\n"
            "asyncio.run(main())\n"
        )

        def trace(rounds: int) -> int:
            log = tmp_path / str(rounds)
            command = [strace, "-f", "-qq", "-o", str(log), sys.executable, "-c", program, str(rounds)]
            subprocess.run(command, check=True, timeout=60)
            lines = log.read_text().splitlines()
            return sum(_NO_IO.search(line) is None for line in lines)

        few, many = trace(50), trace(550)
    assert (many - few) / 500 <= 5.2
