"""The job that every engine runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Unpack

from callsavvy_async.campaigns import CampaignReport, Runner, RunOptions
from callsavvy_async.campaigns.run import run_settings
from callsavvy_async.client import Callsavvy
from callsavvy_async.errors import CallsavvyError
from callsavvy_async.wording import quantity

MakeClient = Callable[[], Callsavvy]
"""Creates the client of a job."""

Enqueue = Callable[[str], Awaitable[None]]
"""Enqueues one worker of the named campaign. Call it once per worker."""


class CampaignStoppedError(CallsavvyError):
    """A campaign stopped early: because of the keys, the balance, the budget, or a failing or unreachable API."""


async def run_campaign(
    journal: str,
    name: str,
    *,
    client: MakeClient = Callsavvy.from_env,
    lease: float = 30.0,
    **options: Unpack[RunOptions],
) -> Mapping[str, object]:
    """Work on a campaign until all workers together have sent everything, and return its sums as JSON-able values.

    A cancelled job sends nothing more, and waits for its requests in flight.

    Args:
        journal: URL of the journal.
        name: name of the campaign.
        client: creates the client; by default from the environment.
        lease: see `Journal.open`.
        **options: options of each run.

    Raises:
        ConfigurationError: an option does not exist or is invalid.
        CampaignStoppedError: chunks are left that cannot be sent now.
        JournalError: the journal cannot be used.
    """
    run_settings(**options)  # validates before the client opens
    async with client() as callsavvy:
        report: CampaignReport = await Runner(journal, name, lease=lease, **options).work(callsavvy)
    if report.stopped is not None or report.pending:
        why = "they cannot be sent now" if report.stopped is None else report.stopped.value
        raise CampaignStoppedError(
            f"campaign {name!r} stopped with {quantity(report.pending, 'pending recipient')}: {why}."
        )
    return report.as_dict()
