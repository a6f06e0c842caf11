"""Workers on one campaign, and random commands to them; compared with the ledger and its times.

python -m tests.cluster.steering --commands 1000 --workers 4 --seed 1
python -m tests.cluster.steering --commands 1000 --database sqlite --seed 1

Beside the commands (pause, continue, stop, set), workers are killed with -9. Everybody must be in the report once, nobody
may be charged twice, and the server may process no request between the confirmation of a pause or a stop and the next
continue. All processes share the clock of the machine. A SQLite file has one worker at a time. A run that charges no
recipient, or that pauses no live worker, proves nothing and fails.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import anyio
import attrs

from callsavvy_async import SMS
from callsavvy_async.campaigns import Action, Journal, Phase, Steered, command_watch
from testbed.account import Account, account
from testbed.servers.postgres import PostgresServer

from .crew import Crew
from .hosts import HOSTS
from .place import CAMPAIGN, Place
from .verdict import Verdict, judge

WORKERS = 4
LATENCY = 0.02
LEASE = 3.0
"""Seconds; long enough for the server to process what a killed worker had written."""
CHUNKS_PER_COMMAND = 20
BETWEEN_LOOKS = 0.15
"""Seconds between two looks of a worker at its commands; less than in the product, so that 1,000 fit into ten minutes."""
FAULTS = 0.005
RATES = ("100/s", "400/s", "1000/s")
EVENTS = {"pause": 8, "continue": 8, "set": 3, "stop": 1, "kill": 1}
"""What happens next, by weight."""


@attrs.define
class Silence:
    """A time in which no request may begin: from the confirmation of a pause to the next continue."""

    began: float
    workers: int
    """Live runs that confirmed the pause; none confirm a stop, because they end."""
    ended: float = float("inf")


@attrs.define
class Steering:
    """The result: the verdict of a fleet, and the silences.

    Attributes:
        verdict: comparison of the journal with the ledger.
        confirmed: number of confirmed commands.
        unconfirmed: commands that a worker did not confirm in time.
        silences: the confirmed pauses and stops.
        broken: requests that the server processed during one.
        seconds: time from each command to its confirmation.
    """

    verdict: Verdict
    confirmed: int = 0
    unconfirmed: int = 0
    silences: list[Silence] = attrs.field(factory=list[Silence])
    broken: int = 0
    seconds: list[float] = attrs.field(factory=list[float])

    @property
    def good(self) -> bool:
        proved = self.verdict.outcomes["accepted"] > 0 and self.watched > 0
        return proved and self.verdict.good and not self.broken and not self.unconfirmed

    @property
    def watched(self) -> int:
        """Number of the confirmed pauses that a live worker obeyed."""
        return sum(silence.workers > 0 for silence in self.silences)

    def __str__(self) -> str:
        quiet = sum(silence.ended - silence.began for silence in self.silences)
        took = sorted(self.seconds) or [0.0]
        median, most = took[len(took) // 2], took[-1]
        return "\n".join(
            [
                str(self.verdict),
                f"commands: {self.confirmed} confirmed, {self.unconfirmed} not; median {median:.2f} s, longest {most:.2f} s",
                f"confirmed pauses and stops: {len(self.silences)}, {quiet:.0f} s together; {self.watched} with live workers",
                f"requests that the server processed during them: {self.broken}",
            ]
        )


@attrs.define
class Commander:
    """Gives random commands."""

    journal: str
    draw: random.Random
    steering: Steering
    phase: Phase = Phase.SENDING

    def give(self, action: str) -> None:
        """Give a command from a process of its own connection, and note the silence that it begins or ends."""
        began = time.time()
        if action == Action.CONTINUE and self.phase is not Phase.SENDING:
            self.steering.silences[-1].ended = began
        steered = anyio.run(self._give, action)
        ended = time.time()
        self.steering.confirmed += steered.confirmed
        self.steering.unconfirmed += not steered.confirmed
        self.steering.seconds.append(ended - began)
        if action in {Action.PAUSE, Action.STOP} and steered.confirmed and self.phase is Phase.SENDING:
            self.steering.silences.append(Silence(ended, steered.workers))
        self.phase = steered.command.phase

    async def _give(self, action: str) -> Steered:
        async with Journal.open(self.journal, read_only=True) as journal:
            match action:
                case Action.PAUSE:
                    return await journal.pause(CAMPAIGN)
                case Action.STOP:
                    return await journal.stop(CAMPAIGN)
                case Action.CONTINUE:
                    return await journal.go_on(CAMPAIGN)
                case _:
                    rate, most = self.draw.choice(RATES), self.draw.choice([1, 4, 8])
                    return await journal.set_limits(CAMPAIGN, rate=rate, max_in_flight=most)

    async def unleash(self) -> None:
        """Let the workers send the rest without limits."""
        async with Journal.open(self.journal, read_only=True) as journal:
            await journal.set_limits(CAMPAIGN, rate="100000/s", max_in_flight=8)
            await journal.go_on(CAMPAIGN)


@contextmanager
def _journal(database: str) -> Iterator[str]:
    """Yield the URL of a new journal."""
    if database == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'journal.db'}"
        return
    with PostgresServer() as server:
        yield server.new_database()


@contextmanager
def _looking_often() -> Iterator[None]:
    """Let the workers that are forked in the block look at their commands more often."""
    kept, command_watch.INTERVAL = command_watch.INTERVAL, BETWEEN_LOOKS
    try:
        yield
    finally:
        command_watch.INTERVAL = kept


def steer(commands: int, seed: int, *, workers: int = WORKERS, database: str = "postgresql") -> Steering:
    """Give so many commands, let the workers finish, and compare."""
    draw = random.Random(seed)
    people = [f"+23480{n:08}" for n in range(CHUNKS_PER_COMMAND * commands)]
    began = time.monotonic()
    with ExitStack() as stack:
        journal = stack.enter_context(_journal(database))
        service = stack.enter_context(account(seed, LATENCY))
        stack.enter_context(_looking_often())
        workers = 1 if database == "sqlite" else workers
        crew = Crew(HOSTS["plain"], Place(journal, journal, service.url, LEASE), workers, random.Random(seed))
        stack.callback(crew.end)
        service.fail(FAULTS)
        anyio.run(_load, journal, people)
        verdict = Verdict(
            host="plain", chunks=len(people), happened=crew.happened, killed=crew.killed, most_unknown=0, faults=FAULTS,
            raised=0,
        )  # fmt: skip
        commander = Commander(journal, draw, steering := Steering(verdict))
        crew.begin()
        while steering.confirmed + steering.unconfirmed < commands:
            _happen(draw, crew, commander)
            done = steering.confirmed + steering.unconfirmed
            if done and done % 100 == 0:
                print(f"{done} commands, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        if commander.phase is not Phase.SENDING:  # before the workers can know it
            steering.silences[-1].ended = min(steering.silences[-1].ended, time.time())
        anyio.run(commander.unleash)
        crew.reinforce()
        crew.finish()
        service.fail(0)
        verdict.most_unknown, verdict.raised = crew.in_flight_of_dead, crew.raised
        steering.broken = _broken(steering.silences, service)
        anyio.run(judge, journal, service, people, verdict)
    verdict.seconds = time.monotonic() - began
    return steering


def _happen(draw: random.Random, crew: Crew, commander: Commander) -> None:
    """Let one thing happen, some time after the last."""
    time.sleep(draw.uniform(0, 0.05))
    crew.look_after()
    (event,) = draw.choices([*EVENTS], [*EVENTS.values()])
    if event == "kill":
        if crew.awake:
            crew.kill()
    else:
        crew.note(event)
        commander.give(event)
    if commander.phase is not Phase.STOPPED:
        crew.reinforce()


def _broken(silences: list[Silence], service: Account) -> int:
    moments = service.moments()
    return sum(silence.began < moment < silence.ended for silence in silences for moment in moments)


async def _load(url: str, people: list[str]) -> None:
    async with Journal.open(url) as journal:
        await (await journal.campaign(CAMPAIGN, SMS("Hello"), chunk_size=1)).load(people)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--commands", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=WORKERS, help="PostgreSQL; a file has one")
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)  # the faults are our own
    steering = steer(given.commands, given.seed, workers=given.workers, database=given.database)
    print(f"{given.database}, seed {given.seed}\n{steering}", flush=True)
    sys.exit(not steering.good)


if __name__ == "__main__":
    main()
