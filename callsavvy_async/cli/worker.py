"""``callsavvy campaigns work``: a worker of a campaign, for systemd, Kubernetes or a terminal."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

import anyio
from cyclopts import Parameter
from cyclopts.validators import Number

from callsavvy_async.campaigns import CampaignReport, Runner
from callsavvy_async.cli.activity import current_activity
from callsavvy_async.cli.campaign_run import Watcher
from callsavvy_async.cli.client import open_sender
from callsavvy_async.cli.exit_codes import code_of_worker
from callsavvy_async.cli.health import Health
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.journals import DEFAULT_JOURNAL, journal_and_name, url_of
from callsavvy_async.cli.notify import Notifier, Notify
from callsavvy_async.cli.options import DEFAULT_PACE, JournalName, Pace, Port
from callsavvy_async.cli.progress import progress
from callsavvy_async.cli.record import Record
from callsavvy_async.cli.stderr import tell
from callsavvy_async.client import Callsavvy

_SECONDS = Parameter(validator=Number(gt=0))


def work(
    *where: str,
    journal: JournalName = DEFAULT_JOURNAL,
    forever: Annotated[bool, Parameter(negative="")] = False,
    poll: Annotated[float, _SECONDS] = 2.0,
    patience: Annotated[float, _SECONDS] = 120.0,
    lease: Annotated[float, _SECONDS] = 30.0,
    port: Port | None = None,
    host: str = "127.0.0.1",
    notify: Notify = None,
    pace: Pace = DEFAULT_PACE,
) -> None:
    """Send a campaign together with other workers until nothing is left to send: callsavvy campaigns work [URL] NAME.

    The command never asks. SIGTERM or Ctrl-C stops sending and waits for requests in flight; a second one stops waiting.
    Other workers send the rest. Exit codes: 0 nothing left to send (see campaigns show for the outcomes), 1 some requests
    could not be sent, 4 stopped at --max-cost or the balance, 5 invalid keys or configuration, 130 interrupted.

    Args:
        where: The campaign's name; before it the journal's URL, unless --journal or CALLSAVVY_JOURNAL is set.
        journal: Journal file or URL.
        forever: Keep waiting for new recipients when nothing is left to send, and for a campaign that does not exist yet.
        poll: Seconds between two checks for pending requests.
        patience: Seconds to wait for an unavailable journal, with outcomes kept in memory.
        lease: Seconds without a heartbeat after which other workers take over this worker's requests (PostgreSQL).
        port: Port for /livez, /readyz and /metrics (0: any free port).
        host: Address for --port; 0.0.0.0 for probes from other hosts.
        notify: URL or command to notify.
        pace: Rate and cost limits.
    """
    current_activity().notifier = Notifier.to(notify)
    place, name = journal_and_name(where, journal)
    client = open_sender(pace)
    watcher = Watcher(Record(journal=place, name=name, pace=pace))
    with progress() as meter:

        def show(report: CampaignReport) -> None:
            current_activity().follow(report, exit_code=code_of_worker)
            watcher.look_at(report, runner.leases_lost)
            meter.show(report, client.pacing.snapshot())

        runner = Runner(
            url_of(place),
            name,
            forever=forever,
            poll=poll,
            patience=patience,
            lease=lease,
            max_cost=pace.max_cost,
            max_in_flight=pace.max_in_flight,
            on_progress=show,
        )
        health = Health(runner, client.pacing.snapshot)
        with nullcontext() if port is None else health.serve(host, port) as address:
            if address is not None:
                tell(f"health: http://{address}/readyz")
            current_activity().follow(anyio.run(_work, runner, client, health), exit_code=code_of_worker)


async def _work(runner: Runner, client: Callsavvy, health: Health) -> CampaignReport:
    failure: Exception | None = None
    report = CampaignReport(name=runner.name)
    with stopping_on_signals(runner):
        async with client, anyio.create_task_group() as group:
            group.start_soon(health.watch)
            try:
                report = await runner.work(client)
            except Exception as error:  # noqa: BLE001 - raised below, outside of an exception group
                failure = error
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return report
