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
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import anyio
import attrs

from callsavvy_async.campaigns import Journal
from testbed.account import account
from testbed.servers.postgres import PostgresServer
from testbed.servers.redis import RedisServer
from tests.cluster.place import Place, read

from .hosts import DELIVERIES, JOB_HOSTS, PYTHON, JobHost
from .verdict import JobVerdict, judge

WORKERS = 2
ASLEEP = 3.0
"""Seconds that a worker is stopped; longer than the timeout of its queue."""
STALLED = 10.0
"""Seconds without progress after which jobs are enqueued again, as the sweep of the pages does."""
LEAVES_WITHIN = 15.0
"""Seconds after SIGTERM after which a worker is killed."""
HUNG = 20.0
"""Seconds without progress after which the workers are killed, and others started."""
STUCK = 240.0
"""Seconds without progress after which the torment is given up."""


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
        try:
            worker.wait(LEAVES_WITHIN)
        except subprocess.TimeoutExpired:  # what keeps services alive ends it then, as systemd does
            self._note_kill("kill -9 after SIGTERM")
            _signal_group(worker, signal.SIGKILL)
            worker.wait()

    def _note_kill(self, what: str) -> None:
        self.verdict.happened[what] += 1
        self.verdict.most_unknown += self.host.in_flight

    def _choose(self) -> subprocess.Popen[bytes]:
        """Return the worker that has run the longest, so that it has work."""
        self.start()
        return self.workers[0]

    # ---------------------------------------------------------------------------------------------------------- waiting

    def wait_until(self, settled: int) -> None:
        """Wait until so many jobs are settled. A sweep enqueues again what the queue lost."""
        last, since, swept, revived = -1, 0.0, 0.0, False
        while (now := len(self.settled())) < settled:
            self.start()
            moment = time.monotonic()
            if now != last:
                last, since, swept, revived = now, moment, moment, False
            if moment - since > STUCK:
                raise TimeoutError(f"nothing goes on any more.\n{self.verdict}")
            if moment - since > HUNG and not revived:
                self._revive()
                revived = True
            if moment - swept > STALLED:
                self._sweep()
                swept = time.monotonic()
            time.sleep(0.1)

    def _sweep(self) -> None:
        left = sorted({*range(self.jobs)} - self.settled())
        self.verdict.swept += len(left)
        self.enqueue(left)

    def _revive(self) -> None:
        """Kill workers that do nothing, as a liveness probe does: Celery's can hang after a crash of the broker."""
        for worker in self.workers:
            self._note_kill("kill -9 of a hung worker")
            _signal_group(worker, signal.SIGKILL)
            worker.wait()

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
                queue.wait_until(self.jobs * number // (len(events) + 1))
                event()
            queue.wait_until(self.jobs)
            verdict.deliveries = (folder / DELIVERIES).stat().st_size
            queue.end()
            anyio.run(judge, journal, service, verdict)
        verdict.seconds = time.monotonic() - began
        return verdict


def _events(queue: Queue, postgres: PostgresServer, redis: RedisServer | None) -> Sequence[Callable[[], None]]:
    def crash() -> None:
        queue.verdict.happened["crash of the broker"] += 1
        queue.verdict.most_unknown += (
            WORKERS * queue.host.in_flight
        )  # Celery's workers may end; PostgreSQL is the journal, too
        if redis is None:
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
