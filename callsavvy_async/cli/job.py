"""What a ``bulk`` or ``estimate`` command was asked for, before anything is read or sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

import attrs

from callsavvy_async.bulk.bulk import Bulk, BulkOptions
from callsavvy_async.bulk.files import read_suppressed
from callsavvy_async.bulk.plan import Channel, Plan
from callsavvy_async.cli.options import Audience, Content
from callsavvy_async.cli.recipients_file import Rows
from callsavvy_async.errors import InvalidRequestError


@attrs.frozen(kw_only=True)
class Job:
    """Who gets what by which channel."""

    channel: Channel
    file: str
    message: str | None = attrs.field(repr=False)
    options: BulkOptions = attrs.field(repr=False)
    inputs: Mapping[str, Path]
    """The files that are read, by what they are called."""
    allow_empty: bool = False
    minutes: Decimal | None = None

    def plan(self, rows: Rows, balance_for: Callable[[Plan], Decimal | None] | None = None) -> Plan:
        """Read the whole list and work out what sending would do, and whether the units at hand for it cover it."""
        plan = Bulk.plan(rows(), self.message, channel=self.channel, duration_minutes=self.minutes, **self.options)
        return plan if balance_for is None else attrs.evolve(plan, balance=balance_for(plan))


def make_job(
    channel: Channel,
    file: str,
    content: Content,
    audience: Audience,
    *,
    chunk_size: int | None,
    minutes: Decimal | None = None,
    audio_url: str | None = None,
) -> Job:
    """Put a job together from a command's options.

    Raises:
        InvalidRequestError: there is not exactly one message, or the suppress list cannot be trusted.
        OSError: a file cannot be read.
    """
    options: BulkOptions = {
        "template": content.template,
        "column": audience.column or None,
        "region": audience.region,
        "international": audience.international,
        "validate": audience.validate,
    }
    if audience.suppress is not None:
        options["suppress"] = read_suppressed(
            audience.suppress, column=audience.suppress_column or None, region=audience.region
        )
    if chunk_size is not None:
        options["chunk_size"] = chunk_size
    files = {
        "the list": None if file == "-" else Path(file),
        "--suppress": audience.suppress,
        "--message-file": content.message_file,
    }
    return Job(
        channel=channel,
        file=file,
        message=_message(content, audio_url),
        options=options,
        inputs={name: path for name, path in files.items() if path is not None},
        allow_empty=audience.allow_empty,
        minutes=minutes,
    )


def _message(content: Content, audio_url: str | None) -> str | None:
    """Return the text for all, or the address of the recording; None when there is a template."""
    given = [part for part in (content.message, content.template, content.message_file, audio_url) if part is not None]
    if len(given) != 1:
        raise InvalidRequestError(
            f"{len(given)} messages were given; give exactly one of --message, --template and --message-file"
            " (a robocall also takes --audio-url)."
        )
    if content.message_file is not None:
        try:
            return content.message_file.read_text(encoding="utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError:
            raise InvalidRequestError(f"{content.message_file} is not UTF-8; save it as UTF-8.") from None
    return content.message if audio_url is None else audio_url
