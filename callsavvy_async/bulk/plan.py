"""What a bulk send would do, worked out offline: who, how many calls, which encoding, how many units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Literal, TypeAlias

import attrs

from callsavvy_async.bulk.chunks import Chunk, Chunker
from callsavvy_async.bulk.misuse import refuse_misuse
from callsavvy_async.bulk.recipients import Doubtful, Intake, RecipientInput, Skipped, SkipReason
from callsavvy_async.bulk.segments import Encoding, Segments, count_segments
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.phone_numbers import calling_code

Channel: TypeAlias = Literal["sms", "whatsapp", "robocall"]
"""Which of the three sends."""

FIRST_SKIPPED = 20
"""Skipped rows that a plan keeps as examples."""

_CHARACTERS_SHOWN = 12


@attrs.frozen(kw_only=True)
class Plan:
    """What a bulk send would do. It holds no text and, but for the first skipped rows, no number."""

    channel: Channel
    recipients: int
    """Who would get a message."""
    skipped: Mapping[SkipReason, int] = attrs.field(factory=dict[SkipReason, int])
    first_skipped: tuple[Skipped, ...] = ()
    """At most 20."""
    columns: str = ""
    """Where the numbers stand, where the rows are mappings."""
    doubtful: Doubtful = attrs.field(factory=Doubtful)
    """Numbers that may not be international."""
    calls: int
    segments_per_message: Mapping[int, int] = attrs.field(factory=dict[int, int])
    """SMS: how many recipients get a message of so many segments."""
    encodings: Mapping[Encoding, int] = attrs.field(factory=dict[Encoding, int])
    """SMS: how many recipients get a message so encoded."""
    forced_by: tuple[str, ...] = ()
    """SMS: the distinct characters that force UCS-2, in the order of their coming."""
    replacements: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """SMS: what `replace_ucs2` would write for those of them that GSM-7 can say otherwise."""
    estimated_units: Decimal | None = None
    """By the document's rules; None for WhatsApp, whose cost is not documented (quirk Q50)."""
    balance: Decimal | None = None
    """Units at hand, if they were told."""
    calling_codes: Mapping[str, int] = attrs.field(factory=dict[str, int])
    """Robocalls: how many recipients have numbers of each country calling code, as ``"234"`` (ITU-T E.164)."""

    @property
    def given(self) -> int:
        """Rows of the input."""
        return self.recipients + sum(self.skipped.values())

    @property
    def misread(self) -> bool:
        """Whether there are rows, but none that could be sent to: probably they were not read as they are meant."""
        return self.recipients == 0 and self.skipped.get(SkipReason.INVALID, 0) > 0

    @property
    def total_segments(self) -> int | None:
        """Segments of all messages; None but for SMS."""
        if self.channel != "sms":
            return None
        return sum(segments * recipients for segments, recipients in self.segments_per_message.items())

    @property
    def affordable(self) -> bool | None:
        """Whether the balance covers the estimate; None where one of the two is not known."""
        if self.estimated_units is None or self.balance is None:
            return None
        return self.estimated_units <= self.balance

    def summary_lines(self) -> tuple[str, ...]:
        """Describe the plan for people, one fact a line, without personal data."""
        return tuple(_summary(self))

    def __str__(self) -> str:
        return "\n".join(self.summary_lines())


def make_plan(
    rows: Iterable[RecipientInput],
    *,
    intake: Intake,
    chunker: Chunker,
    channel: Channel,
    minutes: Decimal | None = None,
    balance: Decimal | None = None,
) -> Plan:
    """Go once through the rows as a send would, in constant memory, and add up.

    Args:
        rows: the recipients.
        intake: a fresh one, set up as for the send.
        chunker: a fresh one, set up as for the send.
        channel: which send.
        minutes: of a robocall.
        balance: units at hand, to compare with.
    """
    tally = _Tally(channel, minutes)
    refuse_misuse(rows)
    if not isinstance(rows, Iterable):
        raise InvalidRequestError(
            "a plan reads a list or a generator; give the rows of the asynchronous one as a list."
        )
    for row, item in enumerate(rows, 1):
        admitted = intake.admit(item, row)
        if isinstance(admitted, Skipped):
            tally.skip(admitted)
        else:
            tally.count(chunker.add(admitted))
    tally.count(chunker.close())
    columns = "" if intake.columns is None else str(intake.columns)
    return attrs.evolve(tally.plan(balance), columns=columns, doubtful=intake.doubtful)


