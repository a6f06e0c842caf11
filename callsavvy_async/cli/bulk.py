"""``callsavvy bulk``: send to everybody in a file."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from callsavvy_async.campaigns import Campaign
from callsavvy_async.cli.bulk_run import run_job
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.job import make_job
from callsavvy_async.cli.options import (
    DEFAULT_MODE,
    EVERYBODY,
    FLEETING,
    NO_CONTENT,
    STEADY,
    Audience,
    ChunkSize,
    Content,
    Durability,
    Mode,
    Pace,
    RecipientsFile,
    Units,
)
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.simulator import WHATSAPP_UID

_commands = App(
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


def register(app: App) -> None:
    """Add the commands."""
    app.command(_commands)


@_commands.command
def sms(
    file: RecipientsFile,
    /,
    *,
    sender_id: str | None = None,
    chunk_size: ChunkSize = None,
    reconcilable: Annotated[bool, Parameter(negative="")] = False,
    content: Content = NO_CONTENT,
    audience: Audience = EVERYBODY,
    pace: Pace = STEADY,
    mode: Mode = DEFAULT_MODE,
    durability: Durability = FLEETING,
) -> ExitCode | None:
    """Send an SMS to everybody in a file.

    Args:
        file: CSV, JSON lines or plain lines, gzipped or not; - for standard input.
        sender_id: What the recipients see as sender; the account's own setting unless given.
        chunk_size: Recipients per call, 100 unless given. What may become unknown at once is one call.
        reconcilable: Cut calls of 40 to 84 recipients that the balance can tell apart, for runs reconcile. With --run.
        content: The message.
        audience: Who of them, and how numbers are read.
        pace: How fast, and how much.
        mode: How the command goes about it.
        durability: How it is written down, and when it may send.
    """
    if reconcilable and durability.run is None:
        raise InvalidRequestError("--reconcilable needs --run: without a journal there is nothing to reconcile.")
    job = make_job("sms", file, content, audience, chunk_size=chunk_size)
    return run_job(
        job,
        pace,
        mode,
        durability,
        start=lambda bulk, rows, options: bulk.sms(rows, job.message, sender_id=sender_id, **options),
        describe=lambda: Campaign.sms(
            job.message,
            template=content.template,
            sender_id=sender_id,
            chunk_size=chunk_size,
            reconcilable=reconcilable,
            **durability.schedule,
        ),
    )


@_commands.command
def whatsapp(
    file: RecipientsFile,
    /,
    *,
    channel_uid: str | None = None,
    chunk_size: ChunkSize = None,
    content: Content = NO_CONTENT,
    audience: Audience = EVERYBODY,
    pace: Pace = STEADY,
    mode: Mode = DEFAULT_MODE,
    durability: Durability = FLEETING,
) -> ExitCode | None:
    """Send a WhatsApp message to everybody in a file.

    Args:
        file: CSV, JSON lines or plain lines, gzipped or not; - for standard input.
        channel_uid: The channel to send from (dashboard, Settings, Social Integrations); --simulator brings its own.
        chunk_size: Recipients per call, 30 unless given, which is also the most.
        content: The message.
        audience: Who of them, and how numbers are read.
        pace: How fast, and how much.
        mode: How the command goes about it.
        durability: How it is written down, and when it may send.
    """
    uid = WHATSAPP_UID if mode.simulator else channel_uid
    if uid is None:
        if not mode.dry_run:
            raise InvalidRequestError("--channel-uid is missing; it names the WhatsApp channel to send from.")
        uid = ""  # nothing is sent
    job = make_job("whatsapp", file, content, audience, chunk_size=chunk_size)
    return run_job(
        job,
        pace,
        mode,
        durability,
        start=lambda bulk, rows, options: bulk.whatsapp(rows, job.message, channel_uid=uid, **options),
        describe=lambda: Campaign.whatsapp(
            job.message,
            template=content.template,
            channel_uid=uid,
            chunk_size=chunk_size,
            **durability.schedule,
        ),
    )


@_commands.command
def robocall(
    file: RecipientsFile,
    /,
    *,
    duration_minutes: Units,
    audio_url: str | None = None,
    chunk_size: ChunkSize = None,
    content: Content = NO_CONTENT,
    audience: Audience = EVERYBODY,
    pace: Pace = STEADY,
    mode: Mode = DEFAULT_MODE,
    durability: Durability = FLEETING,
) -> ExitCode | None:
    """Call everybody in a file, and read out a message in English or play a recording.

    Args:
        file: CSV, JSON lines or plain lines, gzipped or not; - for standard input.
        duration_minutes: Length of each call; what is shorter is repeated until then, and costs.
        audio_url: The MP3 file to play, instead of a message that is read out.
        chunk_size: Recipients per call, 100 unless given.
        content: The message.
        audience: Who of them, and how numbers are read.
        pace: How fast, and how much.
        mode: How the command goes about it.
        durability: How it is written down, and when it may send.
    """
    job = make_job(
        "robocall",
        file,
        content,
        audience,
        chunk_size=chunk_size,
        minutes=duration_minutes,
        audio_url=audio_url,
    )
    spoken = None if audio_url else job.message
    return run_job(
        job,
        pace,
        mode,
        durability,
        start=lambda bulk, rows, options: bulk.robocall(
            rows, spoken, duration_minutes=duration_minutes, audio_url=audio_url, **options
        ),
        describe=lambda: Campaign.robocall(
            spoken,
            duration_minutes=duration_minutes,
            audio_url=audio_url,
            template=content.template,
            chunk_size=chunk_size,
            **durability.schedule,
        ),
    )
