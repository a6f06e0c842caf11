"""A response's header fields, decoded as text on first access."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from typing import Self


class Headers(Mapping[str, str]):
    """Header fields under lower-case names. Fields of one name are joined by commas (RFC 9110, 5.3).

    Args:
        raw: Pairs of a lower-case name and a value, in the order of the response.
    """

    __slots__ = ("_names", "_text", "raw")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self.raw: Sequence[tuple[bytes, bytes]] = raw
        self._text: dict[str, str] | None = None
        self._names: frozenset[bytes] | None = None

    @classmethod
    def of(cls, pairs: Iterable[tuple[bytes, bytes]]) -> Self:
        """Build headers from fields whose names may be in any case."""
        return cls([(name.lower(), value) for name, value in pairs])

    def has_any(self, names: AbstractSet[bytes]) -> bool:
        """Return True if a field has one of these names, without decoding any text."""
        own = self._names
        if own is None:
            own = self._names = frozenset([name for name, _ in self.raw])
        return not own.isdisjoint(names)

    def __getitem__(self, name: str) -> str:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> dict[str, str]:
        text = self._text
        if text is None:
            text = self._text = {}
            for raw_name, raw_value in self.raw:
                # the parser keeps white space after a value (RFC 9110, 5.5)
                name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1").strip(" \t")
                text[name] = f"{text[name]}, {value}" if name in text else value
        return text
