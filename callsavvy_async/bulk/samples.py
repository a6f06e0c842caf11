"""Choose the texts of a bulk send that a person should read before it: the first, the longest and the dearest."""

from __future__ import annotations

from decimal import Decimal

import attrs

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.messages import Message
from callsavvy_async.redaction import mask_text, redact


@attrs.frozen(kw_only=True)
class Sample:
    """One text as its recipients would get it."""

    why: tuple[str, ...]
    """Reasons for the choice: "first", "longest", "dearest"; none if all recipients get this text."""
    row: int
    """Row of the first recipient who gets it."""
    text: str = attrs.field(repr=mask_text)
    """The text. Phone numbers and e-mail addresses from the recipient's row are masked."""
    segments: int | None
    """Segments of the text; None for channels without segments."""
    units: Decimal | None
    """Estimated cost per recipient; None for a channel without a documented cost."""


class SampleChooser:
    """Keeps the first, the longest and the dearest text of a message. Between equal ones the first row counts."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self._best: dict[str, tuple[tuple[Decimal, int], Chunk]] = {}

    def look(self, chunk: Chunk) -> None:
        """Consider the text of a chunk."""
        for why, size in (
            ("first", Decimal(0)),
            ("longest", Decimal(len(chunk.text))),
            ("dearest", chunk.estimate / len(chunk.recipients)),
        ):
            rank = size, -chunk.recipients[0].row
            if why not in self._best or rank > self._best[why][0]:
                self._best[why] = rank, chunk

    def chosen(self) -> tuple[Sample, ...]:
        """Return the texts, each once."""
        chunks: dict[str, Chunk] = {}
        why: dict[str, list[str]] = {}
        for reason, (_, chunk) in self._best.items():
            chunks.setdefault(chunk.text, chunk)
            why.setdefault(chunk.text, []).append(reason)
        return tuple(self._sample(chunk, why[text]) for text, chunk in chunks.items())

    def _sample(self, chunk: Chunk, why: list[str]) -> Sample:
        merge = self._message.merge
        segments = self._message.segments(chunk.text)
        return Sample(
            why=() if merge is None else tuple(why),
            row=chunk.recipients[0].row,
            text=chunk.text if merge is None else redact(chunk.text, keep=merge.literals),
            segments=None if segments is None else segments.segments,
            units=self._message.units(chunk.text),
        )
