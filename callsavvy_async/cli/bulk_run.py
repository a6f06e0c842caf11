"""The steps of a bulk command: plan, ask, send, report. Each mode (dry run, load, simulator, send) is a function."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from callsavvy_async.bulk.plan import Plan
from callsavvy_async.bulk.recipients import Skipped, SkipReason
from callsavvy_async.bulk.report import BulkReport
from callsavvy_async.cli.activity import current_activity, refuse
from callsavvy_async.cli.campaign_run import Loading, load_campaign, naming, send_campaign
from callsavvy_async.cli.client import account_of, client_options, open_client, open_sender, read_balance
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.job import Job
from callsavvy_async.cli.notify import Notifier
from callsavvy_async.cli.options import Durability, Mode, Pace
from callsavvy_async.cli.overwriting import refuse_overwriting
from callsavvy_async.cli.question import Question, why_unclear
from callsavvy_async.cli.recipients_file import Rows
from callsavvy_async.cli.record import Record, recording
from callsavvy_async.cli.stderr import can_ask, tell
from callsavvy_async.client import Callsavvy
from callsavvy_async.client_options import ClientOptions
from callsavvy_async.config import Credentials
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Ledger, Simulator, serve
from callsavvy_async.wording import first, period, quantity

_INEXHAUSTIBLE = 10**12


@attrs.frozen(kw_only=True)
class Order:
    """A job with the options of the command."""

    job: Job
    rows: Rows
    pace: Pace
    mode: Mode
    durability: Durability
    record: Record

    @property
    def loading(self) -> Loading:
        """The campaign, and the recipients to load into it."""
        return Loading(self.record.name, self.job, self.durability.options, self.rows)

    def plan(self, on_skipped: Callable[[Skipped], object] | None = None) -> Plan:
        """Read the whole list and return the plan."""
        options, how = self.durability.options, self.durability
        reached = self.record.reached(self.job.message, how.not_within, simulated=self.mode.simulator)
        return self.job.plan(self.rows, options, max_cost=self.pace.max_cost, on_skipped=on_skipped, reached=reached)

    def question(self, plan: Plan, service: _Service | None = None) -> Question:
        """Return the question of a plan, with the account that pays and its balance."""
        if service is None:
            return Question(plan=plan, record=tuple(self._lines(plan)), rate=self.pace.rate)
        balance = None
        if self.mode.balance or service.ledger is None:
            balance = read_balance(self.job.message, service.client, needed=self.mode.balance)
        account = account_of(service.client) if service.ledger is None else "the simulator; nothing is really sent"
        return Question(
            plan=attrs.evolve(plan, balance=balance),
            account=account,
            record=tuple(self._lines(plan)),
            rate=self.pace.rate,
            learned_rate=service.client.pacing.snapshot().learned_rate,
        )

    def _lines(self, plan: Plan) -> Iterator[str]:
        """Yield the lines about the record, and about those who get the message first."""
        how = self.durability
        if not self.mode.dry_run:
            yield from self.record.lines()
        if self.job.limit is not None:
            yield f"Limit: {first(self.job.limit, 'person', 'people')} of the list; the others are left for later"
        if how.not_within is not None:
            recent = plan.skipped.get(SkipReason.RECENT, 0)
            yield (
                f"Not sent: {quantity(recent, 'person', 'people')} to whom another campaign of the journal sent"
                f" on this channel in the last {period(how.not_within)}, or may have; each request checks it again"
            )
        if how.canary is not None:
            command = "campaigns continue" if self.mode.dry_run else f"this command: {self.record.continuing()}"
            then = f"waits for {command}" if how.hold else "goes on"
            yield (
                f"Canary: {first(how.canary, 'person', 'people')}. It stops if more than {how.failures:.0%} of them fail;"
                f" otherwise it {then}"
            )


def run_job(job: Job, pace: Pace, mode: Mode, durability: Durability) -> ExitCode | None:
    """Carry out a job.

    Args:
        job: List and message.
        pace: Rate and cost limits.
        mode: Mode and output.
        durability: Campaign and schedule.
    """
    durability.check()
    durability.options  # noqa: B018 - validates
    if job.limit is not None and durability.canary is not None:
        raise InvalidRequestError("--limit and --canary both name the first people of the list; give one of the two.")
    pace.check(simulator=mode.simulator)
    if mode.dry_run and mode.report is not None and mode.report.suffix == ".parquet":
        raise InvalidRequestError(
            "--report is a .parquet file, which only a send can write; use .csv or .jsonl with --dry-run."
        )
    carry_out = _mode_function(mode, durability)
    if carry_out in {_send_for_real, _rehearse}:
        current_activity().notifier = Notifier.to(mode.notify)
    elif mode.notify not in {None, os.environ.get("CALLSAVVY_NOTIFY")}:
        raise InvalidRequestError("--notify reports the end of a send, but nothing is sent; leave it out.")
    refuse_overwriting(job.inputs, report=mode.report, journal=None if carry_out is _show else durability.journal)
    if carry_out is _send_for_real and not mode.yes and (job.file == "-" or not can_ask()):
        return refuse("nothing was sent: without a terminal, bulk needs --yes. Check the plan first with --dry-run.")
    current_activity().folder = Path(job.file).parent
    with (
        job.open() as rows,
        recording(job.group or job.file, durability, pace, simulator=mode.simulator) as record,
    ):
        job.suppress(record.suppressed())
        return carry_out(Order(job=job, rows=rows, pace=pace, mode=mode, durability=durability, record=record))


def _mode_function(mode: Mode, durability: Durability) -> Callable[[Order], ExitCode | None]:
    if mode.dry_run:
        return _show
    if durability.load_only:
        return _load
    return _rehearse if mode.simulator else _send_for_real


def _show(order: Order) -> ExitCode:
    """Show the plan and send nothing. Write the rows that would be left out."""
    skipped = BulkReport()
    question = order.question(order.plan(skipped.skip))
    if order.mode.report is not None:
        with naming(order.mode.report):
            skipped.to_jsonl(order.mode.report) if order.mode.report.suffix == ".jsonl" else skipped.to_csv(
                order.mode.report
            )
        tell(f"callsavvy: the rows that would be left out are in {order.mode.report}")
    if order.mode.balance:
        with _served(order) if order.mode.simulator else _online(order) as service:
            question = order.question(question.plan, service)
    return question.show()


def _load(order: Order) -> ExitCode:
    """Load all recipients into the journal and send nothing. Refuse a list that needs a question."""
    unclear = why_unclear(order.plan(), asking=False)
    if unclear is not None:
        raise InvalidRequestError(f"nothing was loaded: {unclear}")
    return load_campaign(order.record, order.loading)


def _rehearse(order: Order) -> ExitCode | None:
    """Send to a simulator without asking, and compare the report with its ledger."""
    with _served(order) as service:
        return _send_planned(order, service)


def _send_for_real(order: Order) -> ExitCode | None:
    """Send to the API after confirmation."""
    with _online(order) as service:
        return _send_planned(order, service)


@attrs.frozen
class _Service:
    """A client, and the ledger of the simulator that it sends to."""

    client: Callsavvy
    ledger: Ledger | None = None


@contextmanager
def _online(order: Order) -> Generator[_Service]:
    yield _Service(open_sender(order.pace))


@contextmanager
def _served(order: Order) -> Generator[_Service]:
    simulator = Simulator(
        sms_balance=_INEXHAUSTIBLE, local_balance=_INEXHAUSTIBLE, international_balance=_INEXHAUSTIBLE
    )
    with serve(simulator) as server:
        options: ClientOptions = {**client_options(attrs.evolve(order.pace, remember=None)), "base_url": server.url}
        yield _Service(open_client(Credentials(PUBLIC_KEY, PRIVATE_KEY), **options), simulator.ledger)


def _send_planned(order: Order, service: _Service) -> ExitCode | None:
    """Plan, show the plan, and send unless it is refused."""
    plan = order.plan()
    asking = not (order.mode.yes or order.mode.simulator)
    hopeless = why_unclear(plan, asking=asking) is not None  # no need to ask the API
    question = order.question(plan, None if hopeless else service)
    refusal = question.refusal(asking=asking, needs_balance=order.mode.balance)
    if refusal is None:
        send_campaign(
            order.record,
            order.loading,
            service.client,
            order.durability.deadline,
            report=order.mode.report,
            ledger=service.ledger,
        )
    return refusal
