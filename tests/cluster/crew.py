"""The workers of a campaign, and what is done to them."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter

import anyio
import attrs
import psycopg

from callsavvy_async.campaigns import CampaignReport, Journal, JournalUnavailableError
from callsavvy_async.campaigns.journal.runs import PROCESS_DIED

from .hosts import Host
from .links import Link
from .place import CAMPAIGN, Place, read
from .worker import Worker

CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'callsavvy-async'"
LEFT_BY = """SELECT count(*) FROM chunk JOIN run ON run.id = chunk.run WHERE worker LIKE ?
    AND (state = 'in_flight' OR state = 'unknown' AND detail = ?)"""
STUCK = 180.0
"""Seconds without any progress after which a fleet is given up."""


@attrs.define(eq=False)
class Crew:
    """So many workers at a time of one host, each beyond the next of the links if there are any."""

    host: Host
    place: Place
    size: int
    draw: random.Random
    links: list[Link] = attrs.field(factory=list[Link])
    workers: list[Worker] = attrs.field(factory=list[Worker])
    happened: Counter[str] = attrs.field(factory=Counter)
    in_flight_of_dead: int = 0
    """Calls that killed workers had on the wire."""
    killed: set[str] = attrs.field(factory=set[str])
    """Their process numbers."""
    _nudges: int = 0
    """Workers killed since anything was enqueued."""
    _asleep: list[tuple[float, Worker]] = attrs.field(factory=list[tuple[float, Worker]])
    _cut: list[tuple[float, Link]] = attrs.field(factory=list[tuple[float, Link]])

    def note(self, what: str) -> None:
        self.happened[what] += 1

    def begin(self) -> None:
        """Enqueue a job for each worker, where there is a queue, and start them."""
        self.host.enqueue(self.place, self.size, install=True)
        for _ in range(self.size):
            self._join()

    def reinforce(self) -> None:
        """Let late ones join until there are enough again."""
        for _ in range(self.size - sum(worker.runs for worker in self.workers)):
            self.note("late worker")
            self._join()
        if self.host.looks_when_enqueued and self._nudges:
            self.host.enqueue(self.place, self._nudges)
        self._nudges = 0

    def _join(self) -> None:
        link = self.links[len(self.workers) % len(self.links)] if self.links else None
        place = attrs.evolve(self.place, backend=self.draw.choice(["asyncio", "trio"]))
        place = attrs.evolve(place, clock_jumps=self.draw.random() < 0.5)
        if link is not None:
            place = attrs.evolve(place, journal=link.journal(place.journal))
        worker = Worker(self.host, place, link)
        worker.start()
        self.workers.append(worker)

    # ------------------------------------------------------------------------------------------------- what may happen

    def kill(self) -> None:
        self.note("kill -9")
        worker = self._awake()
        worker.kill()
        time.sleep(0.3)  # what it had sent to the server by then is done
        ((left,),) = read(self.place.journal, LEFT_BY, f"%:{worker.pid}", PROCESS_DIED)
        self.in_flight_of_dead += left
        self.killed.add(str(worker.pid))
        self._nudges += 1

    def terminate(self) -> None:
        """Tell one to leave, and see that it does, amid a campaign."""
        self.note("SIGTERM")
        worker = self._awake()
        worker.signal(signal.SIGTERM)
        ends_at = time.monotonic() + STUCK / 3
        while worker.runs:
            self.look_after()
            if time.monotonic() > ends_at:
                raise TimeoutError("a worker does not leave.")
            time.sleep(0.05)

    def sleep(self) -> None:
        """Stop one past its lease; it is continued later."""
        self.note("sleep past the lease")
        worker = self._awake()
        worker.signal(signal.SIGSTOP)
        self._asleep.append((time.monotonic() + 2 * self.place.lease, worker))

    def cut_connections(self) -> None:
        """Cut every connection, several times, in whatever transaction it is."""
        self.note("cut of all connections")
        for _ in range(5):
            with psycopg.connect(self.place.journal, autocommit=True) as connection:
                connection.execute(CUT)
            time.sleep(self.draw.uniform(0, 0.1))

    def cut_line(self, seconds: float) -> None:
        """Cut one of the lines, beyond which a worker works; it is mended later."""
        self.note(f"line cut for {seconds:g} s")
        whole = [link for link in self.links if link not in [cut for _, cut in self._cut]]
        link = self.draw.choice(whole)
        link.cut()
        self._cut.append((time.monotonic() + seconds, link))

    # ---------------------------------------------------------------------------------------------------------- waiting

    def wait_until(self, share: float) -> bool:
        """Wait until so much is settled; False when all is done before."""
        seen, since = None, time.monotonic()
        while any(worker.runs for worker in self.workers):
            self.look_after()
            report = self._status()
            if report is not None:
                if report.pending + report.in_flight <= (1 - share) * report.given:
                    return True
                if report != seen:
                    seen, since = report, time.monotonic()
            if time.monotonic() - since > STUCK:
                raise TimeoutError(f"nothing goes on any more: {seen}")
            time.sleep(0.1)
        return False

    def finish(self) -> None:
        """Wait until nothing is left to send, and for all to leave; an engine's worker has to be told."""
        for _, link in self._cut:
            link.mend()
        self._cut.clear()
        if self.host.engine is not None:
            self.wait_until(1)
            self._wake(everybody=True)
            for worker in self.workers:
                if worker.runs:
                    worker.signal(signal.SIGTERM)
        ends_at = time.monotonic() + STUCK
        while any(worker.runs for worker in self.workers):
            self.look_after()
            if time.monotonic() > ends_at:
                raise TimeoutError("workers stay, though nothing is left to send.")
            time.sleep(0.05)

    def end(self) -> None:
        for worker in self.workers:
            worker.kill()

    @property
    def raised(self) -> int:
        return sum(worker.raised for worker in self.workers)

    def look_after(self) -> None:
        """Wake who slept long enough, mend lines, and start those again that found no database."""
        self._wake()
        for until, link in list(self._cut):
            if time.monotonic() >= until:
                link.mend()
                self._cut.remove((until, link))
        for worker in self.workers:
            if worker.failed and not worker.replaced:
                worker.replaced = True
                self.note("started again without a database")
                self._join()

    def _wake(self, *, everybody: bool = False) -> None:
        for until, worker in list(self._asleep):
            if everybody or time.monotonic() >= until:
                worker.signal(signal.SIGCONT)
                self._asleep.remove((until, worker))

    def _awake(self) -> Worker:
        return self.draw.choice(self.awake)

    @property
    def awake(self) -> list[Worker]:
        asleep = [worker for _, worker in self._asleep]
        return [worker for worker in self.workers if worker.runs and worker not in asleep]

    def _status(self) -> CampaignReport | None:
        """Return the sums as an onlooker sees them; None while the database is away."""

        async def read() -> CampaignReport | None:
            try:
                async with Journal.open(self.place.journal, read_only=True) as journal:
                    return await (await journal.campaign(CAMPAIGN)).status()
            except JournalUnavailableError:
                return None

        return anyio.run(read)
