"""``callsavvy campaigns work``: one worker of a campaign, for systemd, Kubernetes, or a terminal."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

import anyio
from cyclopts import Parameter
from cyclopts.validators import Number

from callsavvy_async.campaigns import CampaignReport, Runner
from callsavvy_async.cli.books import books
from callsavvy_async.cli.campaign_run import url_of
from callsavvy_async.cli.client import client_options, open_client
from callsavvy_async.cli.exit_codes import code_of_worker
from callsavvy_async.cli.health import Health
from callsavvy_async.cli.interrupts import stopping_on_signals
from callsavvy_async.cli.options import DEFAULT_JOURNAL, STEADY, JournalName, Pace, journal_and_name
from callsavvy_async.cli.progress import progress
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
    port: Annotated[int | None, Parameter(validator=Number(gte=0, lte=65_535))] = None,
    host: str = "127.0.0.1",
    json: bool = False,
    pace: Pace = STEADY,
) -> None:
    """Work on a run beside any number of other workers, until nothing is left to send: callsavvy campaigns work URL NAME.

    It asks nothing. SIGTERM or Ctrl-C waits for what is on the wire and leaves the rest to the others; a second one does not
    wait. Exit codes: 0 nothing is left to send (what became of it: campaigns show), 1 something is left that could not be sent,
    4 budget or balance, 5 keys or configuration, 130 it was told to leave.

    Args:
        where: The journal's URL, unless --journal or CALLSAVVY_JOURNAL names it, and the campaign.
        journal: The journal.
        forever: Stay when nothing is left, and wait for a campaign that is not there or not loaded yet.
        poll: Seconds between two looks at whether there is something to send.
        patience: Seconds to wait for a journal that is away; outcomes wait in memory.
        lease: Seconds without a sign of life after which others take this worker for dead (PostgreSQL).
        port: Answer /livez, /readyz and /metrics on this port; on any free one when 0.
        host: The address to answer on; 0.0.0.0 where probes come from outside.
        json: Print the result as one JSON object.
        pace: How fast, and how much.
    """
    place, name = journal_and_name(where, journal)
    client = open_client(**client_options(pace))
    with progress() as meter:

        def show(report: CampaignReport) -> None:
            books().follow(report, json=json, judge=code_of_worker)
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
            books().follow(anyio.run(_work, runner, client, health), json=json, judge=code_of_worker)


async def _work(runner: Runner, client: Callsavvy, health: Health) -> CampaignReport:
    failure: Exception | None = None
    report = CampaignReport(name=runner.name)
    with stopping_on_signals(runner):
        async with client, anyio.create_task_group() as group:
            group.start_soon(health.beat)
            try:
                report = await runner.work(client)
            except Exception as error:  # noqa: BLE001 - raised bare, outside the group
                failure = error
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return report
