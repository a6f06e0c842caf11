"""``callsavvy campaigns watch``: the progress of a campaign and the state of its workers, read from the journal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated

import anyio
import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from callsavvy_async.campaigns import Campaign, CampaignReport, Journal, Worker
from callsavvy_async.cli.activity import current_activity
from callsavvy_async.cli.exit_codes import ExitCode, code_of_report
from callsavvy_async.cli.journals import DEFAULT_JOURNAL, journal_and_name, url_of
from callsavvy_async.cli.ledger import data_of_sums
from callsavvy_async.cli.options import JournalName
from callsavvy_async.cli.output import Result
from callsavvy_async.cli.progress import Speed, format_rate
from callsavvy_async.policy.standalone import OUT_OF_REACH
from callsavvy_async.wording import quantity

_DEAD_AFTER = 60.0
"""Seconds without a change or a heartbeat after which the watching ends."""


@attrs.frozen
class SharedLimit:
    """The shared limit, as last reported by live workers."""

    requests_per_second: float | None
    """None until a worker has learned it."""
    processes: int
    """Number of processes that share the limit, including other programs."""
    shut_for: float
    """Seconds until a request may start after a 429."""
    out_of_reach_of: tuple[str, ...]
    """Names of workers that cannot reach the others and send at a share of the limit."""

    @classmethod
    def of(cls, workers: Iterable[Worker]) -> SharedLimit | None:
        """Return the shared limit, by the live one of these workers that reported last; None if they share none."""
        alive = sorted((worker for worker in workers if worker.alive), key=lambda worker: worker.heartbeat_age)
        sharing = [worker for worker in alive if isinstance(worker.status.get("processes"), int)]
        cut_off = tuple(worker.name for worker in alive if worker.status.get("why") == OUT_OF_REACH)
        if sharing:
            return cls._reported_by(sharing, cut_off)
        return cls(None, 0, 0.0, cut_off) if cut_off else None

    @classmethod
    def _reported_by(cls, sharing: Sequence[Worker], cut_off: tuple[str, ...]) -> SharedLimit:
        latest = sharing[0]
        rate, shut_for = (_number(latest.status.get(key)) for key in ("limit", "shut_for"))
        processes = max(int(_number(worker.status["processes"]) or 0) for worker in sharing)
        return cls(rate, processes, max(0.0, (shut_for or 0.0) - latest.heartbeat_age), cut_off)

    def __str__(self) -> str:
        rate = "unknown" if self.requests_per_second is None else f"{format_rate(self.requests_per_second)} requests/s"
        paused = f", paused by a 429 for {self.shut_for:.1f} s" if self.shut_for else ""
        cut_off = f", UNREACHABLE for {', '.join(self.out_of_reach_of)}" if self.out_of_reach_of else ""
        return f"{rate}, {quantity(self.processes, 'process', 'processes')}{paused}{cut_off}"


@attrs.frozen
class CampaignView:
    """A campaign at one moment."""

    report: CampaignReport
    workers: tuple[Worker, ...]
    """Workers that have not ended cleanly."""
    rate: float | None = None
    """Recipients per second since the watching began; None in the first view."""

    @property
    def settled(self) -> int:
        """Number of recipients with a final outcome."""
        report = self.report  # not given - pending: recipients that are being loaded are given, but not yet pending
        return sum((report.accepted, report.failed, report.rejected, report.unknown, report.not_sent, report.cancelled))

    @property
    def left(self) -> int:
        """Number of recipients that are pending or in flight."""
        return self.report.pending + self.report.in_flight

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds to the end; None while the rate is unknown."""
        return self.left / self.rate if self.rate else None

    @property
    def limit(self) -> float | None:
        """Limit of the account in requests per second, as reported by live workers."""
        if self.shared_limit is not None and self.shared_limit.processes:
            return self.shared_limit.requests_per_second
        reported = (_number(worker.status.get("limit")) for worker in self.workers if worker.alive)
        return min((limit for limit in reported if limit is not None), default=None)

    @property
    def shared_limit(self) -> SharedLimit | None:
        """The shared limit; None if the workers share none."""
        return SharedLimit.of(self.workers)

    def as_dict(self) -> Mapping[str, object]:
        """Return JSON-serializable values."""
        return {
            **data_of_sums(self.report),
            "settled": self.settled,
            "recipients_per_second": None if self.rate is None else round(self.rate, 3),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left, 1),
            "limit": self.limit,
            "shared_limit": None if self.shared_limit is None else attrs.asdict(self.shared_limit),
            "workers": [worker.as_dict() for worker in self.workers],
        }

    def lines(self) -> Iterator[str]:
        """Yield a line of sums, a line for a shared limit, and a line for each worker."""
        report, limit, seconds, shared = self.report, self.limit, self.seconds_left, self.shared_limit
        known = "" if limit is None else f", limit {format_rate(limit)} requests/s"
        speed = "" if self.rate is None else f", {self.rate:,.0f}/s"
        eta = "" if seconds is None else f", about {seconds:,.0f} s left"
        yield (
            f"{self.settled:,} settled, {report.pending:,} pending, {report.in_flight:,} in flight,"
            f" {report.unknown:,} unknown, cost {report.reported_cost}{speed}{known}{eta}"
        )
        if shared is not None:
            yield f"  shared limit: {shared}"
        yield from map(_line_of, self.workers)


