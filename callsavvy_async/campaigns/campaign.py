"""A campaign: a durable bulk send in a journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Set as AbstractSet
from pathlib import Path
from typing import TypeVar, Unpack

import anyio

from callsavvy_async.bulk.options import RecipientOptions, SendSettings, recipient_settings
from callsavvy_async.bulk.plan import Plan
from callsavvy_async.bulk.report_files import ReportRow
from callsavvy_async.bulk.source import Recipients
from callsavvy_async.campaigns import reconcile
from callsavvy_async.campaigns.client_protocol import Client
from callsavvy_async.campaigns.errors import ChunkLostError
from callsavvy_async.campaigns.export import read_rows, writer_of
from callsavvy_async.campaigns.integrity import Verification, verify
from callsavvy_async.campaigns.journal import copies, repository, runs, sums
from callsavvy_async.campaigns.journal.owner import Owner, bind
from callsavvy_async.campaigns.journal.repository import ChunkUpdate
from callsavvy_async.campaigns.journal.runs import Worker
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.load import fill_number_set, load, loading_alone
from callsavvy_async.campaigns.purge import purge, refuse_if_purged
from callsavvy_async.campaigns.remaining import Resend, plan_remaining
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.run import CampaignRun, RunOptions, run_settings
from callsavvy_async.campaigns.spec import CampaignSettings, Spec
from callsavvy_async.campaigns.sqlite_number_set import SqliteNumberSet
from callsavvy_async.campaigns.states import Actor, State
from callsavvy_async.campaigns.subset_sum import Reconciliation
from callsavvy_async.campaigns.unknown import UnknownChunk, unknown_chunks
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import Message
from callsavvy_async.tracebacks import private_arguments

T = TypeVar("T")

_SENT = "a person said that it was sent"
_NOT_SENT = "a person said that it was not sent"


@private_arguments
class Campaign:
    """A campaign of an open journal, created by `Journal.campaign`."""

    def __init__(
        self,
        writer: Writer,
        campaign: int,
        name: str,
        spec: Spec,
        *,
        patience: float,
        purged: bool,
        simulated: bool,
    ) -> None:
        self.name = name
        self.message: Message = spec.message
        """The message to send."""
        self._spec = spec
        self._writer = writer
        self._id = campaign
        self._patience = patience
        self._purged = purged
        self._simulated = simulated
        self._loading = anyio.Lock()

    def __repr__(self) -> str:
        return f"<Campaign {self.name!r}: {self.message.channel}{', purged' if self._purged else ''}>"

    @property
    def settings(self) -> CampaignSettings:
        """Its request sizes and send times; see `CampaignOptions`."""
        return self._spec.settings

    async def bind(self, callsavvy: Client) -> None:
        """Bind the campaign permanently to the account and the server of a client. `run` does it by default.

        Raises:
            OtherAccountError: the campaign belongs to another account or server, or to the simulator.
        """
        owner = Owner.of(callsavvy.destination, simulated=self._simulated)
        await self._writer.run(lambda cursor: bind(cursor, self._id, owner))

    # --------------------------------------------------------------------------------------------------- recipients

    async def load(
        self,
        recipients: Recipients,
        **options: Unpack[RecipientOptions],
    ) -> CampaignReport:
        """Load recipients into the journal: each number once, without suppressed numbers.

        You may load several lists, and repeat a load after a crash. Repeating a complete load changes nothing; an
        interrupted load starts again from its beginning. Memory does not grow with the list.

        Args:
            recipients: any iterable or async iterable of numbers, `Recipient`, `Contact` or mappings, or an Arrow table as for
                `Bulk.send`; streamed.
            **options: see `RecipientOptions`.

        Raises:
            ConfigurationError: an option does not exist.
            InvalidRequestError: the input is unusable, the campaign has an active run, or it was purged.
            JournalInUseError: another process loads this campaign.
            JournalError: the journal cannot be written.
        """
        settings = recipient_settings(**options)
        async with self._loading, loading_alone(self._writer, self._id):
            await self._writer.run(lambda cursor: refuse_if_purged(cursor, self._id))
            with SqliteNumberSet() as number_set:
                await fill_number_set(self._writer, self._id, number_set)
                await load(
                    self._writer, self._id, self._spec, recipients, settings.recipient_filter(self.message, number_set)
                )
        return await self.status()

    # ------------------------------------------------------------------------------------------------------ sending

    def run(self, callsavvy: Client, **options: Unpack[RunOptions]) -> CampaignRun:
        """Send all pending chunks: ``report = await campaign.run(callsavvy)``. Unknown chunks are never sent again.

        Args:
            callsavvy: the client to send with.
            **options: see `RunOptions`.

        Raises:
            ConfigurationError: an option does not exist or is invalid.
            InvalidRequestError: an argument is invalid, or the recipients are not completely loaded.
            OtherAccountError: the campaign belongs to another account or server.
            JournalError: the journal cannot be written, or is damaged; nothing is sent without it.
        """
        return self._start(callsavvy, run_settings(**options))

    def resend_unknown(
        self, callsavvy: Client, *, only_not_sent: bool = False, **options: Unpack[RunOptions]
    ) -> CampaignRun:
        """Send all unknown, not-sent and pending chunks.

        If an unknown chunk was sent before, its recipients get the message twice and you pay twice.

        Args:
            callsavvy: the client to send with.
            only_not_sent: exclude unknown chunks, which avoids that risk.
            **options: see `RunOptions`.
        """
        states = {State.NOT_SENT} if only_not_sent else {State.NOT_SENT, State.UNKNOWN}
        return self._start(callsavvy, run_settings(**options), resends=states)

    def _start(
        self, callsavvy: Client, settings: SendSettings, *, resends: AbstractSet[str] = frozenset()
    ) -> CampaignRun:
        if self._purged:
            raise InvalidRequestError(
                f"campaign {self.name!r} was purged: its numbers and texts are deleted. Create another one."
            )
        settings.check_for(self.message)
        return CampaignRun(
            self._writer,
            self._id,
            name=self.name,
            spec=self._spec,
            callsavvy=callsavvy,
            owner=Owner.of(callsavvy.destination, simulated=self._simulated),
            settings=settings,
            patience=self._patience,
            resends=resends,
        )

    # ------------------------------------------------------------------------------------------------------ results

    async def status(self) -> CampaignReport:
        """Return the current sums of the journal."""
        return await self._writer.run(lambda cursor: sums.read(cursor, self._id, self.name))

    async def plan(self, resend: Resend = "nothing") -> Plan:
        """Compute what `run` would send, or `resend_unknown` with "not-sent" or "unknown".

        Raises:
            InvalidRequestError: the campaign was purged.
        """
        await self._writer.run(lambda cursor: refuse_if_purged(cursor, self._id))
        return await plan_remaining(self._writer, self._id, self.name, self._spec, resend, simulated=self._simulated)

    async def unknown(self) -> tuple[UnknownChunk, ...]:
        """Return the chunks whose outcome is unknown."""
        return await self._writer.run(lambda cursor: unknown_chunks(cursor, self._id))

    async def workers(self) -> tuple[Worker, ...]:
        """Return every run of this campaign by any process, the oldest first, including dead and ended runs."""
        return await self._writer.run(lambda cursor: runs.workers(cursor, self._id))

    async def resolve(self, chunk: int, *, as_sent: bool) -> None:
        """Declare an unknown chunk sent or not sent. `resend_unknown` sends it again if it was not.

        Args:
            chunk: number of the chunk, from `unknown`.
            as_sent: True if it was sent.

        Raises:
            InvalidRequestError: the chunk is not unknown.
        """
        update = ChunkUpdate(State.ACCEPTED, detail=_SENT) if as_sent else ChunkUpdate(State.NOT_SENT, detail=_NOT_SENT)
        try:
            await self._writer.run(lambda cursor: repository.move(cursor, self._id, chunk, update, by=Actor.PERSON))
        except ChunkLostError:
            raise InvalidRequestError(
                f"chunk {chunk} is not unknown; choose a number from Campaign.unknown()."
            ) from None

    async def resolve_restored(self, *, as_sent: bool) -> int:
        """Declare all chunks sent or not sent that are unknown because the journal is an older copy.

        Args:
            as_sent: True if they were sent after the copy was made. False if they were not, for example if the copy was
                made after the last run; `resend_unknown(only_not_sent=True)` then sends them.

        Returns:
            The number of chunks.
        """
        return await self._writer.run(lambda cursor: copies.resolve(cursor, self._id, as_sent=as_sent))

    async def reconcile(self, callsavvy: Client, *, exclusive: bool = False) -> Reconciliation:
        """Determine from the account's balance which unknown chunks were charged.

        Args:
            callsavvy: the client to read the balance with.
            exclusive: confirms that only this campaign spent SMS units on the account since it began. The journal then
                marks charged chunks as accepted and uncharged chunks as not sent. Otherwise it stays unchanged.

        Raises:
            OtherAccountError: the client uses another account or server than the campaign.
        """
        await self.bind(callsavvy)
        return await reconcile.reconcile(self._writer, self._id, self._spec, callsavvy.account, exclusive=exclusive)

    async def rows(self, read: Callable[[Iterator[ReportRow]], T]) -> T:
        """Pass one row per recipient to a function in a worker thread: ``await campaign.rows(list)``.

        The iterator reads the journal lazily. Its rows contain full phone numbers.

        Raises:
            InvalidRequestError: the campaign was purged.
        """
        await self._writer.run(lambda cursor: refuse_if_purged(cursor, self._id))
        return await read_rows(self._writer, self._id, read)

    async def export(self, path: str | os.PathLike[str]) -> None:
        """Write one row per recipient to a .csv, .jsonl or .parquet file that only its owner can read.

        Raises:
            InvalidRequestError: the campaign was purged, or the suffix is unsupported.
            OSError: the file cannot be written.
        """
        await self.rows(writer_of(Path(path)))

    async def verify(self) -> Verification:
        """Check the journal: the file, states, checksums, sums, and that each number occurs once."""
        return await verify(self._writer, self._id)

    async def purge(self) -> None:
        """Delete numbers and texts from the journal and its file, and cancel all unsent chunks. The sums stay.

        Raises:
            InvalidRequestError: the campaign has an active run.
            JournalInUseError: another process loads this campaign.
        """
        spec = self._spec.without_texts()
        async with self._loading, loading_alone(self._writer, self._id):
            await self._writer.run(lambda cursor: purge(cursor, self._id, spec.to_json()))
        await self._writer.run(self._writer.database.forget_deleted, alone=True)
        self._purged, self._spec, self.message = True, spec, spec.message
