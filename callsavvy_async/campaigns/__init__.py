"""Durable campaigns: bulk sends that a journal records before each request leaves the process.

See `Journal` and `Campaign`.
"""

from callsavvy_async.bulk.report_files import ReportRow
from callsavvy_async.campaigns.campaign import Campaign
from callsavvy_async.campaigns.errors import (
    ChunkLostError,
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    JournalMissingError,
    JournalUnavailableError,
    LeaseLostError,
    OtherAccountError,
)
from callsavvy_async.campaigns.integrity import Verification
from callsavvy_async.campaigns.journal.commands import Action, Command, Phase, WaitingWorker
from callsavvy_async.campaigns.journal.runs import Worker
from callsavvy_async.campaigns.journal.suppression import Suppressed
from callsavvy_async.campaigns.keys import Keys, UnknownKey
from callsavvy_async.campaigns.open_journal import Journal
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.run import CampaignRun, RunOptions
from callsavvy_async.campaigns.spec import CampaignOptions
from callsavvy_async.campaigns.states import State
from callsavvy_async.campaigns.steering import Steered
from callsavvy_async.campaigns.subset_sum import Reconciliation
from callsavvy_async.campaigns.suppress_list import SuppressList
from callsavvy_async.campaigns.unknown import UnknownChunk
from callsavvy_async.campaigns.worker import Runner, WorkerStatus

__all__ = [
    "Action",
    "Campaign",
    "CampaignOptions",
    "CampaignReport",
    "CampaignRun",
    "ChunkLostError",
    "Command",
    "Journal",
    "JournalDamagedError",
    "JournalError",
    "JournalInUseError",
    "JournalMissingError",
    "JournalUnavailableError",
    "Keys",
    "LeaseLostError",
    "OtherAccountError",
    "Phase",
    "Reconciliation",
    "ReportRow",
    "RunOptions",
    "Runner",
    "State",
    "Steered",
    "SuppressList",
    "Suppressed",
    "UnknownChunk",
    "UnknownKey",
    "Verification",
    "WaitingWorker",
    "Worker",
    "WorkerStatus",
]
