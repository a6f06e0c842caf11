"""The course of a bulk command: plan, ask, send, report."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio

from callsavvy_async.bulk.options import BulkOptions
from callsavvy_async.bulk.plan import Plan
from callsavvy_async.bulk.recipients import SkipReason
from callsavvy_async.bulk.report import BulkReport
from callsavvy_async.cli.client import client_options, read_balance
from callsavvy_async.cli.durable import Loading, load_durably, run_options, send_durably
from callsavvy_async.cli.exit_codes import ExitCode, code_of_report
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.job import Job
from callsavvy_async.cli.ledger import compare, show_sums
from callsavvy_async.cli.options import Durability, Mode, Pace
from callsavvy_async.cli.planning import plan_lines, show_plan
from callsavvy_async.cli.progress import progress
from callsavvy_async.cli.recipients_file import Rows, readable_again
from callsavvy_async.cli.stderr import ask, can_ask, explain, tell
from callsavvy_async.client import Callsavvy
from callsavvy_async.config import Credentials
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, serve

_INEXHAUSTIBLE = 10**12


def run_job(job: Job, pace: Pace, mode: Mode, durability: Durability) -> ExitCode:
    """Plan a job, get a yes for it, send it and report.

    Args:
        job: who gets what.
        pace: how fast, and how much.
        mode: how to go about it.
        durability: whether and how it is written down.
    """
    durability.check()
    pace.check(simulator=mode.simulator)
    campaign = None if durability.run is None else durability.campaign
    if campaign is None and mode.report is not None and mode.report.suffix == ".parquet":
        raise InvalidRequestError("--report writes .parquet with --run only; write .csv or .jsonl.")
    if campaign is not None and durability.run is not None and durability.load_only and not mode.dry_run:
        with readable_again(job.file) as rows:
            return load_durably(durability.journal, Loading(durability.run, job, campaign, rows), json=mode.json)
    if not (mode.yes or mode.simulator or mode.dry_run) and (job.file == "-" or not can_ask()):
        tell("callsavvy: nothing was sent: there is no terminal to ask at. Look at it with --dry-run, send with --yes.")
        return ExitCode.REFUSED
    with readable_again(job.file) as rows:
        if mode.dry_run and not mode.balance:
            return show_plan(job.plan(rows, pace, campaign=campaign), json=mode.json)
        with _service(pace, mode) as (client, simulator):
            balance = read_balance(job.message, client) if mode.balance else None
            plan = job.plan(rows, pace, campaign=campaign, balance=balance)
            if mode.dry_run:
                return show_plan(plan, json=mode.json)
            refusal = _refusal(plan, mode)
            if refusal is not None:
                return refusal
            if durability.run is not None and campaign is not None:
                return send_durably(
                    durability.journal,
                    Loading(durability.run, job, campaign, rows),
                    client,
                    run_options(pace, durability.deadline),
                    report=mode.report,
                    json=mode.json,
                    ledger=None if simulator is None else simulator.ledger,
                )
            report, error = _send(job, rows, client, total=plan.recipients, pace=pace, deadline=durability.deadline)
            comparison = None
            if simulator is not None:
                comparison = compare(report.rows(), simulator.ledger, accepted=report.accepted)
    error = _write_rows(report, mode.report) or error
    show_sums(report, comparison, json=mode.json)
    if error is not None:
        tell(f"callsavvy: the run did not end well: {explain(error)}")
    doubtful = error is not None or (comparison is not None and not comparison.agrees)
    return code_of_report(report) or (ExitCode.FAILED if doubtful else ExitCode.DONE)


@contextmanager
def _service(pace: Pace, mode: Mode) -> Generator[tuple[Callsavvy, Simulator | None]]:
    """Make the client, for the API or for a simulator on a loopback socket."""
    options = client_options(pace)
    if not mode.simulator:
        yield Callsavvy.from_env(**options), None
        return
    simulator = Simulator(
        sms_balance=_INEXHAUSTIBLE, local_balance=_INEXHAUSTIBLE, international_balance=_INEXHAUSTIBLE
    )
    with serve(simulator) as server:
        options["base_url"] = server.url
        yield Callsavvy(Credentials(PUBLIC_KEY, PRIVATE_KEY), **options), simulator


def _refusal(plan: Plan, mode: Mode) -> ExitCode | None:
    """Say why a plan is not carried out; None when it is."""
    asking = not (mode.yes or mode.simulator)
    nobody_left = plan.recipients == 0 and plan.skipped.get(SkipReason.INVALID, 0) > 0
    if asking or nobody_left or plan.affordable is False:
        tell("\n".join(plan_lines(plan)))
    if nobody_left:
        tell("callsavvy: nothing was sent: no row holds a number to send to. Is it the right --column?")
        return ExitCode.REFUSED
    if plan.affordable is False:
        tell("callsavvy: nothing was sent: the balance does not cover it.")
        return ExitCode.BUDGET
    if asking and not ask("Send?"):
        tell("callsavvy: nothing was sent.")
        return ExitCode.REFUSED
    return None


def _send(
    job: Job, rows: Rows, client: Callsavvy, *, total: int, pace: Pace, deadline: float | None
) -> tuple[BulkReport, Exception | None]:
    """Send, and return the report also when an error ended the run."""

    async def send() -> tuple[BulkReport, Exception | None]:
        with progress(total) as meter:

            def show(report: BulkReport) -> None:
                meter.show(report, client.pacing.snapshot())

            options: BulkOptions = {**job.options(pace), "deadline": deadline, "on_progress": show}
            run = client.bulk.send(rows(), job.message, **options)
            async with client:
                with stopping_on_signals(run):
                    try:
                        await run
                    except Exception as error:  # noqa: BLE001 - what was sent before it is reported first
                        return run.report, error
                    return run.report, None

    return anyio.run(send)


def _write_rows(report: BulkReport, path: Path | None) -> OSError | None:
    """Write the report file. Failing is no reason to lose the sums, and "nothing was sent" would be wrong."""
    if path is None:
        return None
    try:
        if path.suffix == ".jsonl":
            report.to_jsonl(path)
        else:
            report.to_csv(path)
    except OSError as error:
        error.filename = error.filename or path
        return error
    return None
