"""A campaign: what is sent, to whom, and what became of it; all of it in a journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Set as AbstractSet
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, Unpack

import anyio
import attrs

from callsavvy_async.bulk.options import RecipientOptions, SendSettings, recipient_settings
from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.bulk.report_files import ReportRow
from callsavvy_async.bulk.source import Recipients
from callsavvy_async.campaigns import reconcile
from callsavvy_async.campaigns.errors import ChunkLostError
from callsavvy_async.campaigns.export import read_rows, writer_of
from callsavvy_async.campaigns.integrity import Verification, verify
from callsavvy_async.campaigns.journal import copies, repository, runs, sums
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.owner import Owner, bind
from callsavvy_async.campaigns.journal.repository import Transition
from callsavvy_async.campaigns.journal.runs import Worker
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.load import fill_number_set, load, loading_alone
from callsavvy_async.campaigns.purge import is_purged, purge, refuse_if_purged
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.run import CampaignRun, RunOptions, run_settings
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.campaigns.sqlite_number_set import SqliteNumberSet
from callsavvy_async.campaigns.states import Actor, State
from callsavvy_async.campaigns.subset_sum import Reconciliation
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.tracebacks import private_arguments

if TYPE_CHECKING:
    from callsavvy_async.client import Callsavvy

T = TypeVar("T")

_SENT = "a person said that it was sent"
_NOT_SENT = "a person said that it was not sent"


@attrs.frozen
class UnknownChunk:
    """A request of which nothing is known: perhaps done, perhaps charged."""

    number: int
    """What `Campaign.resolve` takes."""
    recipients: tuple[Recipient, ...]
    estimate: Decimal
    """Units that it costs if it was charged."""
    detail: str
    """Why nothing is known."""


@private_arguments
class Campaign:
    """One campaign of an open journal. Made by `Journal.campaign`."""

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
        self.message = spec.message
        """What it sends."""
        self._spec = spec
        self._writer = writer
        self._id = campaign
        self._patience = patience
        self._purged = purged
        self._simulated = simulated
        self._loading = anyio.Lock()

    def __repr__(self) -> str:
        return f"<Campaign {self.name!r}: {self.message.channel}{', purged' if self._purged else ''}>"

    async def bind(self, callsavvy: Callsavvy) -> None:
        """Bind it to the account and the server of a client, for good; `run` does so by itself.

        Raises:
            OtherAccountError: it belongs to another account or server, or it is a rehearsal and this is none.
        """
        owner = Owner.of(callsavvy, simulated=self._simulated)
        await self._writer.run(lambda cursor: bind(cursor, self._id, owner))

    # ------------------------------------------------------------------------------------------------------ to whom

    async def load(
        self,
        recipients: Recipients,
        **options: Unpack[RecipientOptions],
    ) -> CampaignReport:
        """Load recipients into the journal: each number once, nobody who is suppressed.

        It may be called again after a crash, and again with other lists. A list that was loaded to its end changes
        nothing; one that was cut off is loaded anew. Memory does not grow with the list.

        Args:
            recipients: any iterable or async iterable of numbers, `Recipient`, `Contact` or mappings; streamed.
            **options: see `RecipientOptions`.

        Raises:
            ConfigurationError: an option does not exist.
            InvalidRequestError: the input as a whole is misused, a run is under way, or the campaign was purged.
            JournalInUseError: another process loads this campaign.
            JournalError: the journal cannot be written.
        """
        settings = recipient_settings(**options)
        async with self._loading, loading_alone(self._writer, self._id):  # so does a purge
            await self._writer.run(lambda cursor: refuse_if_purged(cursor, self._id))
            with SqliteNumberSet() as number_set:
                await fill_number_set(self._writer, self._id, number_set)
                await load(self._writer, self._id, self._spec, recipients, settings.intake(self.message, number_set))
        return await self.status()

    # ------------------------------------------------------------------------------------------------------ sending

    def run(self, callsavvy: Callsavvy, **options: Unpack[RunOptions]) -> CampaignRun:
        """Send what is pending: ``report = await campaign.run(callsavvy)``. What is unknown is never sent again.

        Args:
            callsavvy: the client to send with.
            **options: see `RunOptions`.

        Raises:
            ConfigurationError: an option does not exist, or breaks a rule.
            InvalidRequestError: an argument breaks a rule, or the recipients are not loaded to their end.
            OtherAccountError: the campaign belongs to another account or server.
            JournalError: the journal cannot be written, or is damaged; nothing is sent without it.
        """
        return self._start(callsavvy, run_settings(**options))

    def resend_unknown(
        self, callsavvy: Callsavvy, *, only_not_sent: bool = False, **options: Unpack[RunOptions]
    ) -> CampaignRun:
        """Send again what is unknown, and what is proved or declared not sent; and what is pending.

        Who got a message that is unknown gets it twice, and is charged twice. That is your decision.

        Args:
            callsavvy: the client to send with.
            only_not_sent: leave alone what is unknown.
            **options: see `RunOptions`.
        """
        states = {State.NOT_SENT} if only_not_sent else {State.NOT_SENT, State.UNKNOWN}
        return self._start(callsavvy, run_settings(**options), resends=states)

    def _start(
        self, callsavvy: Callsavvy, settings: SendSettings, *, resends: AbstractSet[str] = frozenset()
    ) -> CampaignRun:
        if self._purged:
            raise InvalidRequestError(f"campaign {self.name!r} was purged: its numbers and texts are gone.")
        settings.check_for(self.message)
        return CampaignRun(
            self._writer,
            self._id,
            name=self.name,
            spec=self._spec,
            callsavvy=callsavvy,
            owner=Owner.of(callsavvy, simulated=self._simulated),
            settings=settings,
            patience=self._patience,
            resends=resends,
        )

    # --------------------------------------------------------------------------------------------- what became of it

    async def status(self) -> CampaignReport:
        """Return the sums of the journal as they are now."""
        report = CampaignReport(name=self.name)
        await self._writer.run(lambda cursor: sums.fill(cursor, self._id, report))
        return report

    async def unknown(self) -> tuple[UnknownChunk, ...]:
        """Return the requests of which nothing is known."""

        def read(cursor: Cursor) -> tuple[UnknownChunk, ...]:
            purged = is_purged(cursor, self._id)
            return tuple(
                UnknownChunk(
                    number,
                    () if purged else repository.read_chunk(cursor, self._id, number, "").recipients,
                    estimate,
                    detail,
                )
                for number, estimate, detail in sums.unknown_chunks(cursor, self._id)
            )

        return await self._writer.run(read)

    async def workers(self) -> tuple[Worker, ...]:
        """Return every run of this campaign, of any process: alive, dead or ended; the oldest first."""
        return await self._writer.run(lambda cursor: runs.workers(cursor, self._id))

    async def resolve(self, chunk: int, *, as_sent: bool) -> None:
        """Say what became of an unknown call: it was sent, or it was not (then `resend_unknown` sends it).

        Raises:
            InvalidRequestError: this request is not unknown.
        """
        outcome = Transition(State.ACCEPTED, detail=_SENT) if as_sent else Transition(State.NOT_SENT, detail=_NOT_SENT)
        try:
            await self._writer.run(lambda cursor: repository.move(cursor, self._id, chunk, outcome, by=Actor.PERSON))
        except ChunkLostError:
            raise InvalidRequestError(f"call {chunk} is not unknown; unknown() lists those that are.") from None

    async def resolve_restored(self, *, as_sent: bool) -> int:
        """Say what became of all requests that are unknown because the journal is an older copy, and return how many.

        Args:
            as_sent: they were sent after the copy was made; False: they were not, as when nothing was lost, or the copy was
                made after the last run. Then `resend_unknown(only_not_sent=True)` sends them.
        """
        return await self._writer.run(lambda cursor: copies.resolve(cursor, self._id, as_sent=as_sent))

    async def reconcile(self, callsavvy: Callsavvy, *, exclusive: bool = False) -> Reconciliation:
        """Find out by the account's balance which of the unknown requests were charged.

        Args:
            callsavvy: to read the balance with.
            exclusive: nothing but this campaign spent SMS units on the account since it began. Only then the journal is
                changed: what was charged is accepted, what was not is not sent. Otherwise it is evidence for you.

        Raises:
            OtherAccountError: the client is of another account or server than the campaign.
        """
        await self.bind(callsavvy)
        return await reconcile.reconcile(self._writer, self._id, self._spec, callsavvy.account, exclusive=exclusive)

    async def rows(self, read: Callable[[Iterator[ReportRow]], T]) -> T:
        """Give one row per recipient to a function that runs in a thread of its own: ``await campaign.rows(list)``.

        They are read from the journal as they are asked for. Numbers are in clear.

        Raises:
            InvalidRequestError: the campaign was purged.
        """
        await self._writer.run(lambda cursor: refuse_if_purged(cursor, self._id))
        return await read_rows(self._writer, self._id, read)

    async def export(self, path: str | os.PathLike[str]) -> None:
        """Write one row per recipient to a .csv, .jsonl or .parquet file that only its owner can read.

        Raises:
            InvalidRequestError: the campaign was purged, or the name ends otherwise.
            OSError: it cannot be written.
        """
        await self.rows(writer_of(Path(path)))

    async def verify(self) -> Verification:
        """Check the journal: the file, states, checksums, that nobody is in it twice, and the sums."""
        return await verify(self._writer, self._id)

    async def purge(self) -> None:
        """Remove numbers and texts from the journal and its file; the sums stay. What is pending will never be sent.

        Raises:
            InvalidRequestError: a run is under way; it would send what it holds.
            JournalInUseError: another process loads this campaign.
        """
        spec = self._spec.without_texts()
        async with self._loading, loading_alone(self._writer, self._id):
            await self._writer.run(lambda cursor: purge(cursor, self._id, spec.to_json()))
        await self._writer.run(self._writer.database.forget_deleted, alone=True)
        self._purged, self._spec, self.message = True, spec, spec.message
