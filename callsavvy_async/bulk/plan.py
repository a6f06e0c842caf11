"""Compute offline what a bulk send would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

import attrs

from callsavvy_async.bulk.arrow_rows import SupportsArrowStream
from callsavvy_async.bulk.chunks import Chunk, Chunker
from callsavvy_async.bulk.misuse import refuse_misuse
from callsavvy_async.bulk.recipient_files import FileRows
from callsavvy_async.bulk.recipients import Doubtful, RecipientFilter, RecipientInput, Skipped, SkipReason
from callsavvy_async.bulk.source import readable
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import Encoding, Message, Segments

FIRST_SKIPPED = 20
"""Number of skipped rows that a plan keeps as examples."""

_CHARACTERS_SHOWN = 12


@attrs.frozen(kw_only=True)
class Plan:
    """Forecast of a bulk send. Apart from the first skipped rows, it holds neither texts nor numbers."""

    source: str = ""
    """Name and format of the list, if it is a file."""
    channel: str
    """Channel of the message."""
    recipients: int
    """Number of recipients who would get the message."""
    skipped: Mapping[SkipReason, int] = attrs.field(factory=dict[SkipReason, int])
    """Number of skipped rows, by reason."""
    first_skipped: tuple[Skipped, ...] = ()
    """The first skipped rows, at most 20."""
    columns: str = ""
    """Columns of the numbers, if the rows are mappings."""
    doubtful: Doubtful = attrs.field(factory=Doubtful)
    """Numbers that may not be international."""
    requests: int
    """Fewest requests of the send."""
    most_requests: int
    """Most requests of the send, apart from rejected requests, which are split in half."""
    segments_per_message: Mapping[int, int] | None = None
    """Number of recipients by the segments of their message; None for channels without segments."""
    encodings: Mapping[Encoding, int] = attrs.field(factory=dict[Encoding, int])
    """Number of recipients by the encoding of their message."""
    forced_by: tuple[str, ...] = ()
    """The distinct characters that force UCS-2, in order."""
    replacements: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """GSM-7 replacement (`replace_ucs2`) for each of these characters that has one."""
    estimated_units: Decimal | None = None
    """Estimated cost in units, by the API document; None for WhatsApp, whose cost it does not give."""
    balance: Decimal | None = None
    """Units of the account, if known."""
    max_cost: Decimal | None = None
    """Most units to spend."""

    @property
    def given(self) -> int:
        """Number of rows of the input."""
        return self.recipients + sum(self.skipped.values())

    @property
    def misread(self) -> bool:
        """Whether the input has rows but not one valid recipient; its columns were probably misread."""
        return self.recipients == 0 and self.skipped.get(SkipReason.INVALID, 0) > 0

    @property
    def total_segments(self) -> int | None:
        """Segments of all messages; None for channels without segments."""
        if self.segments_per_message is None:
            return None
        return sum(segments * recipients for segments, recipients in self.segments_per_message.items())

    @property
    def affordable(self) -> bool | None:
        """Whether the balance covers the estimate; None if either is unknown."""
        if self.estimated_units is None or self.balance is None:
            return None
        return self.estimated_units <= self.balance

    def summary_lines(self) -> tuple[str, ...]:
        """Return a readable summary, one fact a line, without personal data."""
        return tuple(_summary(self))

    def __str__(self) -> str:
        return "\n".join(self.summary_lines())


def make_plan(
    rows: Iterable[RecipientInput] | SupportsArrowStream,
    message: Message,
    *,
    recipient_filter: RecipientFilter,
    chunkers: Sequence[Chunker],
    balance: Decimal | None = None,
    max_cost: Decimal | None = None,
    on_skipped: Callable[[Skipped], object] | None = None,
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

    Raises:
        InvalidRequestError: the input as a whole is wrong, as for the send.
    """
    tally = _PlanTally(message, len(chunkers))
    refuse_misuse(rows)
    if isinstance(rows, AsyncIterable):  # from untyped code
        raise InvalidRequestError(
            f"recipients is of type {type(rows).__name__}; a plan reads a list or a generator. Collect the rows in a list."
        )
    for row, item in enumerate(readable(rows), 1):
        admitted = recipient_filter.admit(item, row)
        if isinstance(admitted, Skipped):
            tally.skip(admitted)
            if on_skipped is not None:
                on_skipped(admitted)
        else:
            tally.count([chunker.add(admitted) for chunker in chunkers])
    recipient_filter.close()
    tally.count([tuple(chunker.close()) for chunker in chunkers])
    return attrs.evolve(
        tally.plan(balance, max_cost),
        source=rows.description if isinstance(rows, FileRows) else "",
        columns="" if recipient_filter.columns is None else str(recipient_filter.columns),
        doubtful=recipient_filter.doubtful,
    )


