"""The loopback server of `shared`: one hidden bucket, and the times at which each process's requests arrive."""

from __future__ import annotations

import asyncio
import json
import time

import attrs

from testbed.limiter.race_server import RaceServer


@attrs.frozen
class Arrival:
    """One request: when it came, of which process, and whether it was let through."""

    at: float
    process: str
    admitted: bool


@attrs.define
class Witness(RaceServer):
    """A `RaceServer` that notes every request. The number that a process sends to says which it is."""

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
