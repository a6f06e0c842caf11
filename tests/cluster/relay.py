"""A program that passes a server's bytes on late, and holds them while it is cut: a bad line where no network can be made.

python relay.py PORT DELAY JITTER

It says at which port it listens, then takes "cut" and "mend" a line. Nothing is lost on it: that is below what a program sees.
"""

from __future__ import annotations

import asyncio
import random
import sys
from contextlib import suppress

_LARGEST = 65_536


class Relay:
    """Listens in front of a port."""

    def __init__(self, port: int, delay: float, jitter: float) -> None:
        self._port = port
        self._delay = delay
        self._jitter = jitter
        self._whole = asyncio.Event()
        self._whole.set()

    async def serve(self) -> None:
        """Pass on until the input ends."""
        server = await asyncio.start_server(self._connected, "127.0.0.1")
        print(server.sockets[0].getsockname()[1], flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line.strip() == "cut":
                self._whole.clear()
            else:
                self._whole.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._whole.wait()
        with suppress(OSError):
            answers, requests = await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.gather(self._pass_on(reader, requests), self._pass_on(answers, writer))
        writer.close()

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Pass on in order, each piece as late as it would be by itself."""
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, piece = await under_way.get()
                await asyncio.sleep(due - loop.time())
                await self._whole.wait()
                if not piece:
                    target.close()
                    return
                target.write(piece)

        async with asyncio.TaskGroup() as group:
            group.create_task(deliver())
            piece = b"any"
            while piece:
                try:
                    piece = await source.read(_LARGEST)
                except OSError:
                    piece = b""
                late = random.uniform(self._delay - self._jitter, self._delay + self._jitter)
                under_way.put_nowait((loop.time() + late, piece))


if __name__ == "__main__":
    asyncio.run(Relay(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])).serve())
