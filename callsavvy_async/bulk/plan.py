"""The plan of a bulk send: what it would do, and its summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal

import attrs

from callsavvy_async.bulk.doubtful import Doubtful
from callsavvy_async.bulk.recipients import Skipped, SkipReason
from callsavvy_async.bulk.samples import Sample
from callsavvy_async.messages import Encoding
from callsavvy_async.policy.fixed import parse_rate
from callsavvy_async.wording import quantity

FIRST_SKIPPED = 20
"""Number of skipped rows that a plan keeps as examples."""

_CHARACTERS_SHOWN = 12


@attrs.frozen(kw_only=True)
class Plan:
    """Forecast of a bulk send. Its summary and its repr hold neither texts nor numbers."""

    source: str = ""
    """Name and format of the list, if it is a file."""
    channel: str
    """Channel of the message."""
    sender: str = ""
    """Sender or channel that recipients see, or what stands for it."""
    samples: tuple[Sample, ...] = attrs.field(default=(), repr=False)
    """The first, the longest and the dearest text."""
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
        """Whether the input has rows but not one valid number; its columns were probably misread."""
        return self.given == self.skipped.get(SkipReason.INVALID, 0) > 0

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

    def duration(self, rate: str) -> timedelta:
        """Return the time that the send takes at a request rate, apart from retries.

        Args:
            rate: maximum rate of the client, such as ``"10/s"``.

        Raises:
            ConfigurationError: the rate is invalid.
        """
        return timedelta(seconds=self.most_requests / parse_rate(rate))

    def summary_lines(self) -> tuple[str, ...]:
        """Return a readable summary, one fact a line, without personal data."""
        return tuple(_summary(self))

    def __str__(self) -> str:
        return "\n".join(self.summary_lines())


def _summary(plan: Plan) -> Iterator[str]:
    source = f"{plan.source}, " if plan.source else ""
    columns = f", numbers from column {plan.columns}" if plan.columns else ""
    yield f"List: {source}{quantity(plan.given, 'row')}{columns}"
    if not plan.given:
        yield "The list of recipients is empty."
    yield f"Recipients: {quantity(plan.recipients, 'message')} by {plan.channel} in {_requests(plan)}"
    if plan.sender:
        yield f"Sender: {plan.sender}"
    if plan.misread:
        yield "Not one row holds a valid number."
    if plan.skipped:
        reasons = ", ".join(f"{count:,} {reason.value}" for reason, count in plan.skipped.items())
        yield f"Skipped: {quantity(sum(plan.skipped.values()), 'row')} ({reasons})"
    if plan.doubtful.count:
        yield f"Doubtful: {plan.doubtful}"
    if plan.segments_per_message is not None:
        yield from _segments_summary(plan, plan.segments_per_message)
    yield _units_summary(plan)


def _requests(plan: Plan) -> str:
    most = quantity(plan.most_requests, "request")
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
