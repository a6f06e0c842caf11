"""``callsavvy estimate``: what a bulk send would do, offline."""

from __future__ import annotations

from cyclopts import App

from callsavvy_async.cli.client import read_balance
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.job import Job, make_job
from callsavvy_async.cli.options import (
    EVERYBODY,
    NO_CONTENT,
    Audience,
    ChunkSize,
    Content,
    RecipientsFile,
    Units,
)
from callsavvy_async.cli.planning import show_plan
from callsavvy_async.cli.recipients_file import readable_again

_commands = App(name="estimate", help="Work out offline what a bulk send would do. Nothing is sent.")


def register(app: App) -> None:
    """Add the commands."""
    app.command(_commands)


@_commands.command
def sms(
    file: RecipientsFile,
    /,
    *,
    content: Content = NO_CONTENT,
    audience: Audience = EVERYBODY,
    chunk_size: ChunkSize = None,
    balance: bool = False,
    json: bool = False,
) -> ExitCode:
    """Estimate an SMS to everybody in a file.

    Args:
        file: CSV, JSON lines or plain lines, gzipped or not; - for standard input.
        chunk_size: Recipients per call.
        balance: Compare with the account's balance; exit code 4 when it does not cover the plan.
        json: Print one JSON object.
        content: The message.
        audience: Who of them, and how numbers are read.
    """
    return _estimate(make_job("sms", file, content, audience, chunk_size=chunk_size), balance=balance, json=json)


@_commands.command
def whatsapp(
    file: RecipientsFile,
    /,
    *,
    content: Content = NO_CONTENT,
    audience: Audience = EVERYBODY,
    chunk_size: ChunkSize = None,
    json: bool = False,
) -> ExitCode:
    """Estimate a WhatsApp message to everybody in a file. What it costs is not documented.

    Args:
        file: CSV, JSON lines or plain lines, gzipped or not; - for standard input.
        chunk_size: Recipients per call, at most 30.
        json: Print one JSON object.
        content: The message.
        audience: Who of them, and how numbers are read.
    """
    return _estimate(make_job("whatsapp", file, content, audience, chunk_size=chunk_size), balance=False, json=json)


@_commands.command
def robocall(
    file: RecipientsFile,
    /,
    *,
    duration_minutes: Units,
    audio_url: str | None = None,
    content: Content = NO_CONTENT,
    audience: Audience = EVERYBODY,
    chunk_size: ChunkSize = None,
    balance: bool = False,
    json: bool = False,
) -> ExitCode:
    """Estimate a robocall to everybody in a file.

    Args:
        file: CSV, JSON lines or plain lines, gzipped or not; - for standard input.
        duration_minutes: Length of each call.
        audio_url: The MP3 file to play, instead of a message that is read out.
        chunk_size: Recipients per call.
        balance: Compare with the account's minutes; exit code 4 when they do not cover the plan.
        json: Print one JSON object.
        content: The message.
        audience: Who of them, and how numbers are read.
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
    return _estimate(job, balance=balance, json=json)


def _estimate(job: Job, *, balance: bool, json: bool) -> ExitCode:
    at_hand = read_balance(job.channel) if balance else None
    with readable_again(job.file, allow_empty=job.allow_empty) as rows:
        return show_plan(job.plan(rows, at_hand), json=json)
