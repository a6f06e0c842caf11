"""Jobs of a queue, and everything that can happen to them; compared with the ledger.

python -m tests.cluster.fleet --host celery --jobs 2000 --rounds 5 --seed 1     # or another host of jobs

Each job sends one message with a key. A tenth of the jobs is enqueued twice. While two workers send, processes and whole
workers are killed with -9, a worker is stopped past the timeout of its queue and continued, one is ended by SIGTERM, and the
broker crashes and comes back with its data. Then each job must be accepted or unknown, nobody may be charged twice, an
accepted job must have been charged, and kills may leave no more unknown than was in flight. A run in which no job is
delivered again proves nothing and fails.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import anyio
import attrs

from callsavvy_async.campaigns import Journal
from callsavvy_async.campaigns.journal.runs import PROCESS_DIED
from testbed.account import Account, account
from testbed.servers.postgres import PostgresServer
from testbed.servers.redis import RedisServer
from tests.cluster.place import Place, read

from .hosts import DELIVERIES, JOB_HOSTS, PYTHON, JobHost, recipient

WORKERS = 2
ASLEEP = 3.0
"""Seconds that a worker is stopped; longer than the timeout of its queue."""
STALLED = 6.0
"""Seconds without progress after which jobs are enqueued again, as the sweep of the pages does."""
STUCK = 180.0
"""Seconds without progress after which the torment is given up."""


@attrs.define(kw_only=True)
class JobVerdict:
    """What became of the jobs.

    Attributes:
        deliveries: number of times that a job was started.
        swept: jobs that were enqueued again after a while without progress, some since the queue had lost them.
        most_unknown: most requests in flight of processes that were killed, or that may have ended without their journal.
        died: jobs that are unknown since their process ended.
    """

    host: str
    jobs: int
    happened: Counter[str] = attrs.field(factory=Counter)
    deliveries: int = 0
    swept: int = 0
    most_unknown: int = 0
    accepted: int = 0
    unknown: int = 0
    died: int = 0
    lost: int = 0
    twice: int = 0
    contradicted: int = 0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        wrong = self.lost or self.twice or self.contradicted
        return not wrong and self.died <= self.most_unknown and self.deliveries > self.jobs

    def __str__(self) -> str:
        happened = ", ".join(f"{count} {what}" for what, count in self.happened.items())
        return "\n".join(
            [
                f"{self.host}: {self.jobs:,} jobs, {self.deliveries:,} deliveries, {self.seconds:.0f} s",
                f"what happened: {happened}",
                f"{self.accepted:,} accepted, {self.unknown:,} unknown",
                f"lost {self.lost}, twice {self.twice}, contradicted by the ledger {self.contradicted}",
                f"unknown since their process ended: {self.died}, of at most {self.most_unknown} in flight",
                f"enqueued again by the sweep: {self.swept}",
            ]
        )


@attrs.define(eq=False)
class Queue:
    """The workers of a host, in the folder of its project, and what is done to them."""

    host: JobHost
    folder: Path
    environment: dict[str, str]
    journal: str
    jobs: int
    verdict: JobVerdict
    draw: random.Random
    workers: list[subprocess.Popen[bytes]] = attrs.field(factory=list)
    _started: list[subprocess.Popen[bytes]] = attrs.field(factory=list)

    def run(self, program: str) -> None:
        """Run a program of the project."""
        subprocess.run([PYTHON, "-c", program], cwd=self.folder, env=self.environment, check=True)

    def enqueue(self, numbers: Sequence[int]) -> None:
        self.run(f"numbers = {list(numbers)}\n{self.host.enqueue}")

    def start(self) -> None:
        """Start workers until there are enough, as whoever keeps services alive does."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < WORKERS:
            command = [PYTHON, *self.host.worker]
            with (self.folder / "log").open("a") as log:  # it reports the failures that the torment makes
                worker = subprocess.Popen(
                    command, cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
                )
            self.workers.append(worker)
            self._started.append(worker)

    def end(self) -> None:
        """Kill all workers, and what ended ones left running."""
        for worker in self._started:
            _signal_group(worker, signal.SIGKILL)
            worker.wait()

    # ------------------------------------------------------------------------------------------------- what may happen

    def kill_worker(self) -> None:
        """Kill a worker with all its processes, as a machine that fails does."""
        self._note_kill("kill -9 of a worker")
        worker = self._choose()
        _signal_group(worker, signal.SIGKILL)
        worker.wait()

    def kill_process(self) -> None:
        """Kill one process of a worker, as a kernel without memory does."""
        self._note_kill("kill -9 of a process")
        worker = self._choose()
        with suppress(ProcessLookupError):
            os.kill(self.draw.choice(_children(worker.pid) or [worker.pid]), signal.SIGKILL)

    def sleep(self) -> None:
        """Stop a worker past the timeout of its queue, and continue it."""
        self.verdict.happened["sleep past the timeout"] += 1
        worker = self._choose()
        _signal_group(worker, signal.SIGSTOP)
        time.sleep(ASLEEP)
        _signal_group(worker, signal.SIGCONT)

    def terminate(self) -> None:
        self.verdict.happened["SIGTERM"] += 1
        worker = self._choose()
        worker.terminate()
        worker.wait(STUCK)

    def _note_kill(self, what: str) -> None:
        self.verdict.happened[what] += 1
        self.verdict.most_unknown += self.host.in_flight

    def _choose(self) -> subprocess.Popen[bytes]:
        """Return the worker that has run the longest, so that it has work."""
        self.start()
        return self.workers[0]

    # ---------------------------------------------------------------------------------------------------------- waiting

    def wait_until(self, settled: int, *, patience: float = STUCK) -> bool:
        """Wait until so many jobs are settled. Return False after so many seconds without progress."""
        last, since = -1, time.monotonic()
        while (now := len(self.settled())) < settled:
            self.start()
            if now != last:
                last, since = now, time.monotonic()
            if time.monotonic() - since > patience:
                return False
            time.sleep(0.1)
        return True

    def finish(self) -> None:
        """Wait for all jobs. Jobs that the queue lost are enqueued again."""
        before, since = -1, time.monotonic()
        while not self.wait_until(self.jobs, patience=STALLED):
            left = sorted({*range(self.jobs)} - self.settled())
            if len(left) != before:
                before, since = len(left), time.monotonic()
            if time.monotonic() - since > STUCK:
                raise TimeoutError(f"the jobs {left} are never done.\n{self.verdict}")
            self.verdict.swept += len(left)
            self.enqueue(left)

    def settled(self) -> set[int]:
        rows = read(self.journal, "SELECT name FROM keyed WHERE outcome IS NOT NULL")
        return {int(name.split("-")[1]) for (name,) in rows}


