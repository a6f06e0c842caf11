"""What a worker tells supervisors and Prometheus: ``/livez``, ``/readyz`` and ``/metrics`` on a port of its own.

Alive is a process whose event loop turns. A journal that is away is no reason to be killed: outcomes wait for it in memory,
and would be lost. It makes a worker unready, no more. Nothing here holds a number, a text or a key.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

import anyio
import attrs

from callsavvy_async._version import __version__
from callsavvy_async.campaigns import JournalError, Runner
from callsavvy_async.cli.http_thread import serving
from callsavvy_async.policy.pacer import Snapshot

_TURN = 1.0
"""Seconds between two signs of life of the event loop."""
_HUNG = 15.0
"""Seconds without one after which it is taken for hung."""
_RATE_OVER = 10
"""Turns over which the rate is taken."""
_LOOKS = 5
"""Turns between two looks at the own heartbeat in the journal."""
_SECONDS_PER_REQUEST = 10


@attrs.define
class Health:
    """The signs of life of one worker."""

    runner: Runner
    limit: Callable[[], Snapshot]
    _turned: float = attrs.field(factory=time.monotonic)
    _wrote: float | None = None
    _reachable: bool = True
    _settled: deque[tuple[float, int]] = attrs.field(factory=lambda: deque([(time.monotonic(), 0)], _RATE_OVER + 1))

    async def beat(self) -> None:
        """Give signs of life until it is cancelled. It runs in the event loop that is to be alive."""
        turns = 0
        while True:
            self._turned = time.monotonic()
            self._settled.append((self._turned, self.runner.vitals.requests.total()))
            if turns % _LOOKS == 0:
                await self._look()
            turns += 1
            await anyio.sleep(_TURN)

    async def _look(self) -> None:
        """Read the own heartbeat. A journal that does not answer within a turn is looked at again later."""
        self._reachable = False
        try:
            with anyio.move_on_after(_TURN):
                age = await self.runner.heartbeat_age()
                self._wrote = None if age is None else time.monotonic() - age
                self._reachable = True
        except JournalError:
            return

    @property
    def alive(self) -> bool:
        """Whether the event loop turns."""
        return time.monotonic() - self._turned < _HUNG

    @property
    def ready(self) -> bool:
        """Whether it works on its campaign, or would if there were anything to send."""
        vitals = self.runner.vitals
        return self.alive and vitals.joined and self._reachable and not vitals.stopping

    @property
    def rate(self) -> float:
        """Calls a second, of the last ten seconds."""
        (began, before), (ended, now) = self._settled[0], self._settled[-1]
        return (now - before) / (ended - began) if ended > began else 0.0

    def answer(self, path: str) -> tuple[HTTPStatus, str]:
        """Answer a GET."""
        match path.partition("?")[0]:
            case "/livez":
                return _verdict(self.alive)
            case "/readyz":
                return _verdict(self.ready)
            case "/metrics":
                return HTTPStatus.OK, "".join(self._metrics())
            case _:
                return HTTPStatus.NOT_FOUND, "see /livez, /readyz and /metrics\n"

    def serve(self, host: str, port: int) -> AbstractContextManager[str]:
        """Answer while the block runs; yields ``host:port``."""
        return serving(partial(_HealthHandler, self.answer), host=host, port=port)

    def _metrics(self) -> Iterator[str]:
        """Write everything in Prometheus' text format, version 0.0.4."""
        vitals, limit, name = self.runner.vitals, self.limit(), self.runner.name
        outcomes = ("accepted", "failed", "rejected", "unknown", "pending")
        for what, counts in (("requests", vitals.requests), ("recipients", vitals.recipients)):
            values = {outcome: counts[outcome] for outcome in outcomes}
            yield from _family(f"{what}_total", "counter", f"What became of {what}, by this worker.", name, values)
        yield from _family("refusals_total", "counter", "Answers 429.", name, limit.refused)
        yield from _family("requests_per_second", "gauge", "Calls that ended, over ten seconds.", name, self.rate)
        yield from _family("calls_waiting", "gauge", "Calls that wait for the limit.", name, limit.waiting)
        yield from _family("calls_in_flight", "gauge", "Calls on the wire.", name, limit.in_flight)
        if limit.learned_rate is not None:
            known = "Calls a second that the account is believed to allow."
            yield from _family("limit_calls_per_second", "gauge", known, name, limit.learned_rate)
        if self._wrote is not None:
            age = time.monotonic() - self._wrote
            yield from _family("heartbeat_age_seconds", "gauge", "Since it last wrote to the journal.", name, age)
        yield from _family("ready", "gauge", "Whether it works, or would.", name, int(self.ready))
        yield from _family("uptime_seconds", "gauge", "Since it began.", name, time.monotonic() - vitals.since)
        yield f'# TYPE callsavvy_build_info gauge\ncallsavvy_build_info{{version="{__version__}"}} 1\n'


def _verdict(good: bool) -> tuple[HTTPStatus, str]:  # noqa: FBT001 - one word
    return (HTTPStatus.OK, "ok\n") if good else (HTTPStatus.SERVICE_UNAVAILABLE, "no\n")


def _family(name: str, kind: str, text: str, campaign: str, value: float | Mapping[str, int]) -> Iterator[str]:
    yield f"# HELP callsavvy_{name} {text}\n# TYPE callsavvy_{name} {kind}\n"
    label = f'campaign="{_escaped(campaign)}"'
    if isinstance(value, Mapping):
        for outcome, count in value.items():
            yield f'callsavvy_{name}{{{label},outcome="{outcome}"}} {count}\n'
    else:
        yield f"callsavvy_{name}{{{label}}} {value:.10g}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


class _HealthHandler(BaseHTTPRequestHandler):
    timeout = _SECONDS_PER_REQUEST

    def __init__(self, answer: Callable[[str], tuple[HTTPStatus, str]], *arguments: object) -> None:
        self._answer = answer
        super().__init__(*arguments)  # type: ignore[arg-type] # socketserver's own arguments, handed on

    def do_GET(self) -> None:
        """Answer a GET."""
        status, text = self._answer(self.path)
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Write no access log: probes come every few seconds."""
