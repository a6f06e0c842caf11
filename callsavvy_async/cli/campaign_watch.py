"""``callsavvy campaigns watch``: a run from outside: how far it is, and every worker of it, as the journal knows them."""

from __future__ import annotations

import json as json_module
import time
from collections.abc import Iterator, Mapping
from typing import Annotated

import anyio
import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from callsavvy_async.campaigns import CampaignReport, Journal, Worker
from callsavvy_async.cli.campaign_run import url_of
from callsavvy_async.cli.exit_codes import ExitCode, code_of_report
from callsavvy_async.cli.options import DEFAULT_JOURNAL, JournalName, journal_and_name
from callsavvy_async.cli.rate_meter import Speed, number_of
from callsavvy_async.policy.standalone import OUT_OF_REACH

_TAKEN_FOR_DEAD = 60.0
"""Seconds."""


@attrs.frozen
class SharedLimit:
    """A limit that workers share, as those who live last told of it."""

    requests_per_second: float | None
    """None until it is known."""
    processes: int
    """How many share it, those of other programs included."""
    shut_for: float
    """Seconds until a request may follow a refusal."""
    out_of_reach_of: tuple[str, ...]
    """Workers that go on alone, at a share of it."""

    def __str__(self) -> str:
        rate = (
            "not known yet" if self.requests_per_second is None else f"{number_of(self.requests_per_second)} requests/s"
        )
        shut = f", refused: shut for {self.shut_for:.1f} s" if self.shut_for else ""
        cut_off = f", OUT OF REACH of {', '.join(self.out_of_reach_of)}" if self.out_of_reach_of else ""
        return f"{rate}, {self.processes} processes{shut}{cut_off}"


@attrs.frozen
class Sight:
    """A run at one moment."""

    report: CampaignReport
    workers: tuple[Worker, ...]
    """Those that did not leave in order."""
    rate: float | None = None
    """Recipients a second since the watching began; None at the first look."""

    @property
    def settled(self) -> int:
        """Recipients of whom there is nothing more to come."""
        report = self.report  # added up, for what is being loaded is given before it is pending
        return sum((report.accepted, report.failed, report.rejected, report.unknown, report.not_sent, report.cancelled))

    @property
    def left(self) -> int:
        """Recipients who are pending or in flight."""
        return self.report.pending + self.report.in_flight

    @property
    def seconds_left(self) -> float | None:
        """At this rate; None while there is none."""
        return self.left / self.rate if self.rate else None

    @property
    def limit(self) -> float | None:
        """Calls a second that the account allows, as far as the workers know."""
        if self.shared_limit is not None and self.shared_limit.processes:
            return self.shared_limit.requests_per_second
        told = (_number(worker.status.get("limit")) for worker in self.workers if worker.alive)
        return min((limit for limit in told if limit is not None), default=None)

    @property
    def shared_limit(self) -> SharedLimit | None:
        """The limit that the workers share with each other, as they last told of it; None where they share none."""
        alive = sorted((worker for worker in self.workers if worker.alive), key=lambda worker: worker.heartbeat_age)
        sharing = [worker for worker in alive if isinstance(worker.status.get("processes"), int)]
        cut_off = tuple(worker.name for worker in alive if worker.status.get("why") == OUT_OF_REACH)
        if not sharing:
            return SharedLimit(None, 0, 0.0, cut_off) if cut_off else None
        latest = sharing[0]
        rate, shut_for = (_number(latest.status.get(key)) for key in ("limit", "shut_for"))
        processes = max(int(_number(worker.status["processes"]) or 0) for worker in sharing)
        return SharedLimit(rate, processes, max(0.0, (shut_for or 0.0) - latest.heartbeat_age), cut_off)

    def as_dict(self) -> Mapping[str, object]:
        """Return it as JSON-able values."""
        return {
            **self.report.as_dict(),
            "settled": self.settled,
            "recipients_per_second": None if self.rate is None else round(self.rate, 3),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left, 1),
            "limit": self.limit,
            "shared_limit": None if self.shared_limit is None else attrs.asdict(self.shared_limit),
            "workers": [worker.as_dict() for worker in self.workers],
        }

    def lines(self) -> Iterator[str]:
        """Say it in a line, one for a limit that is shared, and one for each worker."""
        report, limit, seconds, shared = self.report, self.limit, self.seconds_left, self.shared_limit
        known = "" if limit is None else f", limit {number_of(limit)} requests/s"
        speed = "" if self.rate is None else f", {self.rate:,.0f}/s"
        eta = "" if seconds is None else f", about {seconds:,.0f} s left"
        yield (
            f"{self.settled:,} settled, {report.pending:,} pending, {report.in_flight:,} in flight,"
            f" {report.unknown:,} unknown, cost {report.reported_cost}{speed}{known}{eta}"
        )
        if shared is not None:
            yield f"  shared limit: {shared}"
        for worker in self.workers:
            state = "alive" if worker.alive else "DEAD "
            rate = worker.status.get("rate")
            speed = f", {number_of(rate)} requests/s" if isinstance(rate, int | float) else ""
            yield (
                f"  {worker.name} {state} wrote {worker.heartbeat_age:,.1f} s ago:"
                f" {worker.in_flight:,} requests in flight, {worker.claimed:,} claimed{speed}"
            )


def watch(
    *where: str,
    journal: JournalName = DEFAULT_JOURNAL,
    every: Annotated[float, Parameter(validator=Number(gt=0))] = 2.0,
    json: bool = False,
) -> ExitCode:
    """Look on while other processes send, until the campaign ends: callsavvy campaigns watch [URL] NAME.

    From time to time a line of sums, one for the limit that workers share (with --pacing), and one for each worker; what a
    worker tells is as old as its line says. A killed process never says that it ended: it is shown as dead
    when its lease is over, and after a minute without any change or heartbeat the watching ends.

    Args:
        where: The journal's URL, unless --journal or CALLSAVVY_JOURNAL names it, and the campaign.
        journal: The journal.
        every: Seconds between two looks.
        json: Print each look as a JSON object on one line.
    """
    place, name = journal_and_name(where, journal)
    changed_at, before, speed = time.monotonic(), -1, Speed()
    while True:
        report, workers = anyio.run(_look, url_of(place), name)
        now = time.monotonic()
        sight = Sight(report, workers)
        sight = attrs.evolve(sight, rate=speed.look(now, sight.settled))
        print(json_module.dumps(sight.as_dict()) if json else "\n".join(sight.lines()), flush=True)
        # one that waits for its window writes, too
        wrote = any(worker.heartbeat_age <= _TAKEN_FOR_DEAD for worker in workers)
        changed_at = now if wrote or sight.settled != before else changed_at
        before = sight.settled
        if not report.running or now - changed_at > _TAKEN_FOR_DEAD:
            return code_of_report(report)
        time.sleep(every)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


async def _look(url: str, name: str) -> tuple[CampaignReport, tuple[Worker, ...]]:
    async with Journal.open(url, read_only=True, patience=0) as opened:
        campaign = await opened.campaign(name)
        workers = await campaign.workers()
        return await campaign.status(), tuple(worker for worker in workers if worker.ended is None)