@attrs.frozen(kw_only=True)
class JobTorment:
    """What the jobs of a host have to go through."""

    host: str
    jobs: int = 60
    rounds: int = 1
    seed: int = 0
    faults: float = 0.0

    def run(self) -> JobVerdict:
        host, draw, began = JOB_HOSTS[self.host], random.Random(self.seed), time.monotonic()
        verdict = JobVerdict(host=self.host, jobs=self.jobs)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            postgres = stack.enter_context(PostgresServer())
            journal = postgres.new_database()
            redis = stack.enter_context(RedisServer(data=folder)) if host.redis else None
            service = stack.enter_context(account(self.seed, host.latency))
            service.fail(self.faults)
            host.write(folder)
            anyio.run(_create, journal)
            environment = {
                **Place(journal, journal, service.url, 1.0).environment,
                "CALLSAVVY_JOURNAL": journal,
                "REDIS_URL": journal if redis is None else redis.url,
            }
            queue = Queue(host, folder, environment, journal, self.jobs, verdict, draw)
            stack.callback(queue.end)
            if host.prepare:
                queue.run(host.prepare)
            queue.enqueue(sorted([*range(self.jobs), *range(0, self.jobs, 10)]))
            queue.start()
            events = [*_events(queue, postgres, redis)] * self.rounds
            for number, event in enumerate(events, start=1):
                if not queue.wait_until(self.jobs * number // (len(events) + 1)):
                    raise TimeoutError(f"nothing goes on any more.\n{verdict}")
                event()
            queue.finish()
            verdict.deliveries = (folder / DELIVERIES).stat().st_size
            queue.end()
            anyio.run(_judge, journal, service, verdict)
        verdict.seconds = time.monotonic() - began
        return verdict


def _events(queue: Queue, postgres: PostgresServer, redis: RedisServer | None) -> Sequence[Callable[[], None]]:
    def crash() -> None:
        queue.verdict.happened["crash of the broker"] += 1
        if redis is None:
            queue.verdict.most_unknown += WORKERS * queue.host.in_flight  # it is the journal, too
            postgres.stop("immediate")
            postgres.start()
        else:
            redis.kill()
            redis.start()

    return [queue.kill_process, queue.kill_worker, crash, queue.sleep, queue.terminate]


def _signal_group(worker: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(worker.pid, number)


def _children(parent: int) -> list[int]:
    """Return the processes of a worker, without Python's own resource tracker."""
    children = []
    with suppress(OSError):  # the worker has ended
        for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
            with suppress(OSError):  # the child has ended
                if "resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_text():
                    children.append(int(pid))
    return children


async def _create(url: str) -> None:
    async with Journal.open(url):
        pass


async def _judge(url: str, service: Account, verdict: JobVerdict) -> None:
    async with Journal.open(url) as journal:
        unknown = {one.key: one.detail for one in await journal.keys.unknown()}
    accepted = {name for (name,) in read(url, "SELECT name FROM keyed WHERE outcome = 'accepted'")}
    charged = service.charged()
    verdict.accepted, verdict.unknown = len(accepted), len(unknown)
    verdict.died = sum(detail == PROCESS_DIED for detail in unknown.values())
    for job in range(verdict.jobs):
        key, charges = f"order-{job}-shipped", charged[recipient(job)]
        verdict.lost += key not in accepted and key not in unknown
        verdict.twice += charges > 1
        verdict.contradicted += key in accepted and charges != 1
    verdict.contradicted += len(charged.keys() - {recipient(job) for job in range(verdict.jobs)})