def watch(
    *where: str,
    journal: JournalName = DEFAULT_JOURNAL,
    every: Annotated[float, Parameter(validator=Number(gt=0))] = 2.0,
) -> ExitCode:
    """Show the progress of a campaign while other processes send it: callsavvy campaigns watch [URL] NAME.

    Each view has a line of sums, a line for the shared limit (with --pacing), and a line for each worker with the age of
    its last heartbeat. A killed worker is shown as DEAD once its lease has expired. The command ends with the
    campaign, or after a minute without a change or a heartbeat.

    Args:
        where: The campaign's name; before it the journal's URL, unless --journal or CALLSAVVY_JOURNAL is set.
        journal: Journal file or URL.
        every: Seconds between two views.
    """
    place, name = journal_and_name(where, journal)

    async def read() -> tuple[CampaignReport, tuple[Worker, ...]]:
        async with Journal.open(url_of(place), read_only=True, patience=0) as opened:
            return await read_view(await opened.campaign(name))

    changed_at, before, speed = time.monotonic(), -1, Speed()
    while True:
        report, workers = anyio.run(read)
        now = time.monotonic()
        view = CampaignView(report, workers)
        view = attrs.evolve(view, rate=speed.update(now, view.settled))
        current_activity().emit(Result(view.as_dict(), "\n".join(view.lines())))
        # a run that waits for its send window changes nothing, but writes heartbeats
        wrote = any(worker.heartbeat_age <= _DEAD_AFTER for worker in workers)
        changed_at = now if wrote or view.settled != before else changed_at
        before = view.settled
        if not report.running or now - changed_at > _DEAD_AFTER:
            return code_of_report(report)
        time.sleep(every)


def _line_of(worker: Worker) -> str:
    state = "alive" if worker.alive else "DEAD "
    rate = _number(worker.status.get("rate"))
    speed = "" if rate is None else f", {format_rate(rate)} requests/s"
    return (
        f"  {worker.name} {state} wrote {worker.heartbeat_age:,.1f} s ago:"
        f" {quantity(worker.in_flight, 'request')} in flight, {worker.claimed:,} claimed{speed}"
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


async def read_view(campaign: Campaign) -> tuple[CampaignReport, tuple[Worker, ...]]:
    """Read the sums, and the workers that have not ended cleanly."""
    status = await campaign.status()  # first: the view of a campaign that has ended lists no worker
    return status, tuple(worker for worker in await campaign.workers() if worker.ended is None)
