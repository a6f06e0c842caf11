"""What every engine's job calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Unpack

from callsavvy_async.campaigns import CampaignReport, Runner, RunOptions
from callsavvy_async.campaigns.run import run_settings
from callsavvy_async.client import Callsavvy
from callsavvy_async.errors import CallsavvyError

MakeClient = Callable[[], Callsavvy]
"""Makes the client of a job."""

Enqueue = Callable[[str], Awaitable[None]]
"""Enqueues one runner of the campaign of this name; once for each that there shall be."""


class CampaignStoppedError(CallsavvyError):
    """A campaign stopped before its end: the keys, the balance, the budget, or an API that refuses or is away."""


async def run_campaign(
    journal: str,
    name: str,
    *,
    client: MakeClient = Callsavvy.from_env,
    lease: float = 30.0,
    **options: Unpack[RunOptions],
) -> Mapping[str, object]:
    """Work on a campaign until nothing of it is left to send, and return its sums as JSON-able values.

    A job that is cancelled sends nothing more and waits for the answers to what is on the wire.

    Args:
        journal: its URL.
        name: of the campaign.
        client: makes the client to send with; from the environment unless given.
        lease: see `Journal.open`.
        **options: of every run.

    Raises:
        ConfigurationError: an option does not exist, or breaks a rule.
        CampaignStoppedError: something is left that could not be sent.
        JournalError: the journal cannot be used.
    """
    run_settings(**options)  # raises what a run would raise
    async with client() as callsavvy:
        report: CampaignReport = await Runner(journal, name, lease=lease, **options).work(callsavvy)
    if report.stopped is not None or report.pending:
        why = "nothing of it can be sent now" if report.stopped is None else report.stopped.value
        raise CampaignStoppedError(f"campaign {name!r} stopped with {report.pending:,} recipients pending: {why}.")
    return report.as_dict()
