"""The loopback server of `shared`: one hidden token bucket that records each process's requests."""

from __future__ import annotations

import asyncio
import json
import time

import attrs

from testbed.limiter.race_server import RaceServer


@attrs.frozen
class Arrival:
    """One request: its time, its process, and True if it was accepted."""

    at: float
    process: str
    admitted: bool


@attrs.define
class Witness(RaceServer):
    """A `RaceServer` that records every request. The recipient identifies the process."""

    arrivals: list[Arrival] = attrs.field(factory=list)

    async def _answer(self, path: str, body: str, writer: asyncio.StreamWriter) -> None:
        at, refused = time.monotonic(), self.refused
        process = json.loads(body)["recipient"]
        place = len(self.arrivals)
        self.arrivals.append(Arrival(at, process, admitted=True))
        answering = asyncio.ensure_future(super()._answer(path, body, writer))
        await asyncio.sleep(0)
        if self.refused > refused:
            self.arrivals[place] = Arrival(at, process, admitted=False)
        await answering
