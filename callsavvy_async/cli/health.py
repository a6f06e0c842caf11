"""Health endpoints of a worker for supervisors and Prometheus: ``/livez``, ``/readyz`` and ``/metrics``.

A worker is alive while its event loop turns. An unavailable journal makes it unready, but not dead: its outcomes wait in
memory, and a restart would lose them. Responses contain no phone numbers, texts or keys.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from http import HTTPStatus

import anyio
import attrs

from callsavvy_async._version import __version__
from callsavvy_async.campaigns import JournalError, Runner
from callsavvy_async.cli.http_thread import Handler, serving
from callsavvy_async.policy.pacer import PacerSnapshot

_INTERVAL = 1.0
"""Seconds between two samples."""
_HUNG = 15.0
"""Seconds without a sample after which the event loop counts as hung."""
_RATE_SAMPLES = 10
"""Number of intervals that the rate is averaged over."""
_JOURNAL_EVERY = 5
"""Number of samples between two reads of this worker's heartbeat from the journal."""


@attrs.define
class Health:
    """The health of one worker."""

    runner: Runner
    limit: Callable[[], PacerSnapshot]
    _sampled: float = attrs.field(factory=time.monotonic)
    _heartbeat: float | None = None
    _reachable: bool = True
    _settled: deque[tuple[float, int]] = attrs.field(factory=lambda: deque([(time.monotonic(), 0)], _RATE_SAMPLES + 1))

    async def watch(self) -> None:
        """Take samples until cancelled. Runs in the event loop that it watches."""
        samples = 0
        while True:
            self._sampled = time.monotonic()
            self._settled.append((self._sampled, self.runner.status.requests.total()))
            if samples % _JOURNAL_EVERY == 0:
                await self._read_heartbeat()
            samples += 1
            await anyio.sleep(_INTERVAL)

    async def _read_heartbeat(self) -> None:
        """Read this worker's heartbeat. A journal that does not respond within an interval is unreachable until the next try."""
        self._reachable = False
        try:
            with anyio.move_on_after(_INTERVAL):
                age = await self.runner.heartbeat_age()
                self._heartbeat = None if age is None else time.monotonic() - age
                self._reachable = True
        except JournalError:
            return

    @property
    def alive(self) -> bool:
        """True while the event loop turns."""
        return time.monotonic() - self._sampled < _HUNG

    @property
    def ready(self) -> bool:
        """True while the worker sends its campaign, or would if anything were pending."""
        status = self.runner.status
        return self.alive and status.joined and self._reachable and not status.stopping

    @property
    def rate(self) -> float:
        """Settled requests per second, over the last ten seconds."""
        (began, before), (ended, now) = self._settled[0], self._settled[-1]
        return (now - before) / (ended - began) if ended > began else 0.0

    def respond(self, path: str) -> tuple[HTTPStatus, str]:
        """Return the status and body for a GET."""
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
        """Serve while the block runs and yield ``host:port``."""
        return serving(partial(_HealthHandler, self.respond), host=host, port=port)

    def _metrics(self) -> Iterator[str]:
        """Yield all metrics in Prometheus' text format, version 0.0.4."""
        status, limit, name = self.runner.status, self.limit(), self.runner.name
        outcomes = ("accepted", "failed", "rejected", "unknown", "pending")
        for what, counts in (("requests", status.requests), ("recipients", status.recipients)):
            values = {outcome: counts[outcome] for outcome in outcomes}
            yield from _family(f"{what}_total", "counter", f"Outcomes of {what} of this worker.", name, values)
        yield from _family("rate_limited_total", "counter", "Responses 429.", name, limit.rate_limited)
        yield from _family(
            "requests_per_second", "gauge", "Settled requests per second, over ten seconds.", name, self.rate
        )
        yield from _family("requests_waiting", "gauge", "Requests waiting for the rate limit.", name, limit.waiting)
        yield from _family("requests_in_flight", "gauge", "Requests in flight.", name, limit.in_flight)
        if limit.learned_rate is not None:
            known = "Learned limit of the account."
            yield from _family("limit_requests_per_second", "gauge", known, name, limit.learned_rate)
        if self._heartbeat is not None:
            age = time.monotonic() - self._heartbeat
            yield from _family(
                "heartbeat_age_seconds", "gauge", "Seconds since the last heartbeat in the journal.", name, age
            )
        yield from _family("ready", "gauge", "1 if /readyz responds with 200.", name, int(self.ready))
        yield from _family(
            "uptime_seconds", "gauge", "Seconds since the worker started.", name, time.monotonic() - status.since
        )
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


class _HealthHandler(Handler):
    def __init__(self, respond: Callable[[str], tuple[HTTPStatus, str]], *arguments: object) -> None:
        self._respond = respond
        super().__init__(*arguments)  # type: ignore[arg-type] # socketserver's arguments

    def do_GET(self) -> None:  # noqa: N802 - the base class looks it up
        """Respond to a GET."""
        status, text = self._respond(self.path)
        body = text.encode()
        content_type = "text/plain; version=0.0.4; charset=utf-8"
        self.reply(status, (("Content-Type", content_type), ("Content-Length", str(len(body)))), body)
