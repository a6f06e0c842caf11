"""Four workers on one campaign in PostgreSQL, and everything that can happen to them; compared with the ledger.

python -m tests.cluster.fleet --chunks 30000 --outage 60 --seed 1
python -m tests.cluster.fleet --host procrastinate --chunks 4000       # or runs-work, pgqueuer, taskiq, every
python -m tests.cluster.fleet --host celery --jobs 2000 --rounds 5     # hosts where each message is a job: tests.cluster.jobs
python -m tests.cluster.fleet --far                                    # beyond bad lines, which are cut past the lease

While they send, workers are killed with -9, stopped past their lease and continued, ended by SIGTERM, and joined by late
ones; the server is restarted, crashes, and is away for a while; connections are cut in the middle of transactions; the
clocks of half of the plain workers jump by hours. Then everybody must be in the report once, nobody may be charged twice,
the report must say the same as the ledger, and of unknown calls there may be no more than the killed workers had in flight.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext

import anyio
import attrs

from callsavvy_async import SMS
from callsavvy_async.campaigns import Journal
from testbed.account import account
from testbed.servers.postgres import PostgresServer
from testbed.servers.redis import RedisServer

from .crew import Crew
from .hosts import HOSTS
from .jobs.hosts import JOB_HOSTS
from .jobs.torment import JobTorment
from .links import Kind, Lines, lines
from .place import CAMPAIGN, Place
from .verdict import Verdict, judge

WORKERS = 4
LATENCY = 0.02
HELLO = SMS("Hello")
Event = Callable[[Crew, PostgresServer], object]


@attrs.frozen(kw_only=True)
class Torment:
    """What a fleet has to go through; times in seconds."""

    host: str = "plain"
    chunks: int = 30_000
    outage: float = 60.0
    lease: float = 5.0
    rounds: int = 1
    seed: int = 0
    faults: float = 0.005
    workers: int = WORKERS
    events: Sequence[Event] = ()
    lines: Lines | None = None

    def run(self) -> Verdict:
        """Let workers send a campaign while everything happens to them, so many times over."""
        people = [f"+23480{n:08}" for n in range(self.chunks)]
        host, far = HOSTS[self.host], self.lines
        began = time.monotonic()
        with ExitStack() as stack:
            server = stack.enter_context(PostgresServer() if far is None else PostgresServer(far.listen))
            redis = stack.enter_context(RedisServer() if host.redis else nullcontext())
            service = stack.enter_context(account(self.seed, LATENCY, *([] if far is None else [far.api])))
            journal = server.new_database()
            queue = journal if redis is None else redis.url
            crew = Crew(host, Place(journal, queue, service.url, self.lease), self.workers, random.Random(self.seed))
            if far is not None:
                crew.links += [stack.enter_context(far.link(n + 1, server.port)) for n in range(self.workers)]
            stack.callback(crew.end)
            service.fail(self.faults)
            anyio.run(_load, journal, people)
            crew.begin()
            events = [*self.events] * self.rounds
            for number, event in enumerate(events, start=1):
                if not crew.wait_until(number / (len(events) + 1)):
                    break  # they were faster
                event(crew, server)
                crew.reinforce()
            crew.finish()
            service.fail(0)
            verdict = Verdict(
                host=self.host,
                chunks=self.chunks,
                happened=crew.happened,
                killed=crew.killed,
                most_unknown=crew.in_flight_of_dead,
                faults=self.faults,
                raised=crew.raised,
                where="" if far is None else str(far),
            )
            anyio.run(judge, journal, service, people, verdict)
        verdict.seconds = time.monotonic() - began
        return verdict


def restart(crew: Crew, server: PostgresServer) -> None:
    crew.note("restart of the server")
    server.stop("fast")
    server.start()


def crash(crew: Crew, server: PostgresServer) -> None:
    crew.note("crash of the server")
    server.stop("immediate")
    server.start()


def outage(seconds: float) -> Event:
    def be_away(crew: Crew, server: PostgresServer) -> None:
        crew.note(f"outage of {seconds:g} s")
        server.stop("immediate")
        time.sleep(seconds)
        server.start()

    return be_away


def cut(crew: Crew, _: PostgresServer) -> None:
    crew.cut_connections()


def kill(crew: Crew, _: PostgresServer) -> None:
    crew.kill()


def sleep(crew: Crew, _: PostgresServer) -> None:
    crew.sleep()


def terminate(crew: Crew, _: PostgresServer) -> None:
    crew.terminate()


def line_cut(seconds: float) -> Event:
    return lambda crew, _: crew.cut_line(seconds)


def everything(seconds_away: float) -> list[Event]:
    return [cut, kill, sleep, cut, restart, terminate, kill, crash, cut, outage(seconds_away)]


def everything_far(lease: float) -> list[Event]:
    """What happens beyond lines: the second cut is longer than a connection lives without an answer (25 s)."""
    return [line_cut(2 * lease), kill, sleep, line_cut(35), terminate, crash]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", choices=[*HOSTS, *JOB_HOSTS, "every"], default="plain")
    parser.add_argument("--far", action="store_true", help="beyond bad lines")
    parser.add_argument("--relay", action="store_true", help="beyond relays, also where namespaces are allowed")
    parser.add_argument("--delay", type=float, default=0.02, help="of a line, one way, seconds")
    parser.add_argument("--loss", type=float, default=0.02, help="of packets")
    parser.add_argument("--chunks", type=int, help="30,000; 2,000 beyond lines, where each takes several journeys")
    parser.add_argument("--jobs", type=int, default=300, help="of hosts where each message is a job")
    parser.add_argument("--outage", type=float, default=60.0, help="seconds")
    parser.add_argument("--lease", type=float, default=5.0, help="seconds")
    parser.add_argument("--rounds", type=int, default=1, help="how often everything happens")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)  # the faults are our own
    kind: Kind | None = "relay" if given.relay else None
    far = lines(delay=given.delay, jitter=given.delay / 4, loss=given.loss, kind=kind)
    good = True
    with far if given.far or given.relay else nullcontext() as made:
        every = HOSTS if made else [*HOSTS, *JOB_HOSTS]  # jobs go over no lines
        for host in every if given.host == "every" else [given.host]:
            if host in JOB_HOSTS:
                jobs = JobTorment(host=host, jobs=given.jobs, rounds=given.rounds, seed=given.seed).run()
                print(f"seed {given.seed}\n{jobs}\n", flush=True)
                good = good and jobs.good
                continue
            events = everything(given.outage) if made is None else everything_far(given.lease)
            chunks = given.chunks or (30_000 if made is None else 2_000)
            verdict = Torment(
                host=host, chunks=chunks, lease=given.lease, rounds=given.rounds, seed=given.seed,
                events=events, lines=made,
            ).run()  # fmt: skip
            print(f"seed {given.seed}\n{verdict}\n", flush=True)
            good = good and verdict.good
    sys.exit(not good)


async def _load(url: str, people: list[str]) -> None:
    async with Journal.open(url) as journal:
        await (await journal.campaign(CAMPAIGN, HELLO, chunk_size=1)).load(people)


if __name__ == "__main__":
    main()
