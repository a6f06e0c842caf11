"""Workers far from their database, in short form; at length: `fleet.py --far`."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from .fleet import Torment, kill, line_cut
from .links import Kind, lines

pytestmark = [pytest.mark.sockets, pytest.mark.long]

kinds = pytest.mark.parametrize("kind", ["relay", pytest.param("namespaces", marks=pytest.mark.network)])


@kinds
def test_a_worker_cut_off_for_longer_than_its_lease_comes_back_and_reports(kind: Kind) -> None:
    """Beyond a late, lossy line that is cut past the lease, what was on the wire is no longer unknown once the line is mended."""
    with lines(delay=0.01, jitter=0.0025, loss=0.02, kind=kind) as made:
        verdict = Torment(
            chunks=120, lease=1.5, seed=3, faults=0, workers=2, events=[line_cut(4.5), kill], lines=made
        ).run()
    assert verdict.good, str(verdict)
    assert {"line cut for 4.5 s", "kill -9"} <= set(verdict.happened), str(verdict)
    assert verdict.outcomes["unknown"] == verdict.died, str(verdict)


@kinds
def test_a_line_is_late_and_can_be_cut(kind: Kind) -> None:
    """An answer over a line is late by twice its delay; while the line is cut there is none, and afterwards there is."""
    with ExitStack() as stack:
        made = stack.enter_context(lines(delay=0.05, jitter=0.01, loss=0, kind=kind))
        server = stack.enter_context(_Echo((made.listen[-1], 0), _Repeat))
        link = stack.enter_context(made.link(1, server.server_address[1]))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        with ThreadPoolExecutor(1, initializer=link.enter) as beyond:
            assert 0.08 <= beyond.submit(_ask, link.database).result() < 2
            link.cut()
            answer = beyond.submit(_ask, link.database)
            with pytest.raises(TimeoutError):
                answer.result(timeout=0.5)
            link.mend()
            assert answer.result(timeout=20) > 0.5


class _Echo(socketserver.ThreadingTCPServer):
    daemon_threads = True


class _Repeat(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.readline())


def _ask(address: str) -> float:
    """Return how long an answer took, once connected."""
    host, _, port = address.partition(":")
    began = time.monotonic()
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"?\n")
        assert connection.recv(10) == b"?\n"
    return time.monotonic() - began
