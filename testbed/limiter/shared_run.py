"""Run four processes that share one limit on a real Redis or PostgreSQL, and record their requests.

All of it runs on loopback. The server with its token bucket runs in this process, each client in a separate one. All
counts are the server's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs

from testbed.limiter.race_server import serving
from testbed.limiter.shared_server import Arrival, Witness

PROCESSES = 4
RATE = 100.0
CLIENT = Path(__file__).with_name("shared_client.py")


@attrs.frozen
class Case:
    """The settings of a run."""

    seconds: float
    known: str | None = None
    bucket: float = 1e6
    retry_after: bool = False
    from_second: float = 2.0
    """Start of the measured interval, in seconds."""
    jump: float = 0.0
    outage: tuple[float, float] | None = None


@attrs.define
class Backend:
    """A server of rows, with the functions that kill and restart it."""

    name: str
    url: Callable[[], str]
    kill: Callable[[], None]
    start: Callable[[], None]


@attrs.define
class Outcome:
    """The arrivals at the server, in seconds since the clients' start, and the events that the clients printed."""

    arrivals: list[Arrival]
    events: list[list[dict[str, object]]]

    def between(self, start: float, end: float) -> list[Arrival]:
        return [one for one in self.arrivals if start <= one.at < end]

    def worst_second(self, start: float, end: float) -> int:
        times, first, most = [one.at for one in self.between(start, end)], 0, 0
        for last, at in enumerate(times):
            while times[first] <= at - 1.0:
                first += 1
            most = max(most, last - first + 1)
        return most

    def fairness(self, start: float, end: float) -> float:
        """Return the fewest accepted requests of a process, divided by the most of a process."""
        admitted = self.admitted(start, end)
        return min(admitted.values()) / max(admitted.values()) if len(admitted) == PROCESSES else 0.0

    def admitted(self, start: float, end: float) -> Counter[str]:
        """Return the number of accepted requests by process."""
        return Counter(one.process for one in self.between(start, end) if one.admitted)

    def times(self, event: str) -> list[float]:
        """Return the times of an event in all processes."""
        return [float(str(line["at"])) for lines in self.events for line in lines if line["event"] == event]

    def silences(self, start: float) -> list[tuple[float, int]]:
        """For each 429 that began a pause, return the requests in the next second: the time of the last, and their number."""
        found, quiet_until = list[tuple[float, int]](), start
        for one in self.arrivals:
            if one.admitted or one.at < quiet_until:
                continue
            after = self.between(one.at + 1e-6, one.at + 0.95)
            found.append((max((late.at for late in after), default=one.at) - one.at, len(after)))
            quiet_until = one.at + 1.5
        return found


def run(case: Case, backend: Backend) -> Outcome:
    """Run four processes and return the outcome."""
    with serving(Witness(case.bucket, case.bucket, case.retry_after)) as server:
        row, clients = backend.url(), []
        for number in range(PROCESSES):
            settings = {
                "url": server.url,
                "row": row,
                "known": case.known,
                "number": number_of(number),
                "seconds": case.seconds,
                "jump": case.jump * (-1) ** number if number < 2 else 0.0,
            }
            command = [sys.executable, "-P", CLIENT, json.dumps(settings)]  # -P: do not import from the script's folder
            clients.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        begins_at = begin(clients)
        if case.outage:
            down, up = case.outage
            time.sleep(begins_at + down - time.monotonic())
            backend.kill()
            time.sleep(begins_at + up - time.monotonic())
            backend.start()
        events = [[json.loads(line) for line in client.stdout or ()] for client in clients]
        for client in clients:
            client.communicate()
        arrivals = [attrs.evolve(one, at=one.at - begins_at) for one in server.arrivals]
    for line in (line for lines in events for line in lines):
        line["at"] = float(line["at"]) - begins_at
    return Outcome(sorted(arrivals, key=lambda one: one.at), events)


def begin(clients: list[subprocess.Popen[str]]) -> float:
    """Wait until all clients are ready, start them, and return the start time."""
    for client in clients:
        assert client.stdout is not None
        client.stdout.readline()
    begins_at = time.monotonic()
    for client in clients:
        assert client.stdin is not None
        client.stdin.write(f"{begins_at}\n")
        client.stdin.flush()
    return begins_at


def number_of(process: int) -> str:
    """Return the recipient of a process's messages."""
    return f"+23480{process:08}"
