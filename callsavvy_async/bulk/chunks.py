"""Group recipients with identical text into requests, up to the maximum size."""

from __future__ import annotations

import marshal
import sys
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache

import attrs

from callsavvy_async.bulk.plain_recipients import PlainRecipients
from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import Message
from callsavvy_async.redaction import mask_text

MEMORY = 16 * 2**20
"""Bytes for waiting recipients: more than 100,000 of them, with the fields of their rows."""
UNPACKED = 8_192
"""Waiting recipients that stay unpacked. Packing takes a fifth of the memory and doubles the time."""
_WEIGHT_OF_BYTES = 41
"""Bytes of an empty ``bytes`` object and its place in a list."""
_WEIGHT_OF_GROUP = 450
"""Bytes of a group, without its text and recipients."""


_NOBODY = PlainRecipients(array("Q"), array("Q"))


def _count_only(recipients: Sequence[Recipient]) -> str:
    return f"<{len(recipients):,}>"


@attrs.frozen
class Chunk:
    """The recipients and the text of one request."""

    number: int
    """Position among the chunks, counted from 1."""
    text: str = attrs.field(repr=mask_text)
    recipients: Sequence[Recipient] = attrs.field(repr=_count_only)
    depth: int = attrs.field(default=0, repr=False)
    """Number of times that it was split to isolate a rejected recipient."""

    zone: str = attrs.field(default="", repr=False)
    """Time zones of the recipients, where they matter."""
    estimate: Decimal = attrs.field(default=Decimal(0), repr=False)
    """Estimated cost in units, by the API document; 0 where it gives none."""

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers of the recipients."""
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


@attrs.define
class _Group:
    """The waiting recipients of one text."""

    recipients: list[Recipient | bytes] = attrs.field(factory=list["Recipient | bytes"])
    fed: int = 0
    """Number of recipients that the chunker had read when this group got its last one."""
    weight: int = 0
    """Approximate bytes of memory, once packed."""

    def pack(self, key: tuple[str, str], *, with_fields: bool) -> int:
        """Pack the recipients, and return the increase in weight."""
        before = self.weight
        packed = [one if isinstance(one, bytes) else _pack(one, with_fields=with_fields) for one in self.recipients]
        self.recipients = list(packed)
        self.weight = _WEIGHT_OF_GROUP + sys.getsizeof(key[1]) + sum(map(len, packed)) + _WEIGHT_OF_BYTES * len(packed)
        return self.weight - before


class Chunker:
    """Cuts a stream of recipients into chunks, in bounded memory.

    Recipients of the same text share a chunk, in input order. A text waits until it fills a chunk. When the waiting
    recipients exceed `memory`, the group that grew least recently leaves as it is. The same group leaves first when a worker
    is idle (`spare`).

    Args:
        size: most recipients of a chunk; or several sizes, used in turn; or a function from the number of chunks so far to the
            size of the next one.
        message: the message.
        memory: approximate bytes for waiting recipients.
        with_fields: whether recipients keep the fields of their rows.
        zone_of: returns the time zones of a recipient. Only recipients of the same zones share a chunk.
        cut_after: number of recipients after which a new chunk begins.

    Raises:
        InvalidRequestError: a size is less than 1.
    """

    def __init__(
        self,
        *,
        size: int | Sequence[int] | Callable[[int], int],
        message: Message,
        memory: int = MEMORY,
        with_fields: bool = True,
        zone_of: Callable[[Recipient], str] | None = None,
        cut_after: int | None = None,
    ) -> None:
        sizes: tuple[int, ...] = () if callable(size) else (size,) if isinstance(size, int) else tuple(size)
        for value in sizes:
            if value < 1:
                raise InvalidRequestError(f"size is {value}; it must be at least 1.")
        self._size: Callable[[int], int] = size if callable(size) else lambda chunks: sizes[chunks % len(sizes)]
        self._message = message
        self._estimate = lru_cache(maxsize=2)(message.estimate)  # 100 µs for an SMS of 160 characters
        self._memory = memory
        self._with_fields = with_fields
        self._zone_of = zone_of
        self._cut_after = cut_after
        self._alike: list[Recipient] | None = [] if zone_of is None and message.merge is None else None
        self._block = _NOBODY
        self._groups: OrderedDict[tuple[str, str], _Group] = OrderedDict()
        self._read = 0
        self._packed_at = 0
        self._weight = 0
        self._chunks = 0

    @property
    def taken_in(self) -> int:
        """Number of recipients so far."""
        return self._read

    def add(self, recipient: Recipient) -> tuple[Chunk, ...]:
        """Add a recipient and return the chunks that are ready.

        Raises:
            InvalidRequestError: the recipient lacks a field of the template. `RecipientFilter` skips these recipients.
        """
        self._read += 1
        if self._read == self._cut_after:
            return (*self._add(recipient), *self.close())
        return self._add(recipient)

    def _add(self, recipient: Recipient) -> tuple[Chunk, ...]:
        if self._alike is None:
            return self._add_to_group(recipient)
        self._alike.append(recipient)
        return tuple(self._leave_waiting()) if len(self._alike) >= self._size(self._chunks) else ()

    @property
    def ignores_fields(self) -> bool:
        """Whether all recipients get the same text at the same time, whatever their fields are."""
        return self._alike is not None

    def add_alike(self, recipients: PlainRecipients) -> list[Chunk]:
        """Add recipients whose fields are ignored, and return the chunks that are ready."""
        before_cut = 0 if self._cut_after is None else max(0, self._cut_after - self._read)
        if 0 < before_cut <= len(recipients):
            return [
                *self._add_alike(recipients[:before_cut]),
                *self.close(),
                *self._add_alike(recipients[before_cut:]),
            ]
        return self._add_alike(recipients)

    def _add_alike(self, recipients: PlainRecipients) -> list[Chunk]:
        self._read += len(recipients)
        waiting = self._block + recipients if self._block else recipients
        ready: list[Chunk] = []
        begin = 0
        while len(waiting) >= (end := begin + self._size(self._chunks)):
            ready.append(self._leave_alike(waiting[begin:end]))
            begin = end
        self._block = waiting[begin:]
        return ready

    def spare(self, *, unfed_since: int) -> tuple[Chunk, ...]:
        """Return the group that grew least recently, and all groups that have not grown since an earlier moment.

        Args:
            unfed_since: number of recipients read at that moment.
        """
        chunks = list(self._leave_waiting())
        while self._groups:
            key, group = next(iter(self._groups.items()))
            if chunks and group.fed > unfed_since:
                break
            chunks.append(self._leave(key))
        return tuple(chunks)

    def close(self) -> Iterator[Chunk]:
        """Yield the remaining recipients, from the group that grew least recently."""
        yield from self._leave_waiting()
        while self._groups:
            yield self._leave(next(iter(self._groups)))

    def _add_to_group(self, recipient: Recipient) -> tuple[Chunk, ...]:
        text = self._message.render(recipient.fields)
        key = ("" if self._zone_of is None else self._zone_of(recipient), text)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group()
        else:
            self._groups.move_to_end(key)
        group.recipients.append(recipient)
        group.fed = self._read
        if len(group.recipients) >= self._size(self._chunks):
            return (self._leave(key),)
        return tuple(self._make_room()) if self._read - self._packed_at >= UNPACKED else ()

    def _make_room(self) -> Iterator[Chunk]:
        """Pack the groups that grew since the last time, and yield groups until the memory suffices."""
        for key, group in reversed(self._groups.items()):
            if group.fed <= self._packed_at:
                break
            self._weight += group.pack(key, with_fields=self._with_fields)
        self._packed_at = self._read
        while self._weight > self._memory:
            yield self._leave(next(iter(self._groups)))

    def _leave(self, key: tuple[str, str]) -> Chunk:
        self._chunks += 1
        zone, text = key
        group = self._groups.pop(key)
        self._weight -= group.weight
        recipients = tuple([_unpack(one) if isinstance(one, bytes) else one for one in group.recipients])
        return self._chunk(text, recipients, zone)

    def _leave_waiting(self) -> Iterator[Chunk]:
        """Yield the recipients without fields that wait: those that were added one by one, and those of blocks."""
        if self._alike:
            alike, self._alike = self._alike, []
            yield self._leave_alike(tuple(alike))
        if self._block:
            block, self._block = self._block, _NOBODY
            yield self._leave_alike(block)

    def _leave_alike(self, recipients: Sequence[Recipient]) -> Chunk:
        self._chunks += 1
        return self._chunk(self._message.common or "", recipients, "")

    def _chunk(self, text: str, recipients: Sequence[Recipient], zone: str) -> Chunk:
        return Chunk(self._chunks, text, recipients, zone=zone, estimate=self._estimate(text, len(recipients)))


def _pack(recipient: Recipient, *, with_fields: bool) -> bytes:
    return marshal.dumps((recipient.number, dict(recipient.fields) if with_fields else {}, recipient.row))


def _unpack(packed: bytes) -> Recipient:
    return Recipient(*marshal.loads(packed))  # noqa: S302 - packed by this process
