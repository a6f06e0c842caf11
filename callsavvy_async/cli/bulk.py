"""``callsavvy bulk``: send to everybody in a file. ``callsavvy estimate``: the plan of that, and nothing is sent."""

from __future__ import annotations

from collections.abc import Callable

from cyclopts import App

from callsavvy_async.cli.bulk_run import run_job
from callsavvy_async.cli.channels import Content, add_commands
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.job import make_job
from callsavvy_async.cli.options import (
    DEFAULT_MODE,
    EVERYBODY,
    FLEETING,
    STEADY,
    Audience,
    ChunkSize,
    Durability,
    Mode,
    Pace,
    RecipientsFile,
)

_bulk = App(
    name="bulk",
    help=(
        "Send to everybody in a file, each number once.\n\n"
        "The file is checked from end to end before the first message leaves. Ctrl-C stops and waits for what is on the"
        " wire, a second one does not wait; there is always a report.\n\n"
        "Exit codes: 0 all accepted (skipped rows are no failures), 1 some failed or the result could not be written,"
        " 2 refused and nothing sent, 3 some"
        " unknown, 4 stopped at a budget or balance, 5 keys or configuration, 130 interrupted. When several hold: 130,"
        " then 5, 4, 3, 1."
    ),
)
_estimate = App(name="estimate", help="Work out offline what bulk would do, as bulk --dry-run does. Nothing is sent.")


def register(app: App) -> None:
    """Add the commands."""
    add_commands(_bulk, _bulk_command)
    add_commands(_estimate, _estimate_command)
    app.command(_bulk)
    app.command(_estimate)


def _bulk_command() -> Callable[..., ExitCode | None]:
    def send(
        file: RecipientsFile,
        /,
        *,
        content: Content,
        chunk_size: ChunkSize = None,
        audience: Audience = EVERYBODY,
        pace: Pace = STEADY,
        mode: Mode = DEFAULT_MODE,
        durability: Durability = FLEETING,
    ) -> ExitCode | None:
        """Send.

        Args:
            file: CSV, JSON lines or plain lines, gzipped or not; - for standard input.
            content: The message.
            chunk_size: Most recipients per request: 100 unless given, 30 for WhatsApp. What may become unknown at once is
                one request.
            audience: Who of them, and how numbers are read.
            pace: How fast, and how much.
            mode: How the command goes about it.
            durability: How it is written down, and when it may send.
        """
        message = content.build(nothing_is_sent=mode.dry_run or mode.simulator)
        return run_job(make_job(file, message, audience, chunk_size, content.message_file), pace, mode, durability)

    return send


def _estimate_command() -> Callable[..., ExitCode | None]:
    def estimate(
        file: RecipientsFile,
        /,
        *,
        content: Content,
        chunk_size: ChunkSize = None,
        audience: Audience = EVERYBODY,
        balance: bool = False,
        json: bool = False,
    ) -> ExitCode | None:
        """Estimate.

        Args:
            file: CSV, JSON lines or plain lines, gzipped or not; - for standard input.
            content: The message.
            chunk_size: Most recipients per request: 100 unless given, 30 for WhatsApp.
            audience: Who of them, and how numbers are read.
            balance: Compare with the account's balance; exit code 4 when it does not cover the plan.
            json: Print one JSON object.
        """
        job = make_job(file, content.build(nothing_is_sent=True), audience, chunk_size, content.message_file)
        return run_job(job, STEADY, Mode(dry_run=True, balance=balance, json=json), FLEETING)

    return estimate
