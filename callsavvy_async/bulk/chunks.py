"""Recipients gathered into requests: who gets the same text shares a request, as far as a request's size allows."""

from __future__ import annotations

import marshal
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import attrs

from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import Message
from callsavvy_async.redaction import mask_text

MEMORY = 16 * 2**20
"""Bytes that recipients may take who wait for company: 100,000 and more of them, with the fields of their rows."""
UNPACKED = 8_192
"""Recipients who wait as they are: packed they take a fifth of the memory, which costs as much time as all the rest."""
_WEIGHT_OF_BYTES = 41
"""Of an object of type bytes and its place in a list."""
_WEIGHT_OF_GROUP = 450
"""Of a text's place among the groups, without the text and the recipients."""


def _count_only(recipients: tuple[Recipient, ...]) -> str:
    return f"<{len(recipients):,}>"


@attrs.frozen
class Chunk:
    """The recipients of one request, and its text."""

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


@attrs.define
class _Group:
    """The recipients of one text that wait for company."""

    recipients: list[Recipient | bytes] = attrs.field(factory=list["Recipient | bytes"])
    fed: int = 0
    """How many recipients the chunker had taken in when this group got its last one."""
    weight: int = 0
    """Bytes of memory, about, once it is packed."""

    def pack(self, key: tuple[str, str], *, with_fields: bool) -> int:
        """Pack its recipients, and return by how much its weight grew."""
        before = self.weight
        packed = [who if isinstance(who, bytes) else _pack(who, with_fields=with_fields) for who in self.recipients]
        self.recipients = list(packed)
        self.weight = _WEIGHT_OF_GROUP + sys.getsizeof(key[1]) + sum(map(len, packed)) + _WEIGHT_OF_BYTES * len(packed)
        return self.weight - before


class Chunker:
    """Cuts a stream of recipients into chunks, in bounded memory.

    Who gets the same text shares chunks, in whatever order they come: a text waits until it fills a chunk. Those that wait
    take `memory` at most; when they would take more, the text that was fed least recently leaves as it is. That one is
    also the first to leave when somebody cannot wait (`spare`). Within a text the order is kept.

    Args:
        size: recipients in a chunk, at most; several sizes are used in turn; or a rule that says the size of the next one,
            given how many chunks there were before.
        message: what they get.
        memory: bytes, about, that recipients who wait may take.
        with_fields: recipients keep the fields of their rows.
        zone_of: the time zones of a recipient; only recipients of the same zones share a chunk.

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
    ) -> None:
        sizes: tuple[int, ...] = () if callable(size) else (size,) if isinstance(size, int) else tuple(size)
        for value in sizes:
            if value < 1:
                raise InvalidRequestError(f"size is {value}; it must be at least 1.")
        self._size: Callable[[int], int] = size if callable(size) else lambda chunks: sizes[chunks % len(sizes)]
        self._message = message
        self._memory = memory
        self._with_fields = with_fields
        self._zone_of = zone_of
        self._alike: list[Recipient] | None = [] if zone_of is None and message.merge is None else None
        self._groups: OrderedDict[tuple[str, str], _Group] = OrderedDict()
        self._taken_in = 0
        self._packed_at = 0
        self._weight = 0
        self._chunks = 0

    @property
    def taken_in(self) -> int:
        """Recipients so far."""
        return self._taken_in

    def add(self, recipient: Recipient) -> tuple[Chunk, ...]:
        """Take a recipient in; return what is ready to leave.

        Raises:
            InvalidRequestError: the recipient lacks a field of the template; `RecipientFilter` admits nobody who does.
        """
        self._taken_in += 1
        if self._alike is None:
            return self._add_to_group(recipient)
        self._alike.append(recipient)
        return (self._leave_alike(self._alike),) if len(self._alike) >= self._size(self._chunks) else ()

    def spare(self, *, unfed_since: int) -> tuple[Chunk, ...]:
        """Let texts go that got nobody since then, and the one that was fed least recently in any case.

        Args:
            unfed_since: how many recipients had been taken in then.
        """
        if self._alike:
            return (self._leave_alike(self._alike),)
        chunks: list[Chunk] = []
        while self._groups:
            key, group = next(iter(self._groups.items()))
            if chunks and group.fed > unfed_since:
                break
            chunks.append(self._leave(key))
        return tuple(chunks)

    def close(self) -> Iterator[Chunk]:
        """Yield what is still open, the text that was fed least recently first."""
        if self._alike:
            yield self._leave_alike(self._alike)
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
        group.fed = self._taken_in
        if len(group.recipients) >= self._size(self._chunks):
            return (self._leave(key),)
        return tuple(self._make_room()) if self._taken_in - self._packed_at >= UNPACKED else ()

    def _make_room(self) -> Iterator[Chunk]:
        """Pack those who are not, the texts that were fed since it was done last; yield what takes too much memory then."""
        for key, group in reversed(self._groups.items()):
            if group.fed <= self._packed_at:
                break
            self._weight += group.pack(key, with_fields=self._with_fields)
        self._packed_at = self._taken_in
        while self._weight > self._memory:
            yield self._leave(next(iter(self._groups)))

    def _leave(self, key: tuple[str, str]) -> Chunk:
        self._chunks += 1
        zone, text = key
        group = self._groups.pop(key)
        self._weight -= group.weight
        recipients = tuple([_unpack(who) if isinstance(who, bytes) else who for who in group.recipients])
        return self._chunk(text, recipients, zone)

    def _leave_alike(self, recipients: list[Recipient]) -> Chunk:
        self._chunks += 1
        self._alike = []
        return self._chunk(self._message.common or "", tuple(recipients), "")

    def _chunk(self, text: str, recipients: tuple[Recipient, ...], zone: str) -> Chunk:
        estimate = self._message.estimate(text, len(recipients))
        return Chunk(self._chunks, text, recipients, zone=zone, estimate=estimate)


def _pack(recipient: Recipient, *, with_fields: bool) -> bytes:
    return marshal.dumps((recipient.number, dict(recipient.fields) if with_fields else {}, recipient.row))


def _unpack(packed: bytes) -> Recipient:
    return Recipient(*marshal.loads(packed))  # noqa: S302 - our own bytes, which never left this process
