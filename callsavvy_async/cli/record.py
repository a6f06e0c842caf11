"""The record of a send: a campaign in a journal. It lasts, so that the send can be continued, unless the user declines."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import anyio
import attrs

from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.report import StopReason
from callsavvy_async.campaigns import CampaignReport, Journal, JournalError, JournalMissingError
from callsavvy_async.campaigns.journal.witness import forget
from callsavvy_async.cli.hints import hint
from callsavvy_async.cli.journals import is_missing, shown, url_of, with_journal
from callsavvy_async.cli.options import Durability, Pace
from callsavvy_async.cli.stderr import tell
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import Message

_NOT_REPEATED = frozenset({"pacing", "max_cost"})
"""Options that a command to continue does not repeat: a URL may hold a password, and a limit is reached."""

_STOPPED = frozenset({StopReason.COMMAND, StopReason.LIMIT, StopReason.CANARY})
"""Reasons that hold until the campaign is continued."""


@attrs.frozen(kw_only=True)
class Record:
    """A campaign in a journal.

    Attributes:
        journal: File or URL of the journal.
        name: Name of the campaign.
        pace: Rate and cost limits of the send.
        lasting: False for a journal that is deleted when the command ends.
    """

    journal: str
    name: str
    pace: Pace
    lasting: bool = True

    def lines(self) -> Iterator[str]:
        """Yield lines for the plan, because a killed process says nothing."""
        if self.lasting:
            yield f"Campaign: {self.name}, recorded in {shown(self.journal)}"
            yield f"After an interruption, continue with: {self.resuming()}"
        else:
            yield "Campaign: not recorded; after an interruption, no record shows which recipients got the message"

    def suppressed(self) -> tuple[str, ...]:
        """Return the numbers on the journal's suppress list, so that the plan leaves them out too."""
        if not is_missing(self.journal):
            with suppress(JournalError):  # a database without tables yet
                return tuple(
                    entry.number for entry in with_journal(self.journal, lambda opened: opened.suppress_list.read())
                )
        return ()

    def reached(self, message: Message, period: timedelta | None, *, simulated: bool) -> NumberSet | None:
        """Return whom other campaigns of the journal reached, so that the plan leaves them out as the send will.

        Args:
            message: The message.
            period: Value of --not-within.
            simulated: True for a rehearsal, which leaves out only those of other rehearsals.
        """
        if period is None:
            return None
        if is_missing(self.journal):
            return NumberSet()

        async def read() -> NumberSet:
            url = url_of(self.journal)
            async with Journal.open(url, read_only=True, patience=0, simulated=simulated) as opened:
                return await opened.reached_within(period, message.channel, but=self.name)

        try:
            return anyio.run(read)
        except JournalMissingError:  # a database without tables yet
            return NumberSet()

    def tell_how_to_continue(self, report: CampaignReport, file: Path | None) -> None:
        """Name the command that sends the rest of a send that stopped early.

        Args:
            report: Sums of the campaign.
            file: Report file.
        """
        if not report.pending:
            return
        left = f"callsavvy: {report.pending:,} not sent yet."
        if self.lasting:
            tell(f"{left} Continue with: {self.resuming(stopped=report.paused or report.stopped in _STOPPED)}")
        elif file is not None and file.suffix != ".parquet":
            tell(f"{left} Continue with the list {file} and --only pending")
        else:
            tell(left)

    def resuming(self, *, stopped: bool = False) -> str:
        """Return the command that sends what is left, to paste into a shell.

        Args:
            stopped: True if a command stopped or paused the campaign.
        """
        resume = hint("campaigns resume", self.name, *self._pace_options(), journal=self.journal)
        return f"{self.continuing()} && {resume}" if stopped else resume

    def continuing(self) -> str:
        """Return the command that continues a paused campaign, to paste into a shell."""
        return hint("campaigns continue", self.name, journal=self.journal)

    def working(self) -> str:
        """Return the command of a worker, to paste into a shell."""
        return hint("campaigns work", self.name, *self._pace_options(), journal=self.journal)

    def _pace_options(self) -> Iterator[str]:
        for field in attrs.fields(Pace):
            value = getattr(self.pace, field.name)
            if field.name not in _NOT_REPEATED and value != field.default:
                yield f"--{field.name.replace('_', '-')}"
                yield str(value)


@contextmanager
def recording(file: str, durability: Durability, pace: Pace, *, simulator: bool) -> Generator[Record]:
    """Yield the record of a send. A rehearsal lasts only as a named campaign.

    Args:
        file: The list, or "-".
        durability: Campaign and schedule.
        pace: Rate and cost limits.
        simulator: True for a rehearsal.
    """
    base = f"{_title(file)}-{_minute()}"
    named = durability.campaign is not None or durability.load_only
    if not durability.no_journal and (named or not simulator):
        name = durability.campaign or _unused(durability.journal, base)
        yield Record(journal=durability.journal, name=name, pace=pace)
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        journal = Path(folder) / "journal.db"
        try:
            yield Record(journal=str(journal), name=base, pace=pace, lasting=False)
        finally:
            forget(journal)


def _title(file: str) -> str:
    """Return the name of a list without its suffixes, in characters that need no quotes."""
    name = "" if file == "-" else Path(file).name.partition(".")[0]
    return re.sub(r"[^\w-]+", "-", name, flags=re.ASCII).strip("-") or "list"


def _unused(journal: str, base: str) -> str:
    """Return a name that no campaign of the journal has."""
    if is_missing(journal):
        return base

    async def find(opened: Journal) -> str:
        for number in count(1):
            name = base if number == 1 else f"{base}-{number}"
            try:
                await opened.campaign(name)
            except InvalidRequestError:
                return name
        raise AssertionError  # pragma: no cover - `count` has no end

    with suppress(JournalError):  # a database without tables yet
        return with_journal(journal, find)
    return base


def _minute() -> str:
    return f"{datetime.now():%Y-%m-%d-%H%M}"  # noqa: DTZ005 - local time for its reader
