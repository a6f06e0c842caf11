"""Read a list once and plan what a bulk send of it would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

import attrs

from callsavvy_async.bulk.arrow_rows import SupportsArrowStream
from callsavvy_async.bulk.chunks import Chunk, Chunker
from callsavvy_async.bulk.misuse import refuse_misuse
from callsavvy_async.bulk.plain_recipients import PlainRecipients
from callsavvy_async.bulk.plan import FIRST_SKIPPED, Plan
from callsavvy_async.bulk.recipient_files import FileRows
from callsavvy_async.bulk.recipients import Recipient, RecipientFilter, RecipientInput, Skipped, SkipReason
from callsavvy_async.bulk.samples import SampleChooser
from callsavvy_async.bulk.source import next_block, readable
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import Encoding, Message, Segments

_Read: TypeAlias = Iterator[tuple[Sequence[Skipped], Sequence[Sequence[Chunk]]]]
"""Skipped rows, and the chunks of each chunker that became ready."""


def make_plan(
    rows: Iterable[RecipientInput] | SupportsArrowStream,
    message: Message,
    *,
    recipient_filter: RecipientFilter,
    chunkers: Sequence[Chunker],
    balance: Decimal | None = None,
    max_cost: Decimal | None = None,
    on_skipped: Callable[[Skipped], object] | None = None,
    leave_out: Callable[[Recipient], Skipped | None] | None = None,
) -> Plan:
    """Read the rows once, as a send would, in constant memory.

    Args:
        rows: the recipients.
        message: the message.
        recipient_filter: a fresh filter, configured as for the send.
        chunkers: fresh chunkers, configured as for the send. The first makes the fewest requests, the last the most.
        balance: units of the account, for comparison.
        max_cost: most units to spend.
        on_skipped: gets each skipped row.
        leave_out: tells why a recipient whom the filter admits is left out when the send begins; None to send.

    Raises:
        InvalidRequestError: the input as a whole is wrong, as for the send.
    """
    tally = PlanTally(message, len(chunkers))
    refuse_misuse(rows)
    if isinstance(rows, AsyncIterable):  # from untyped code
        raise InvalidRequestError(
            f"recipients is of type {type(rows).__name__}; a plan reads a list or a generator. Collect the rows in a list."
        )
    if leave_out is None and all(chunker.ignores_fields for chunker in chunkers):
        read = _read_blocks(readable(rows), recipient_filter, chunkers)
    else:
        read = _read_rows(readable(rows), recipient_filter, chunkers, leave_out)
    for skipped, cuts in read:
        for one in skipped:
            tally.skip(one)
            if on_skipped is not None:
                on_skipped(one)
        tally.count(cuts)
    recipient_filter.close()
    tally.count([tuple(chunker.close()) for chunker in chunkers])
    return attrs.evolve(
        tally.plan(balance, max_cost),
        source=rows.description if isinstance(rows, FileRows) else "",
        columns="" if recipient_filter.columns is None else str(recipient_filter.columns),
        doubtful=recipient_filter.doubtful,
    )


def _read_rows(
    rows: Iterator[RecipientInput],
    recipient_filter: RecipientFilter,
    chunkers: Sequence[Chunker],
    leave_out: Callable[[Recipient], Skipped | None] | None,
) -> _Read:
    for row, item in enumerate(rows, 1):
        admitted = recipient_filter.admit(item, row)
        if leave_out is not None and isinstance(admitted, Recipient):
            admitted = leave_out(admitted) or admitted
        if isinstance(admitted, Skipped):
            yield (admitted,), ()
        else:
            yield (), [chunker.add(admitted) for chunker in chunkers]


def _read_blocks(
    rows: Iterator[RecipientInput], recipient_filter: RecipientFilter, chunkers: Sequence[Chunker]
) -> _Read:
    row = 1
    while block := next_block(rows):
        admitted = recipient_filter.admit_block(block, row)
        row += len(block)
        people = PlainRecipients(admitted.numbers, admitted.rows)
        yield admitted.skipped, [chunker.add_alike(people) for chunker in chunkers]


class PlanTally:
    """Counts skipped rows and chunks.

    Args:
        message: the message.
        cuts: number of ways to cut the recipients into chunks.
    """

    def __init__(self, message: Message, cuts: int) -> None:
        self._message = message
        self._segments_of = lru_cache(maxsize=1)(message.segments)
        self._recipients = 0
        self._requests = [0] * cuts
        self._units = Decimal(0)
        self._skipped: Counter[SkipReason] = Counter()
        self._first_skipped: list[Skipped] = []
        self._segments: Counter[int] = Counter()
        self._encodings: Counter[Encoding] = Counter()
        self._forced_by: dict[str, None] = {}
        self._replacements: dict[str, str] = {}
        self._samples = SampleChooser(message)

    def skip(self, skipped: Skipped) -> None:
        """Count a skipped row."""
        self._skipped[skipped.reason] += 1
        if len(self._first_skipped) < FIRST_SKIPPED:
            self._first_skipped.append(skipped)

    def count(self, cuts: Sequence[Sequence[Chunk]]) -> None:
        """Count the chunks of each chunker, all for the same recipients."""
        for cut, chunks in enumerate(cuts):
            self._requests[cut] += len(chunks)
        for chunk in cuts[0] if cuts else ():
            recipients = len(chunk.recipients)
            self._recipients += recipients
            self._units += chunk.estimate
            self._samples.look(chunk)
            segments = self._segments_of(chunk.text)
            if segments is not None:
                self._count_segments(segments, recipients)

    def _count_segments(self, counted: Segments, recipients: int) -> None:
        self._segments[counted.segments] += recipients
        self._encodings[counted.encoding] += recipients
        self._forced_by.update(dict.fromkeys(counted.forced_by))
        self._replacements.update(counted.replacements)

    def plan(self, balance: Decimal | None = None, max_cost: Decimal | None = None) -> Plan:
        """Return the plan of what was counted."""
        has_segments = self._message.segments("") is not None
        return Plan(
            channel=self._message.channel,
            sender=self._message.sender,
            samples=self._samples.chosen(),
            recipients=self._recipients,
            skipped=self._skipped,
            first_skipped=tuple(self._first_skipped),
            requests=self._requests[0],
            most_requests=self._requests[-1],
            segments_per_message=self._segments if has_segments else None,
            encodings=self._encodings,
            forced_by=tuple(self._forced_by),
            replacements=self._replacements,
            estimated_units=self._units if self._message.is_priced else None,
            balance=balance,
            max_cost=max_cost,
        )
