"""A server that knows what it read and what it charged, and that plays one trick at a time. Threads and blocking sockets.

It has nothing of the SDK and nothing of the simulator, so that nothing here can agree with them by mistake.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import attrs

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_PATIENCE = 5.0


class HangUp(Exception):
    """The connection is to be closed now."""


@attrs.define
class Entry:
    """What became of one number.

    Attributes:
        read: how often its request was read to the end.
        charged: how often it was charged.
    """

    read: int = 0
    charged: int = 0


def is_refused(number: str) -> bool:
    """Whether the server refuses a number: every other one, so that no response fits its neighbour's request."""
    return int(number[-1]) % 2 == 1


def body_for(number: str) -> bytes:
    """Write the envelope that is true for a number."""
    if is_refused(number):
        return json.dumps({"status": "error", "message": f"{number[-4:]} may not be sent to"}).encode()
    return json.dumps({"status": "success", "data": {"message_id": f"id{number}", "status": "sent"}}).encode()


def framed(body: bytes, *fields: bytes, status: bytes = b"200 OK", length: int | None = None) -> bytes:
    """Write a response with a content length: the true one, unless another is given."""
    head = [b"HTTP/1.1 " + status, *fields, b"content-length: %d" % (len(body) if length is None else length)]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@attrs.define
class Turn:
    """One request on a connection, as a trick sees it."""

    server: Server
    sock: socket.socket
    unread: bytearray = attrs.field(factory=bytearray)

    def wait(self, until: Callable[[bytearray], bool] = bool) -> None:
        """Receive until it is so: by default, until a request begins."""
        while not until(self.unread):
            received = self.sock.recv(65536)
            if not received:
                raise HangUp
            self.unread += received

    def read(self, size: int) -> bytes:
        """Read so many bytes of the request."""
        self.wait(lambda unread: len(unread) >= size)
        taken = bytes(self.unread[:size])
        del self.unread[:size]
        return taken

    def read_head(self) -> int:
        """Read up to the empty line; return the length of the body."""
        self.wait(lambda unread: b"\r\n\r\n" in unread)
        found = _LENGTH.search(self.read(self.unread.index(b"\r\n\r\n") + 4))
        assert found is not None
        return int(found[1])

    def read_request(self) -> str:
        """Read the request to its end, note it, and charge what it asks for. Return its number."""
        number = str(json.loads(self.read(self.read_head())).get("recipient", "+2348000000000"))
        with self.server.lock:
            entry = self.server.ledger.setdefault(number, Entry())
            entry.read += 1
            entry.charged += not is_refused(number)
        return number

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.sendall(data)

    def answer(self, data: bytes | None = None) -> str:
        """Read the request to its end and send bytes: the true response, unless others are given. Return its number."""
        number = self.read_request()
        self.send(framed(body_for(number)) if data is None else data)
        return number

    @contextmanager
    def in_one_packet(self) -> Iterator[None]:
        """Hold what is sent until it can leave together: over TLS, several records in one segment."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        try:
            yield
        finally:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def hang_up(self) -> NoReturn:
        """Close the connection."""
        raise HangUp

    def reset(self) -> NoReturn:
        """Break the connection off: RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise HangUp


Trick = Callable[[Turn], object]
"""Treats one request. The connection goes on when it returns."""


class Server:
    """Listens on a loopback port.

    Attributes:
        ledger: by the numbers of the requests that were read to their end.
        trick: what is done to the next request, once.
        connections: how many were accepted.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.lock = threading.Lock()
        self.ledger: dict[str, Entry] = {}
        self.trick: Trick = Turn.answer
        self.connections = 0
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def close(self) -> None:
        """Close everything, and wait until all threads have ended."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self.lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_PATIENCE)
            assert not thread.is_alive()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                sock.settimeout(_PATIENCE)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._threads.append(threading.Thread(target=self._serve, args=(sock,), daemon=True))
                self._threads[-1].start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, HangUp):
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            with self.lock:
                self._open.add(sock)
            turn = Turn(self, sock)
            while True:
                turn.wait()
                trick, self.trick = self.trick, Turn.answer
                trick(turn)
        with self.lock:
            self._open.discard(sock)
        sock.close()
