"""An answer's header fields as they came, read as text only when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


class Fields(Mapping[str, str]):
    """Header fields under lower-case names; those of one name are joined by commas (RFC 9110, 5.3).

    Args:
        raw: (name, value) pairs in the order in which they came.
    """

    __slots__ = ("_text", "raw")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self.raw = raw
        self._text: dict[str, str] | None = None

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
                name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip(" \t")
                text[name] = f"{text[name]}, {value}" if name in text else value
        return text