def _summary(plan: Plan) -> Iterator[str]:
    source = f"{plan.source}, " if plan.source else ""
    columns = f", numbers from column {plan.columns}" if plan.columns else ""
    yield f"List: {source}{_counted(plan.given, 'row')}{columns}"
    if not plan.given:
        yield "The list of recipients is empty."
    yield f"Recipients: {_counted(plan.recipients, 'message')} by {plan.channel} in {_requests(plan)}"
    if plan.misread:
        yield "Not one row holds a valid number."
    if plan.skipped:
        reasons = ", ".join(f"{count:,} {reason.value}" for reason, count in plan.skipped.items())
        yield f"Skipped: {_counted(sum(plan.skipped.values()), 'row')} ({reasons})"
    if plan.doubtful.count:
        yield f"Doubtful: {plan.doubtful}"
    if plan.segments_per_message is not None:
        yield from _segments_summary(plan, plan.segments_per_message)
    yield _units_summary(plan)


def _requests(plan: Plan) -> str:
    most = _counted(plan.most_requests, "request")
    return most if plan.requests == plan.most_requests else f"{plan.requests:,} to {most}"


def _segments_summary(plan: Plan, segments_per_message: Mapping[int, int]) -> Iterator[str]:
    encodings = ", ".join(f"{encoding.value} for {count:,}" for encoding, count in plan.encodings.items())
    yield f"Encoding: {encodings or 'none'}"
    if plan.forced_by:
        named = ", ".join(_replaced(char, plan.replacements) for char in plan.forced_by[:_CHARACTERS_SHOWN])
        more = len(plan.forced_by) - _CHARACTERS_SHOWN
        yield f"UCS-2 needed for: {named}{f' and {more:,} more' if more > 0 else ''}"
    sizes = ", ".join(f"{count:,} of {segments:,}" for segments, count in sorted(segments_per_message.items()))
    yield f"Segments: {plan.total_segments:,}{f' ({sizes})' if sizes else ''}"


def _units_summary(plan: Plan) -> str:
    if plan.estimated_units is None:
        return f"Units: unknown; the API does not document the cost of {plan.channel}"
    units = f"Units: about {plan.estimated_units:,}"
    if plan.balance is not None:
        units += f", which the balance of {plan.balance:,} {'covers' if plan.affordable else 'does not cover'}"
    if plan.max_cost is not None and plan.max_cost < plan.estimated_units:
        units += f"; the send stops at the max_cost of {plan.max_cost:,}"
    return units


def _replaced(char: str, replacements: Mapping[str, str]) -> str:
    name = f"{char if char.isprintable() else ''} U+{ord(char):04X}".strip()
    return f"{name} (could be {replacements[char]!r})" if char in replacements else name


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class _PlanTally:
    """Counts skipped rows and chunks."""

    def __init__(self, message: Message, cuts: int) -> None:
        self._message = message
        self._recipients = 0
        self._requests = [0] * cuts
        self._units = Decimal(0)
        self._skipped: Counter[SkipReason] = Counter()
        self._first_skipped: list[Skipped] = []
        self._segments: Counter[int] = Counter()
        self._encodings: Counter[Encoding] = Counter()
        self._forced_by: dict[str, None] = {}
        self._replacements: dict[str, str] = {}

    def skip(self, skipped: Skipped) -> None:
        self._skipped[skipped.reason] += 1
        if len(self._first_skipped) < FIRST_SKIPPED:
            self._first_skipped.append(skipped)

    def count(self, cuts: Sequence[tuple[Chunk, ...]]) -> None:
        """Count the chunks of each chunker, all for the same recipients."""
        for cut, chunks in enumerate(cuts):
            self._requests[cut] += len(chunks)
        for chunk in cuts[0]:
            recipients = len(chunk.recipients)
            self._recipients += recipients
            self._units += chunk.estimate
            segments = self._message.segments(chunk.text)
            if segments is not None:
                self._count_segments(segments, recipients)

    def _count_segments(self, counted: Segments, recipients: int) -> None:
        self._segments[counted.segments] += recipients
        self._encodings[counted.encoding] += recipients
        self._forced_by.update(dict.fromkeys(counted.forced_by))
        self._replacements.update(counted.replacements)

    def plan(self, balance: Decimal | None, max_cost: Decimal | None) -> Plan:
        has_segments = self._message.segments("") is not None
        return Plan(
            channel=self._message.channel,
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
