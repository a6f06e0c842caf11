"""``callsavvy bulk`` sends to every number in a file. ``callsavvy estimate`` shows the plan and sends nothing."""

from __future__ import annotations

from collections.abc import Callable

from callsavvy_async.cli.bulk_run import run_job
from callsavvy_async.cli.channels import Content
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.job import make_job
from callsavvy_async.cli.journals import DEFAULT_JOURNAL
from callsavvy_async.cli.options import (
    DEFAULT_AUDIENCE,
    DEFAULT_DURABILITY,
    DEFAULT_MODE,
    DEFAULT_PACE,
    Audience,
    ChunkSize,
    Durability,
    JournalName,
    Mode,
    NotWithin,
    Pace,
    Rate,
    RecipientsFile,
    ReportFile,
)


def bulk_command() -> Callable[..., ExitCode | None]:
    """Return a new command that sends, for the options of a channel."""

    def send(
        file: RecipientsFile = "",
        /,
        *,
        content: Content,
        chunk_size: ChunkSize = None,
        audience: Audience = DEFAULT_AUDIENCE,
        pace: Pace = DEFAULT_PACE,
        mode: Mode = DEFAULT_MODE,
        durability: Durability = DEFAULT_DURABILITY,
    ) -> ExitCode | None:
        """Send.

        Args:
            file: CSV, Excel, JSON, vCard, Parquet or one number per line, optionally gzipped; - for standard input.
            content: The message.
            chunk_size: Maximum recipients per request (default: 100; WhatsApp: 30). A lost response makes the outcome of
                one request unknown.
            audience: Who gets the message, and how numbers are read.
            pace: Rate and cost limits.
            mode: Mode and output.
            durability: Campaign and schedule.
        """
        message = content.build(nothing_is_sent=mode.dry_run or mode.simulator)
        return run_job(make_job(file, message, audience, chunk_size, content.message_file), pace, mode, durability)

    return send


def estimate_command() -> Callable[..., ExitCode | None]:
    """Return a new command that shows the plan, for the options of a channel."""

    def estimate(
        file: RecipientsFile = "",
        /,
        *,
        content: Content,
        chunk_size: ChunkSize = None,
        audience: Audience = DEFAULT_AUDIENCE,
        rate: Rate = None,
        balance: bool = False,
        journal: JournalName = DEFAULT_JOURNAL,
        not_within: NotWithin = None,
        report: ReportFile | None = None,
    ) -> ExitCode | None:
        """Estimate.

        Args:
            file: CSV, Excel, JSON, vCard, Parquet or one number per line, optionally gzipped; - for standard input.
            content: The message.
            chunk_size: Maximum recipients per request (default: 100; WhatsApp: 30).
            audience: Who gets the message, and how numbers are read.
            rate: Request rate, e.g. 10/s or 600/min, at which the time is computed.
            balance: Compare the cost with the account's balance; exit with code 4 if the balance is too low.
            journal: Journal file or URL, whose suppressed numbers are left out.
            not_within: Leave out people to whom a campaign of the journal sent in this period, or may have, e.g. 7d or 12h.
            report: Write the rows that would be left out, and why, to this .csv or .jsonl file. Contains phone numbers.
        """
        job = make_job(file, content.build(nothing_is_sent=True), audience, chunk_size, content.message_file)
        mode = Mode(dry_run=True, balance=balance, report=report)
        return run_job(job, Pace(rate=rate), mode, Durability(journal=journal, not_within=not_within))

    return estimate
