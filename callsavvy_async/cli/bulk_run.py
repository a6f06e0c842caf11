"""The steps of a bulk command: plan, ask, send, report. Each mode (dry run, load, simulator, send) is a function."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import attrs

from callsavvy_async.bulk.options import BulkOptions
from callsavvy_async.bulk.plan import Plan
from callsavvy_async.bulk.recipients import Skipped
from callsavvy_async.bulk.report import BulkReport
from callsavvy_async.campaigns import CampaignOptions
from callsavvy_async.cli.activity import current_activity, refuse
from callsavvy_async.cli.campaign_run import Loading, load_campaign, run_options, send_campaign
from callsavvy_async.cli.client import account_of, client_options, open_client, read_balance
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.job import Job
from callsavvy_async.cli.ledger import compare
from callsavvy_async.cli.options import Durability, Mode, Pace
from callsavvy_async.cli.overwriting import refuse_overwriting
from callsavvy_async.cli.progress import progress
from callsavvy_async.cli.question import Question, why_unclear
from callsavvy_async.cli.recipients_file import Rows
from callsavvy_async.cli.stderr import can_ask, tell
from callsavvy_async.client import Callsavvy
from callsavvy_async.client_options import ClientOptions
from callsavvy_async.config import Credentials
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Ledger, Simulator, serve

_INEXHAUSTIBLE = 10**12


@attrs.frozen(kw_only=True)
class Order:
    """A job with the options of the command."""

    job: Job
    rows: Rows
    pace: Pace
    mode: Mode
    durability: Durability
    campaign: CampaignOptions | None
    """Options of the campaign; None for a send without a journal."""

    @property
    def loading(self) -> Loading | None:
        """Campaign that the recipients are loaded into; None for a send without a journal."""
        name = self.durability.campaign
        return None if self.campaign is None or name is None else Loading(name, self.job, self.campaign, self.rows)

    def plan(self, on_skipped: Callable[[Skipped], object] | None = None) -> Plan:
        """Read the whole list and return the plan."""
        return self.job.plan(self.rows, self.pace, campaign=self.campaign, on_skipped=on_skipped)

    def question(self, plan: Plan, service: _Service | None = None) -> Question:
        """Return the question of a plan, with the account that pays and its balance."""
        if service is None:
            return Question(plan=plan, rate=self.pace.rate)
        balance = None
        if self.mode.balance or service.ledger is None:
            balance = read_balance(self.job.message, service.client, needed=self.mode.balance)
        account = account_of(service.client) if service.ledger is None else "the simulator; nothing is really sent"
        return Question(plan=attrs.evolve(plan, balance=balance), account=account, rate=self.pace.rate)


def run_job(job: Job, pace: Pace, mode: Mode, durability: Durability) -> ExitCode | None:
    """Carry out a job.

    Args:
        job: List and message.
        pace: Rate and cost limits.
        mode: Mode and output.
        durability: Campaign and schedule.
    """
    durability.check()
    pace.check(simulator=mode.simulator)
    campaign = None if durability.campaign is None else durability.options
    if (campaign is None or mode.dry_run) and mode.report is not None and mode.report.suffix == ".parquet":
        raise InvalidRequestError(
            "--report is a .parquet file, which only a campaign that sends can write; use .csv or .jsonl."
        )
    journal = None if campaign is None else durability.journal
    refuse_overwriting(job.inputs, report=mode.report, journal=journal)
    carry_out = _mode_function(mode, durability)
    if carry_out is _send_for_real and not mode.yes and (job.file == "-" or not can_ask()):
        return refuse("nothing was sent: without a terminal, bulk needs --yes. Check the plan first with --dry-run.")
    current_activity().folder = Path(job.file).parent
    with job.open() as rows:
        return carry_out(Order(job=job, rows=rows, pace=pace, mode=mode, durability=durability, campaign=campaign))


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
        _write_rows(skipped, order.mode.report)
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
    assert order.loading is not None  # noqa: S101 - `Durability.check` requires --campaign
    return load_campaign(order.durability.journal, order.loading)


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
    yield _Service(open_client(**client_options(order.pace)))


@contextmanager
def _served(order: Order) -> Generator[_Service]:
    simulator = Simulator(
        sms_balance=_INEXHAUSTIBLE, local_balance=_INEXHAUSTIBLE, international_balance=_INEXHAUSTIBLE
    )
    with serve(simulator) as server:
        options: ClientOptions = {**client_options(order.pace), "base_url": server.url}
        yield _Service(open_client(Credentials(PUBLIC_KEY, PRIVATE_KEY), **options), simulator.ledger)


def _send_planned(order: Order, service: _Service) -> ExitCode | None:
    """Plan, show the plan, and send unless it is refused."""
    plan = order.plan()
    asking = not (order.mode.yes or order.mode.simulator)
    hopeless = why_unclear(plan, asking=asking) is not None  # no need to ask the API
    question = order.question(plan, None if hopeless else service)
    refusal = question.refusal(asking=asking, needs_balance=order.mode.balance)
    if refusal is None:
        if order.loading is None:
            _send_in_memory(order, service, total=plan.recipients)
        else:
            _send_as_campaign(order, order.loading, service)
    return refusal


def _send_as_campaign(order: Order, loading: Loading, service: _Service) -> None:
    send_campaign(
        order.durability.journal,
        loading,
        service.client,
        run_options(order.pace, order.durability.deadline),
        report=order.mode.report,
        ledger=service.ledger,
    )


def _send_in_memory(order: Order, service: _Service, *, total: int) -> None:
    """Send. Compare with the ledger and write the report file even if an error ends the send."""
    client = service.client

    async def send() -> None:
        def show(report: BulkReport) -> None:
            meter.show(report, client.pacing.snapshot())

        options: BulkOptions = {
            **order.job.options(order.pace),
            "deadline": order.durability.deadline,
            "on_progress": show,
        }
        run = client.bulk.send(order.rows(), order.job.message, **options)
        current_activity().follow(run.report)
        try:
            async with client:
                with progress(total) as meter, stopping_on_signals(run):
                    await run
        finally:
            if service.ledger is not None:
                current_activity().comparison = compare(run.report.rows(), service.ledger, accepted=run.report.accepted)
            if order.mode.report is not None:
                _write_rows(run.report, order.mode.report)
                if run.report.pending:
                    tell(
                        f"callsavvy: {run.report.pending:,} not sent yet. Continue with the list"
                        f" {order.mode.report} and --only pending"
                    )

    anyio.run(send)


def _write_rows(report: BulkReport, path: Path) -> None:
    try:
        if path.suffix == ".jsonl":
            report.to_jsonl(path)
        else:
            report.to_csv(path)
    except OSError as error:
        error.filename = error.filename or path
        raise
