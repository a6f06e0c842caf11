"""The journal: where campaigns are written down before anything is sent."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

import anyio

from callsavvy_async.campaigns.campaign import Campaign
from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal import runs, sql, sums
from callsavvy_async.campaigns.journal.database import Cursor, Database
from callsavvy_async.campaigns.journal.postgres import SCHEMES, PostgreSQL
from callsavvy_async.campaigns.journal.retrying_writer import RetryingWriter
from callsavvy_async.campaigns.journal.sqlite import SCHEME, SQLite
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.spec import CampaignOptions, Spec, campaign_settings
from callsavvy_async.errors import ConfigurationError, InvalidRequestError
from callsavvy_async.messages import Message, require_message
from callsavvy_async.tracebacks import private_arguments


@private_arguments
class Journal:
    """Campaigns that survive the process. Use it as ``async with Journal.open("sqlite:///file.db")``.

    One process at a time writes a SQLite file; any number of them write a PostgreSQL database (extra ``postgres``). What a
    process that died had in flight is unknown from then on, and what it had merely claimed is pending. The journal holds
    phone numbers and texts: a file can be read by its owner only; of a database the rights are yours to give.
    """

    def __init__(self, database: Database, *, read_only: bool, patience: float, simulated: bool) -> None:
        self._database = database
        self._read_only = read_only
        self._patience = patience
        self._simulated = simulated
        self._writer = Writer(database)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        read_only: bool = False,
        patience: float = 30.0,
        lease: float = 30.0,
        simulated: bool = False,
    ) -> Self:
        """Open a journal, made if there is none.

        Args:
            url: ``sqlite:///relative.db``, ``sqlite:////absolute/path.db`` or ``postgresql://user@host/database``.
            read_only: look at it only; possible while another process writes it.
            patience: seconds for which opening, and then each run, waits when the journal cannot be written (a full disk, a
                server that is away), before it ends.
            lease: PostgreSQL: seconds after which a run that does not write is taken for dead by others.
            simulated: what is run is a rehearsal with a simulator: such a campaign is never sent for real, nor the reverse.

        Raises:
            ConfigurationError: the URL names nothing that can be opened, or an extra is missing.
            JournalError: on entering: another process has it, it is damaged or not ours, or it cannot be written.
        """
        database = _database(url, read_only=read_only, lease=lease)
        return cls(database, read_only=read_only, patience=patience, simulated=simulated)

    def __repr__(self) -> str:
        return f"<Journal {self._database.name}{', read only' if self._read_only else ''}>"

    async def __aenter__(self) -> Self:
        try:
            retrying = RetryingWriter(self._writer, self._patience)
            await retrying.open()
            if not self._read_only:
                alone = self._database.lease is None
                await retrying.write(partial(runs.take_over_all, all_are_dead=alone))
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
            name: of the campaign, not blank.
            message: an `SMS`, a `WhatsApp` or a `Robocall`; None to reopen a campaign, whose options are kept with it.
            **options: see `CampaignOptions`.

        Raises:
            ConfigurationError: an option does not exist, or breaks a rule.
            InvalidRequestError: there is none of this name, or it sends something else; what differs is named.
        """
        if not name.strip():
            raise InvalidRequestError("the campaign's name is blank.")
        settings = campaign_settings(**options)
        if message is None and options:
            raise InvalidRequestError(
                f"{', '.join(options)} cannot change a campaign that is reopened; leave it out, or give the message too."
            )
        spec = None if message is None else Spec(require_message(message), settings)

        def find_or_create(cursor: Cursor) -> tuple[int, str, int]:
            found = _find(cursor, name)
            if found is not None:
                return found
            if spec is None:
                raise InvalidRequestError(f"there is no campaign {name!r} in {self._database.name}.")
            if self._read_only:
                raise JournalError(f"{self._database.name} is open for reading only; no campaign can be created.")
            cursor.execute(sql.LOCK_NUMBERS).fetchone()
            found = _find(cursor, name)  # another process may have made it in the meantime
            if found is not None:
                return found
            (number,) = cursor.execute(sql.NEXT_ID["campaign"]).fetchone()
            cursor.execute(
                "INSERT INTO campaign (id, name, spec, created) VALUES (?, ?, ?, clock())",
                (number, name, spec.to_json()),
            )
            return number, spec.to_json(), 0

        number, text, purged = await self._writer.run(find_or_create)
        kept = Spec.from_json(text)
        if spec is not None and not purged and (differs := kept.differences(spec)):
            raise InvalidRequestError(
                f"campaign {name!r} is in the journal with another {', '.join(differs)}; give this one another name."
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

    async def campaigns(self) -> tuple[CampaignReport, ...]:
        """Return the sums of all campaigns, the oldest first."""

        def read(cursor: Cursor) -> tuple[CampaignReport, ...]:
            reports: list[CampaignReport] = []
            for number, name in cursor.execute("SELECT id, name FROM campaign ORDER BY id").fetchall():
                report = CampaignReport(name=name)
                sums.fill(cursor, number, report)
                reports.append(report)
            return tuple(reports)

        return await self._writer.run(read)

    async def backup(self, path: str | os.PathLike[str]) -> None:
        """Write a copy of a journal in a file, as it is at this moment, to a new file; runs may go on meanwhile.

        A copy that is used after the journal went on is noticed: what may have been sent since is unknown in it.

        Raises:
            JournalError: there is such a file already, it cannot be written, or the journal is in PostgreSQL.
        """
        await self._writer.run(lambda cursor: self._database.backup(cursor, Path(path)), alone=True)

    async def _close(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._writer.close()


def _database(url: str, *, read_only: bool, lease: float) -> Database:
    """Return the database that a URL names. It may hold a password, so that none of it but the scheme is shown."""
    if url.startswith(SCHEME) and url != SCHEME:
        return SQLite(url, read_only=read_only)
    if url.startswith(SCHEMES):
        if lease <= 0:
            raise ConfigurationError(f"lease is {lease}; it must be more than 0 seconds.")
        return PostgreSQL(url, read_only=read_only, lease=lease)
    raise ConfigurationError(
        f"{url.partition('://')[0]!r} is no journal that can be opened; write sqlite:///file.db, with a fourth slash for an"
        " absolute path, or postgresql://user@host/database."
    )


def _find(cursor: Cursor, name: str) -> tuple[int, str, int] | None:
    query = "SELECT id, spec, purged FROM campaign WHERE name = ?"
    found: tuple[int, str, int] | None = cursor.execute(query, (name,)).fetchone()
    return found
