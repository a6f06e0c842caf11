"""A server that never sleeps, so that no client pays for waking it: python -m benchmarks.floors.spinning [CERTIFICATE].

It prints its port and responds to every read at once. It expects one request per read: all requests are small.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import sys

from benchmarks.speed.slow import WRITTEN

RESPONSE = WRITTEN[b"/v1/sendSMS"]


def main(certificate: str | None = None) -> None:
    """Serve until terminated."""
    context: ssl.SSLContext | None = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    ready = selectors.DefaultSelector()
    ready.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select(0):
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if context is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                ready.register(connection, selectors.EVENT_READ)
                continue
            assert isinstance(key.fileobj, socket.socket)
            if not _respond(key.fileobj):
                ready.unregister(key.fileobj)
                key.fileobj.close()


def _respond(connection: socket.socket) -> bool:
    try:
        if connection.recv(65_536):
            connection.send(RESPONSE)
            return True
    except OSError:  # also of TLS
        pass
    return False


if __name__ == "__main__":
    main(*sys.argv[1:])
