"""A small server that responds to every POST after a delay: python -m benchmarks.speed.slow 0.05. Prints its port."""

from __future__ import annotations

import asyncio
import sys

from benchmarks.speed.answers import ANSWERS

HEAD = (
    "HTTP/1.1 {status} OK\r\nServer: small\r\nDate: Tue, 24 Nov 2026 05:01:45 GMT\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\nConnection: keep-alive\r\n\r\n"
)
"""The same header fields as nginx."""


def _written(status: int, body: str) -> bytes:
    return (HEAD.format(status=status, length=len(body.encode())) + body).encode()


WRITTEN = {path.encode(): _written(answer.status, answer.body) for path, answer in ANSWERS.items()}


class Answering(asyncio.Protocol):
    """One connection. It expects one request at a time, with a content-length."""

    transport: asyncio.Transport

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return
        _, _, length = head.lower().partition(b"content-length:")
        if len(body) < int(length.partition(b"\r\n")[0] or 0):
            return
        self.received = b""
        path = head[len("POST ") :]
        answer = next(answer for prefix, answer in WRITTEN.items() if path.startswith(prefix))
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self.transport.write, answer)
        else:
            self.transport.write(answer)


async def main(delay: float) -> None:
    """Serve until terminated."""
    server = await asyncio.get_running_loop().create_server(lambda: Answering(delay), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
