"""Send to a server that fails every request in some way, and compare what the client says with the server's ledger.

Every request of a storm meets a fault, drawn from a seed: connections that break at each stage, answers that hang, drip,
lie, are cut or do not end, refusals with Retry-After. Some of the sends are cancelled. Then nobody may have been charged
twice, what the client says must be what the ledger says, a receipt must be the receipt of its own message, Retry-After
must not have been undercut, and nothing may have taken longer than it was allowed to.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

import anyio
import attrs

from callsavvy_async import Callsavvy, Outcome, RequestError, Unlimited
from callsavvy_async.hooks import RequestSettled
from callsavvy_async.simulator import (
    FAULTS,
    PRIVATE_KEY,
    PUBLIC_KEY,
    Fault,
    Ledger,
    Request,
    Simulator,
    SimulatorServer,
    serve,
)
from callsavvy_async.transport.backends.choose import BackendName

IN_FLIGHT = 32
TIMEOUT, DEADLINE = 0.4, 3.0
PATIENCE = 0.5
"""Seconds by which a call may pass its time-out on a busy machine: timeout=1 returns within 1.5 s."""
WAIT = 0.02
"""Seconds of Retry-After."""
CANCELLED = 0.02
"""The share of sends that are cancelled, at most `LONGEST` seconds after they began."""
LONGEST = 0.02
BEAT = 0.05

_RARE = {"hang", "hang-before-read"}
_SMALLER = {
    "huge-body": Fault.HUGE_BODY.but(size=2**18),
    "gzip-bomb": Fault.GZIP_BOMB.but(size=2**22),
    "slow-drip": Fault.SLOW_DRIP.but(size=64, seconds=0.001),
}
_STATUSES = (
    *(Fault.with_status(status) for status in (400, 401, 402, 403, 404, 408, 413, 422, 500, 503)),
    *(Fault.with_status(status, body="html", processed=True) for status in (500, 502, 504)),
    *(Fault.redirect(status) for status in (302, 307)),
    Fault.with_status(429, retry_after=str(WAIT)),
    Fault.with_status(503, retry_after=str(WAIT)),
)


def faults() -> Iterator[tuple[Fault, float]]:
    """Give every fault with its weight: what hangs is rarer, since it takes the whole time-out."""
    for name, fault in FAULTS.items():
        yield _SMALLER.get(name, fault), 0.1 if name in _RARE else 1.0
    for fault in _STATUSES:
        yield fault, 1.0


@attrs.define
class Summary:
    """What a storm came to."""

    backend: str
    sends: int = 0
    seconds: float = 0.0
    arrived: int = 0
    outcomes: Counter[str] = attrs.field(factory=Counter[str])
    charged_twice: int = 0
    contradicted: int = 0
    mixed_up: int = 0
    repeated_in_doubt: int = 0
    unasked: int = 0
    undercut: int = 0
    late: int = 0
    stall: float = 0.0
    """Longest time in seconds for which the event loop did not run: no time-out can be kept then."""

    @property
    def faults(self) -> int:
        """How many rules were broken."""
        return (
            self.charged_twice
            + self.contradicted
            + self.mixed_up
            + self.repeated_in_doubt
            + self.unasked
            + self.undercut
            + self.late
        )

    def __str__(self) -> str:
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        return (
            f"{self.backend}: {self.sends} sends, {self.arrived} faulted requests in {self.seconds:.0f} s: {told};"
            f" {self.charged_twice} charged twice, {self.contradicted} told otherwise than the ledger,"
            f" {self.mixed_up} receipts of another message, {self.repeated_in_doubt} repeated in doubt,"
            f" {self.unasked} requests too many, {self.undercut} before Retry-After, {self.late} late"
            f" (the machine stood still for {self.stall:.2f} s)"
        )


def storm(sends: int, *, seed: int, backend: BackendName, loop: str) -> Summary:
    """Send so many messages over a backend on an event loop, and judge."""
    simulator = Simulator(sms_balance=10**9, seed=seed)
    summary = Summary(f"{backend} on {loop}", sends)
    _plan(simulator, summary)
    with serve(simulator) as server:
        began = time.monotonic()
        run = Run(random.Random(seed), summary)
        anyio.run(run.send_all, server, backend, backend=loop)
        summary.seconds = time.monotonic() - began
    run.judge(simulator)
    return summary


def _plan(simulator: Simulator, summary: Summary) -> None:
    """Let every request be counted and meet a fault; those that leave the request unread are drawn first."""

    def count(_: Request) -> bool:
        summary.arrived += 1
        return False

    simulator.faults.rule(Fault.DROP_BEFORE_READ, resource="sendSMS", when=count)
    plan = [(fault, weight) for fault, weight in faults() if not fault.reads]
    plan += [(fault, weight) for fault, weight in faults() if fault.reads]
    left = sum(weight for _, weight in plan)
    for fault, weight in plan:
        simulator.faults.rule(fault, resource="sendSMS", probability=min(weight / left, 1.0))
        left -= weight


@attrs.define
class Run:
    """The sends of one storm, and what was said of each."""

    draw: random.Random
    summary: Summary
    said: dict[str, str] = attrs.field(factory=dict[str, str])
    receipts: dict[str, str] = attrs.field(factory=dict[str, str])
    attempts: Counter[Outcome] = attrs.field(factory=Counter[Outcome])
    late_by: list[float] = attrs.field(factory=list[float])
    cancelled: int = 0

    async def send_all(self, server: SimulatorServer, backend: BackendName) -> None:
        """Send everything, some at a time."""
        numbers = iter([f"+23480{n:08}" for n in range(self.summary.sends)])
        async with (
            Callsavvy(
                public_key=PUBLIC_KEY,
                private_key=PRIVATE_KEY,
                base_url=server.url,
                backend=backend,
                timeout=TIMEOUT,
                deadline=DEADLINE,
                max_response_bytes=2**16,
                pacing=Unlimited(),
                hooks=[self._note],
            ) as client,
            anyio.create_task_group() as beating,
        ):
            beating.start_soon(self._beat)
            async with anyio.create_task_group() as group:
                for _ in range(IN_FLIGHT):
                    group.start_soon(self._work, client, numbers)
            beating.cancel_scope.cancel()

    async def _beat(self) -> None:
        while True:
            before = time.monotonic()
            await anyio.sleep(BEAT)
            self.summary.stall = max(self.summary.stall, time.monotonic() - before - BEAT)

    async def _work(self, client: Callsavvy, numbers: Iterator[str]) -> None:
        for number in numbers:
            patience = self.draw.uniform(0, LONGEST) if self.draw.random() < CANCELLED else DEADLINE + PATIENCE
            began = time.monotonic()
            self.said[number] = "cancelled"
            with anyio.move_on_after(patience):
                await self._send(client, number)
            self.late_by.append(time.monotonic() - began - min(patience, DEADLINE))

    async def _send(self, client: Callsavvy, number: str) -> None:
        try:
            receipt = await client.messaging.send_sms(number, "Hello")
        except RequestError as error:
            self.said[number] = error.outcome.name
        else:
            self.said[number] = "FAILED" if receipt.failed else "ACCEPTED"
            if receipt.message_id is not None and not receipt.failed:
                self.receipts[number] = receipt.message_id

    def _note(self, event: object) -> None:
        if not isinstance(event, RequestSettled):
            return
        outcomes = [attempt.outcome for attempt in event.attempts]
        self.attempts.update(outcomes)
        self.summary.repeated_in_doubt += any(one in {Outcome.UNKNOWN, Outcome.ACCEPTED} for one in outcomes[:-1])
        self.late_by.extend(attempt.seconds - TIMEOUT for attempt in event.attempts)
        self.cancelled += event.cancelled

    def judge(self, simulator: Simulator) -> None:
        """Compare what was said with what was done."""
        summary, charged = self.summary, simulator.ledger.charged
        summary.outcomes = Counter(self.said.values())
        summary.charged_twice = sum(count > 1 for count in charged.values())
        summary.contradicted = sum(
            (said == "ACCEPTED" and charged[number] != 1)
            or (said in {"FAILED", "REJECTED", "NOT_SENT"} and charged[number] != 0)
            for number, said in self.said.items()
        )
        # Fewer may arrive: a request that meets a connection which is just being closed was sent, and read by nobody.
        sent = self.attempts.total() - self.attempts[Outcome.NOT_SENT] + self.cancelled
        summary.unasked = max(summary.arrived - sent, 0)
        summary.late = sum(by > PATIENCE + summary.stall for by in self.late_by)
        self._judge_ledger(simulator.ledger)

    def _judge_ledger(self, ledger: Ledger) -> None:
        posts = defaultdict[str, list[tuple[float, str]]](list)
        ids: dict[str, set[str]] = defaultdict(set)
        for entry in ledger.requests:
            posts[entry.recipient].append((entry.at.timestamp(), entry.fault))
            ids[entry.recipient].add(entry.message_id)
        self.summary.mixed_up = sum(message_id not in ids[number] for number, message_id in self.receipts.items())
        allowed = WAIT - 0.001  # the ledger's clock is the wall's
        for tries in posts.values():
            for (at, fault), (then, _) in pairwise(tries):
                self.summary.undercut += fault.startswith(("status-429", "status-503")) and then - at < allowed
