"""The journal: the file in which campaigns are written down before anything is sent."""

from __future__ import annotations

import sqlite3
import time
from functools import partial
from types import TracebackType
from typing import Self

import anyio

from callsavvy_async.campaigns import sql, store
from callsavvy_async.campaigns.campaign import Campaign
from callsavvy_async.campaigns.database import connect, connect_read_only, explained, guard, path_of
from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.lock import FileLock
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.campaigns.writer import Writer
from callsavvy_async.errors import InvalidRequestError


class Journal:
    """Campaigns in a file that survives the process. Use it as ``async with Journal.open("sqlite:///file.db")``.

    One process writes a journal at a time. What a process that died had in flight is unknown from then on, and what it
    had merely claimed is pending. The file holds phone numbers and texts: only its owner can read it.
    """

    def __init__(self, url: str, *, read_only: bool, patience: float) -> None:
        self._path = path_of(url)
        self._read_only = read_only
        self._patience = patience
        path = self._path
        lock = path.with_name(f"{path.name}.lock")
        self._lock = FileLock(lock)
        open_file = connect_read_only if read_only else connect
        guarded = (path,) if read_only else (path, lock)
        self._writer = Writer(partial(open_file, path), partial(explained, path=path), partial(guard, *guarded))

    @classmethod
    def open(cls, url: str, *, read_only: bool = False, patience: float = 30.0) -> Self:
        """Open a journal, made if there is none.

        Args:
            url: ``sqlite:///relative.db`` or ``sqlite:////absolute/path.db``.
            read_only: look at it only; possible while another process writes it.
            patience: seconds for which a run waits when the journal cannot be written (a full disk), before it ends.

        Raises:
            ConfigurationError: the URL names nothing that can be opened.
            JournalError: on entering: another process has it, it is damaged or not ours, or it cannot be written.
        """
        return cls(url, read_only=read_only, patience=patience)

    def __repr__(self) -> str:
        return f"<Journal {self._path.name}{', read only' if self._read_only else ''}>"

    async def __aenter__(self) -> Self:
        if not self._read_only:
            self._lock.acquire()
        try:
            await self._writer.open()
            if not self._read_only:
                await self._writer.run(store.take_over)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def campaign(self, name: str, spec: Spec | None = None) -> Campaign:
        """Create a campaign, or reopen it.

        Args:
            name: of the campaign, not blank.
            spec: what it sends, by `Campaign.sms` and the like; None to reopen one that is there.

        Raises:
            InvalidRequestError: there is none of this name, or it sends something else; what differs is named.
        """
        if not name.strip():
            raise InvalidRequestError("the campaign's name is blank.")

        def find_or_create(cursor: sqlite3.Cursor) -> tuple[int, str, int]:
            query = "SELECT id, spec, purged FROM campaign WHERE name = ?"
            found: tuple[int, str, int] | None = cursor.execute(query, (name,)).fetchone()
            if found is not None:
                return found
            if spec is None:
                raise InvalidRequestError(f"there is no campaign {name!r} in {self._path.name}.")
            if self._read_only:
                raise JournalError(f"{self._path.name} is open for reading only; no campaign can be created.")
            (number,) = cursor.execute(sql.NEXT_ID["campaign"]).fetchone()
            values = (number, name, spec.to_json(), time.time())
            cursor.execute("INSERT INTO campaign (id, name, spec, created) VALUES (?, ?, ?, ?)", values)
            return number, spec.to_json(), 0

        number, text, purged = await self._writer.run(find_or_create)
        kept = Spec.from_json(text)
        if spec is not None and not purged and (differs := kept.differences(spec)):
            raise InvalidRequestError(
                f"campaign {name!r} is in the journal with another {', '.join(differs)}; give this one another name."
            )
        return Campaign(self._writer, number, name, kept, patience=self._patience, purged=bool(purged))

    async def campaigns(self) -> tuple[CampaignReport, ...]:
        """Return the sums of all campaigns, the oldest first."""

        def read(cursor: sqlite3.Cursor) -> tuple[CampaignReport, ...]:
            reports: list[CampaignReport] = []
            for number, name in cursor.execute("SELECT id, name FROM campaign ORDER BY id").fetchall():
                report = CampaignReport(name=name)
                store.fill(cursor, number, report)
                reports.append(report)
            return tuple(reports)

        return await self._writer.run(read)

    async def _close(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._writer.close()
        self._lock.release()
