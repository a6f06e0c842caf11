"""The course of a bulk command: plan, ask, send, report."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import anyio

from callsavvy_async.bulk.bulk import Bulk, BulkOptions
from callsavvy_async.bulk.files import Row
from callsavvy_async.bulk.plan import Plan
from callsavvy_async.bulk.report import BulkReport
from callsavvy_async.bulk.run import BulkRun
from callsavvy_async.campaigns import Spec
from callsavvy_async.cli.client import client_options, read_balance
from callsavvy_async.cli.durable import Loading, load_durably, run_options, send_durably
from callsavvy_async.cli.exit_codes import ExitCode, code_of_report
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.job import Job
from callsavvy_async.cli.ledger import compare, show_sums
from callsavvy_async.cli.options import Durability, Mode, Pace
from callsavvy_async.cli.outputs import refuse_overwriting
from callsavvy_async.cli.planning import plan_lines, show_plan
from callsavvy_async.cli.progress import progress
from callsavvy_async.cli.recipients_file import Rows, readable_again
from callsavvy_async.cli.refusals import why_unclear
from callsavvy_async.cli.stderr import ask, can_ask, explain, tell
from callsavvy_async.client import Callsavvy
from callsavvy_async.config import Credentials
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, serve

Start: TypeAlias = Callable[[Bulk, Iterator[Row], BulkOptions], BulkRun]
"""Makes the run of a channel, with everything filled in that only this channel has."""

_INEXHAUSTIBLE = 10**12


def run_job(
    job: Job, pace: Pace, mode: Mode, durability: Durability, *, start: Start, describe: Callable[[], Spec]
) -> ExitCode:
    """Plan a job, get a yes for it, send it and report.

    Args:
        job: who gets what.
        pace: how fast, and how much.
        mode: how to go about it.
        durability: whether and how it is written down.
        start: makes the run.
        describe: says the same for a journal, with --run.
    """
    durability.check()
    pace.check(simulator=mode.simulator)
    spec = None if durability.run is None else describe()
    if spec is None and mode.report is not None and mode.report.suffix == ".parquet":
        raise InvalidRequestError("--report writes .parquet with --run only; write .csv or .jsonl.")
    journal = None if durability.run is None else durability.journal
    refuse_overwriting(job.inputs, report=mode.report, journal=journal)
    if spec is not None and durability.run is not None and durability.load_only and not mode.dry_run:
        return _load(job, spec, durability.run, durability.journal, json=mode.json)
    if not (mode.yes or mode.simulator or mode.dry_run) and (job.file == "-" or not can_ask()):
        tell("callsavvy: nothing was sent: there is no terminal to ask at. Look at it with --dry-run, send with --yes.")
        return ExitCode.REFUSED
    with readable_again(job.file, allow_empty=job.allow_empty) as rows:
        if mode.dry_run and not mode.balance:
            return show_plan(job.plan(rows), json=mode.json)
        with _service(pace, mode) as (client, simulator):
            plan = job.plan(rows, read_balance(job.channel, client) if mode.balance else None)
            if mode.dry_run:
                return show_plan(plan, json=mode.json)
            refusal = _refusal(plan, mode)
            if refusal is not None:
                return refusal
            if durability.run is not None and spec is not None:
                return send_durably(
                    durability.journal,
                    Loading(durability.run, spec, rows, job.options),
                    client,
                    run_options(pace, durability.deadline),
                    report=mode.report,
                    json=mode.json,
                    ledger=None if simulator is None else simulator.ledger,
                )
            report, error = _send(job, rows, start, client, total=plan.recipients, pace=pace)
            comparison = None
            if simulator is not None:
                comparison = compare(report.rows(), simulator.ledger, accepted=report.accepted)
    error = _write_rows(report, mode.report) or error
    show_sums(report, comparison, json=mode.json)
    if error is not None:
        tell(f"callsavvy: the run did not end well: {explain(error)}")
    doubtful = error is not None or (comparison is not None and not comparison.agrees)
    return code_of_report(report) or (ExitCode.FAILED if doubtful else ExitCode.DONE)


def _load(job: Job, spec: Spec, run: str, journal: str, *, json: bool) -> ExitCode:
    """Write a job into a journal and send nothing, if it is as clear as it would have to be for a send without a question."""
    with readable_again(job.file, allow_empty=job.allow_empty) as rows:
        unclear = why_unclear(job.plan(rows), asking=False)
        if unclear is not None:
            raise InvalidRequestError(f"nothing was loaded: {unclear}")
        return load_durably(journal, Loading(run, spec, rows, job.options), json=json)


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
    unclear = why_unclear(plan, asking=asking)
    if asking or unclear is not None or plan.affordable is False:
        tell("\n".join(plan_lines(plan)))
    if unclear is not None:
        tell(f"callsavvy: nothing was sent: {unclear}")
        return ExitCode.REFUSED
    if plan.affordable is False:
        tell("callsavvy: nothing was sent: the balance does not cover it.")
        return ExitCode.BUDGET
    if asking and not ask("Send?"):
        tell("callsavvy: nothing was sent.")
        return ExitCode.REFUSED
    return None


def _send(
    job: Job, rows: Rows, start: Start, client: Callsavvy, *, total: int, pace: Pace
) -> tuple[BulkReport, Exception | None]:
    """Send, and return the report also when an error ended the run."""

    async def send() -> tuple[BulkReport, Exception | None]:
        options: BulkOptions = {
            **job.options,
            "max_in_flight": pace.max_in_flight,
            "max_cost": pace.max_cost,
            "on_result": lambda _: meter.show(run.report, client.pacing.snapshot()),
        }
        run = start(client.bulk, rows(), options)
        async with client:
            with stopping_on_signals(run), progress(total) as meter:
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
