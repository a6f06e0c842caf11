"""The journal: the database that records campaigns before their requests leave."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

import anyio

from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.options import SendSettings
from callsavvy_async.campaigns.campaign import Campaign
from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.inbox import JournalInbox
from callsavvy_async.campaigns.journal import keyed, runs, sums
from callsavvy_async.campaigns.journal.commands import Action, Command, history
from callsavvy_async.campaigns.journal.database import Cursor, Database
from callsavvy_async.campaigns.journal.frequency import channel_of
from callsavvy_async.campaigns.journal.lookup import create_campaign, database_of, find_campaign, no_campaign
from callsavvy_async.campaigns.journal.retrying_writer import RetryingWriter
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.keys import Keys
from callsavvy_async.campaigns.reached import reached_within
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.spec import CampaignOptions, Spec, campaign_settings
from callsavvy_async.campaigns.steering import Steered, checked_limits, confirm, give
from callsavvy_async.campaigns.suppress_list import SuppressList
from callsavvy_async.errors import ConfigurationError, InvalidRequestError
from callsavvy_async.messages import Message, require_message
from callsavvy_async.tracebacks import private_arguments


@private_arguments
class Journal:
    """A database of durable campaigns and of keys. Use it as ``async with Journal.open("sqlite:///file.db")``.

    One process at a time writes a SQLite file; any number of processes write a PostgreSQL database (extra ``postgres``).
    When a process dies, its requests in flight become unknown, and its claimed chunks become pending. The journal contains
    phone numbers and texts: only the owner can read a file; you grant the rights to a database.
    """

    def __init__(
        self, database: Database, *, read_only: bool, patience: float, simulated: bool, keep: timedelta
    ) -> None:
        self._database = database
        self._read_only = read_only
        self._patience = patience
        self._simulated = simulated
        self._writer = Writer(database)
        self.keys: Keys = Keys(self._writer, patience=patience, keep=keep, simulated=simulated)
        """The keys of single requests, for a client with ``journal=`` this journal."""
        self.inbox: JournalInbox = JournalInbox(self._writer, patience=patience)
        """The events of webhooks with ``inbox=`` this journal."""
        self.suppress_list: SuppressList = SuppressList(self._writer)
        """Numbers that no campaign of the journal is sent to."""

    @classmethod
    def open(
        cls,
        url: str,
        *,
        read_only: bool = False,
        patience: float = 30.0,
        lease: float = 30.0,
        simulated: bool = False,
        keep: timedelta = timedelta(days=30),
    ) -> Self:
        """Open a journal, and create it if it does not exist.

        Args:
            url: ``sqlite:///relative.db``, ``sqlite:////absolute/path.db`` or ``postgresql://user@host/database``.
            read_only: only read; works while another process writes.
            patience: seconds for which opening, and each write of a run, waits while the journal is unavailable (a full
                disk, an unreachable server).
            lease: PostgreSQL: seconds without a heartbeat after which other processes take over a run.
            simulated: bind campaigns to a simulator, as rehearsals. A rehearsal is never sent for real, nor the reverse.
            keep: time from a request until its key expires. Afterwards a request with the key is sent again. Unknown
                outcomes do not expire.

        Raises:
            ConfigurationError: the URL is invalid, an extra is missing, or `keep` is not positive.
            JournalError: on entering: the journal is in use, damaged, from another application, or unavailable.
        """
        if keep <= timedelta():
            raise ConfigurationError(f"keep is {keep}; it must be longer than 0.")
        database = database_of(url, read_only=read_only, lease=lease)
        return cls(database, read_only=read_only, patience=patience, simulated=simulated, keep=keep)

    def __repr__(self) -> str:
        return f"<Journal {self._database.name}{', read only' if self._read_only else ''}>"

    async def __aenter__(self) -> Self:
        try:
            retrying = RetryingWriter(self._writer, self._patience)
            await retrying.open()
            if not self._read_only:
                alone = self._database.lease is None
                await retrying.write(partial(runs.take_over_all, all_are_dead=alone))
                if alone:
                    await retrying.write(keyed.lock_all)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def campaign(self, name: str, message: Message | None = None, **options: Unpack[CampaignOptions]) -> Campaign:
        """Create a campaign, or reopen it.

        Args:
            name: name of the campaign, not blank.
            message: an `SMS`, a `WhatsApp` or a `Robocall`; None to reopen a campaign with its stored message and options.
            **options: see `CampaignOptions`.

        Raises:
            ConfigurationError: an option does not exist or is invalid.
            InvalidRequestError: the campaign does not exist, or its message or options differ; the text names them.
        """
        if not name.strip():
            raise InvalidRequestError(f"the campaign's name is {name!r}; it must not be blank.")
        settings = campaign_settings(**options)
        if message is None and options:
            raise InvalidRequestError(
                f"{', '.join(options)} cannot change an existing campaign; leave it out, or pass the message too."
            )
        spec = None if message is None else Spec(require_message(message), settings)
        number, text, purged = await self._writer.run(lambda cursor: self._find_or_create(cursor, name, spec))
        kept = Spec.from_json(text)
        if spec is not None and not purged and (differs := kept.differences(spec)):
            raise InvalidRequestError(
                f"campaign {name!r} exists with another {', '.join(differs)}; choose another name."
            )
        return Campaign(
            self._writer,
            number,
            name,
            kept,
            patience=self._patience,
            purged=bool(purged),
            simulated=self._simulated,
        )

    def _find_or_create(self, cursor: Cursor, name: str, spec: Spec | None) -> tuple[int, str, int]:
        if (found := find_campaign(cursor, name)) is not None:
            return found
        if spec is None:
            raise InvalidRequestError(no_campaign(cursor, name, self._database.name))
        if self._read_only:
            raise JournalError(f"{self._database.name} is open for reading only; open it without read_only=True.")
        return create_campaign(cursor, name, spec.to_json())

    async def campaigns(self) -> tuple[CampaignReport, ...]:
        """Return the report of every campaign, the oldest first."""

        def read(cursor: Cursor) -> tuple[CampaignReport, ...]:
            campaigns = cursor.execute("SELECT id, name FROM campaign ORDER BY id").fetchall()
            return tuple(sums.read(cursor, number, name) for number, name in campaigns)

        return await self._writer.run(read)

    async def reached_within(self, period: timedelta, channel: str, *, but: str = "") -> NumberSet:
        """Return whom campaigns reached within a period, or may have, for the plan of a campaign with `not_within`.

        Args:
            period: the period before now.
            channel: channel of the message, such as ``SMS.channel``.
            but: name of a campaign that does not count, as it is the planned one.
        """
        return await reached_within(self._writer, period, channel_of(channel, simulated=self._simulated), but=but)

    async def pause(self, name: str, *, author: str | None = None, wait: float = 60.0) -> Steered:
        """Pause a campaign in all processes that send it, until `go_on`. Requests in flight finish.

        No request begins once the command is recorded. The pause is confirmed when no request is in flight either.
        All commands also work on a journal that is open with ``read_only=True``, while other processes write it.

        Args:
            name: name of the campaign.
            author: who gives the command; by default the user and the host.
            wait: seconds to wait until every worker obeys; see `Steered`.

        Raises:
            InvalidRequestError: the campaign does not exist.
            JournalError: the command cannot be recorded.
        """
        return await self._command(name, Action.PAUSE, author, wait)

    async def go_on(self, name: str, *, author: str | None = None, wait: float = 60.0) -> Steered:
        """Continue a campaign after `pause` or `stop`. Workers that ended after a stop must be started again.

        Args:
            name: name of the campaign.
            author: see `pause`.
            wait: see `pause`.
        """
        return await self._command(name, Action.CONTINUE, author, wait)

    async def stop(self, name: str, *, author: str | None = None, wait: float = 60.0) -> Steered:
        """Stop a campaign: its runs end after their requests in flight, and later runs end at once, until `go_on`.

        Args:
            name: name of the campaign.
            author: see `pause`.
            wait: see `pause`.
        """
        return await self._command(name, Action.STOP, author, wait)

    async def set_limits(
        self,
        name: str,
        *,
        rate: str | None = None,
        max_in_flight: int | None = None,
        max_cost: Decimal | int | None = None,
        author: str | None = None,
        wait: float = 60.0,
    ) -> Steered:
        """Change the limits of a campaign for all its runs, also later ones. Limits that are None stay as they are.

        Args:
            name: name of the campaign.
            rate: rate of the whole campaign, such as ``"10/s"``, which its runs share. Limits of the clients apply too.
            max_in_flight: most requests in flight of each run.
            max_cost: most units that the campaign may spend. The option of a process that starts later may only lower it.
            author: see `pause`.
            wait: see `pause`.

        Raises:
            InvalidRequestError: the campaign does not exist, no limit is given, or `max_cost` does not apply to its channel.
            ConfigurationError: a limit is invalid.
            JournalError: the command cannot be recorded.
        """
        limits = checked_limits(rate=rate, max_in_flight=max_in_flight, max_cost=max_cost)
        SendSettings(max_cost=max_cost).check_for((await self.campaign(name)).message)
        return await self._command(name, Action.SET, author, wait, limits)

    async def confirm(self, steered: Steered, *, wait: float) -> Steered:
        """Wait longer until every worker obeys a command.

        Args:
            steered: result of the command.
            wait: seconds to wait.
        """
        campaign = await self._find(steered.campaign)
        return await confirm(self._writer, campaign, steered, wait=wait)

    async def commands(self, name: str) -> tuple[Command, ...]:
        """Return every command to a campaign, the oldest first."""
        campaign = await self._find(name)
        return await self._writer.run(lambda cursor: history(cursor, campaign))

    async def _command(
        self, name: str, action: Action, author: str | None, wait: float, limits: Mapping[str, str] | None = None
    ) -> Steered:
        campaign = await self._find(name)
        steered = await give(self._writer, campaign, name, action, author=author, limits=limits)
        return await confirm(self._writer, campaign, steered, wait=wait)

    async def _find(self, name: str) -> int:
        def find(cursor: Cursor) -> int:
            found = find_campaign(cursor, name)
            if found is None:
                raise InvalidRequestError(no_campaign(cursor, name, self._database.name))
            return found[0]

        return await self._writer.run(find)

    async def suppress(self, *numbers: str, region: str | None = None, author: str | None = None) -> int:
        """Add numbers to the suppress list, for example from a webhook's handler. Raises as `SuppressList.add` does.

        Args:
            *numbers: phone numbers.
            region: country of national numbers, such as "NG" (extra ``phone``).
            author: name of the person or program that adds them; None for the user of this process.
        """
        return await self.suppress_list.add(*numbers, region=region, author=author)

    async def backup(self, path: str | os.PathLike[str]) -> None:
        """Write a snapshot of a SQLite journal to a new file. Runs may be active meanwhile.

        When you open an outdated copy, the journal detects it and marks every chunk that may have been sent since as unknown.

        Raises:
            JournalError: the file exists, it cannot be written, or the journal is in PostgreSQL.
        """
        await self._writer.run(lambda cursor: self._database.backup(cursor, Path(path)), alone=True)

    async def _close(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._writer.close()