def units_per_message(channel: Channel, text: str, minutes: Decimal | None = None) -> Decimal | None:
    """Estimate the units that one recipient costs: SMS by segments, robocalls by minutes, WhatsApp unknown (Q50).

    Raises:
        InvalidRequestError: a robocall without its minutes.
    """
    if channel == "sms":
        return Decimal(count_segments(text).segments)
    return None if channel == "whatsapp" else _required(minutes)


def _required(minutes: Decimal | None) -> Decimal:
    if minutes is None:
        raise InvalidRequestError("a robocall is charged by its minutes; give them.")
    return minutes


def _summary(plan: Plan) -> Iterator[str]:
    source = f", numbers from column {plan.columns}" if plan.columns else ""
    yield f"Recipients: {_counted(plan.recipients, 'message')} by {plan.channel} in {_counted(plan.calls, 'call')}{source}"
    if not plan.given:
        yield "The list is empty: nobody is given."
    if plan.misread:
        yield "No row holds a number to send to."
    if plan.skipped:
        reasons = ", ".join(f"{count:,} {reason.value}" for reason, count in plan.skipped.items())
        yield f"Skipped: {_counted(sum(plan.skipped.values()), 'row')} ({reasons})"
    if plan.doubtful.count:
        yield f"Doubtful: {plan.doubtful}"
    if plan.channel == "sms":
        yield from _sms_summary(plan)
    yield _units_summary(plan)


def _sms_summary(plan: Plan) -> Iterator[str]:
    encodings = ", ".join(f"{encoding.value} for {count:,}" for encoding, count in plan.encodings.items())
    yield f"Encoding: {encodings or 'none'}"
    if plan.forced_by:
        named = ", ".join(_replaced(char, plan.replacements) for char in plan.forced_by[:_CHARACTERS_SHOWN])
        more = len(plan.forced_by) - _CHARACTERS_SHOWN
        yield f"UCS-2 is forced by: {named}{f' and {more:,} more' if more > 0 else ''}"
    sizes = ", ".join(f"{count:,} of {segments:,}" for segments, count in sorted(plan.segments_per_message.items()))
    yield f"Segments: {plan.total_segments:,}{f' ({sizes})' if sizes else ''}"


def _units_summary(plan: Plan) -> str:
    if plan.estimated_units is None:
        return f"Units: cannot be told beforehand for {plan.channel}"
    units = f"Units: about {plan.estimated_units:,}"
    if plan.balance is None:
        return units
    return f"{units}, which the balance of {plan.balance:,} {'covers' if plan.affordable else 'does not cover'}"


def _replaced(char: str, replacements: Mapping[str, str]) -> str:
    name = f"{char if char.isprintable() else ''} U+{ord(char):04X}".strip()
    return f"{name} (could be {replacements[char]!r})" if char in replacements else name


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class _Tally:
    """Adds up skipped rows and chunks."""

    def __init__(self, channel: Channel, minutes: Decimal | None) -> None:
        self._channel: Channel = channel
        self._minutes = _required(minutes) if channel == "robocall" else None
        self._recipients = 0
        self._calls = 0
        self._codes: Counter[str] = Counter()
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

    def count(self, chunks: Iterable[Chunk]) -> None:
        for chunk in chunks:
            self._calls += 1
            self._recipients += len(chunk.recipients)
            if self._channel == "robocall":
                self._codes.update(calling_code(recipient.number) for recipient in chunk.recipients)
            if self._channel == "sms":
                self._count_segments(count_segments(chunk.text), len(chunk.recipients))

    def _count_segments(self, counted: Segments, recipients: int) -> None:
        self._segments[counted.segments] += recipients
        self._encodings[counted.encoding] += recipients
        self._forced_by.update(dict.fromkeys(counted.forced_by))
        self._replacements.update(counted.replacements)

    def plan(self, balance: Decimal | None) -> Plan:
        return Plan(
            channel=self._channel,
            recipients=self._recipients,
            skipped=self._skipped,
            first_skipped=tuple(self._first_skipped),
            calls=self._calls,
            segments_per_message=self._segments,
            encodings=self._encodings,
            forced_by=tuple(self._forced_by),
            replacements=self._replacements,
            estimated_units=self._units(),
            balance=balance,
            calling_codes=self._codes,
        )

    def _units(self) -> Decimal | None:
        if self._channel == "sms":
            return Decimal(sum(segments * recipients for segments, recipients in self._segments.items()))
        return None if self._minutes is None else self._minutes * self._recipients
