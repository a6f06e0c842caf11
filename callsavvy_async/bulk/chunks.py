"""Recipients gathered into calls: who gets the same text shares a call, as far as a call's size allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import attrs

from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import Message
from callsavvy_async.redaction import mask_text


def _count_only(recipients: tuple[Recipient, ...]) -> str:
    return f"<{len(recipients):,}>"


@attrs.frozen
class Chunk:
    """The recipients of one call, and its text."""

    number: int
    """Its place among the chunks, counted from 1."""
    text: str = attrs.field(repr=mask_text)
    recipients: tuple[Recipient, ...] = attrs.field(repr=_count_only)
    depth: int = attrs.field(default=0, repr=False)
    """How often it was halved, to isolate what the API rejects."""

    zone: str = attrs.field(default="", repr=False)
    """The time zones of its recipients, where they matter."""
    estimate: Decimal = attrs.field(default=Decimal(0), repr=False)
    """Units that it will cost by the document's rules; 0 where they give none."""

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers of its recipients."""
        return tuple(recipient.number for recipient in self.recipients)

    def halves(self) -> tuple[Chunk, Chunk]:
        """Return two chunks of half the recipients each."""
        middle = len(self.recipients) // 2
        units = self.estimate / len(self.recipients)
        first, second = (
            attrs.evolve(self, recipients=part, depth=self.depth + 1, estimate=units * len(part))
            for part in (self.recipients[:middle], self.recipients[middle:])
        )
        return first, second


class Chunker:
    """Cuts a stream of recipients into chunks, in constant memory.

    With a template, recipients are gathered by their rendered text. At most `open_groups` texts are open at a time;
    when one more would be, the one that was fed least recently leaves as it is. Within a text the order is kept.

    Args:
        size: recipients in a chunk, at most; several sizes are used in turn; or a rule that says the size of the next one,
            given how many chunks there were before.
        message: what they get.
        open_groups: texts that are gathered at a time, at most.
        zone_of: the time zones of a recipient; only recipients of the same zones share a chunk.

    Raises:
        InvalidRequestError: an argument is less than 1.
    """

    def __init__(
        self,
        *,
        size: int | Sequence[int] | Callable[[int], int],
        message: Message,
        open_groups: int = 256,
        zone_of: Callable[[Recipient], str] | None = None,
    ) -> None:
        sizes: tuple[int, ...] = () if callable(size) else (size,) if isinstance(size, int) else tuple(size)
        for name, value in (*(("size", size) for size in sizes), ("open_groups", open_groups)):
            if value < 1:
                raise InvalidRequestError(f"{name} is {value}; it must be at least 1.")
        self._size: Callable[[int], int] = size if callable(size) else lambda chunks: sizes[chunks % len(sizes)]
        self._message = message
        self._open_groups = open_groups
        self._zone_of = zone_of
        self._groups: OrderedDict[tuple[str, str], list[Recipient]] = OrderedDict()
        self._chunks = 0

    def add(self, recipient: Recipient) -> tuple[Chunk, ...]:
        """Take a recipient in; return what is ready to leave.

        Raises:
            InvalidRequestError: the recipient lacks a field of the template; `Intake` admits nobody who does.
        """
        text = self._message.render(recipient.fields)
        key = ("" if self._zone_of is None else self._zone_of(recipient), text)
        group = self._groups.setdefault(key, [])
        group.append(recipient)
        if len(group) >= self._size(self._chunks):
            return (self._leave(key),)
        if len(self._groups) > self._open_groups:
            return (self._leave(next(iter(self._groups))),)
        self._groups.move_to_end(key)
        return ()

    def close(self) -> Iterator[Chunk]:
        """Yield what is still open, the text that was fed least recently first."""
        while self._groups:
            yield self._leave(next(iter(self._groups)))

    def _leave(self, key: tuple[str, str]) -> Chunk:
        self._chunks += 1
        zone, text = key
        recipients = tuple(self._groups.pop(key))
        return Chunk(self._chunks, text, recipients, zone=zone, estimate=self._message.estimate(text, len(recipients)))
