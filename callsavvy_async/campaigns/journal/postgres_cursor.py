"""A cursor of PostgreSQL for the journal's SQL; see `database.py`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_GIVEN_COLUMN = re.compile(r"CAST\(\? AS ([A-Z ]+)\) AS (\w+)")
_GIVEN = re.compile(rf"\(SELECT\s+{_GIVEN_COLUMN.pattern}(?:,\s+{_GIVEN_COLUMN.pattern})*\) AS given")
"""See `database.py`."""


class PostgresCursor:
    """A psycopg cursor that takes the journal's SQL."""

    __slots__ = ("_cursor",)

    def __init__(self, cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        """Number of rows that the last statement changed."""
        return self._cursor.rowcount

    def execute(self, statement: str, values: Sequence[object] = (), /) -> PostgresCursor:
        """Execute a statement."""
        self._cursor.execute(_translated(statement), [_storable(value) for value in values] or None)
        return self

    def executemany(self, statement: str, values: Iterable[Sequence[object]], /) -> None:
        """Execute a statement for each row of values."""
        self._cursor.executemany(_translated(statement), [[_storable(value) for value in row] for row in values])

    def for_each(self, statement: str, rows: Sequence[Sequence[object]]) -> list[tuple[Any, ...]]:
        """Execute a statement once for all rows of values, and return the rows of its result."""
        table, names = _for_table(statement)
        given = [{name: _storable(value) for name, value in zip(names, row, strict=True)} for row in rows]
        text = json.dumps(given, ensure_ascii=False, default=_hexadecimal)
        # Planned each time: a plan made while the table was small would scan it as it grows.
        return self._cursor.execute(table, (text,), prepare=False).fetchall()

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row, or None."""
        return self._cursor.fetchone()

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all remaining rows."""
        return self._cursor.fetchall()

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._cursor)


@lru_cache(maxsize=256)
def _translated(statement: str) -> bytes:
    """Translate a statement to PostgreSQL's SQL; see `database.py`."""
    locking = re.sub(r"/\*!(.*?)\*/", r"\1", statement, flags=re.DOTALL)
    clock = locking.replace("clock()", "extract(epoch FROM clock_timestamp())::float8")
    return clock.replace("?", "%s").encode()


@lru_cache(maxsize=256)
def _for_table(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """Translate a statement, replace its row of values by a table in JSON, and return the names of its columns.

    One parameter in JSON takes a tenth of the time of an array for each column.
    """
    given = _GIVEN.search(statement)
    assert given is not None  # noqa: S101 - see `Database.for_each`
    columns: list[tuple[str, str]] = _GIVEN_COLUMN.findall(given[0])
    kinds = ", ".join(f"{name} {kind.replace('BLOB', 'BYTEA')}" for kind, name in columns)
    table = f"json_to_recordset(CAST(? AS JSON)) AS given ({kinds})"
    return _translated(statement.replace(given[0], table)), tuple(name for _, name in columns)


def _hexadecimal(value: bytes) -> str:
    return rf"\x{value.hex()}"


def _storable(value: object) -> object:
    """Replace NUL, which PostgreSQL cannot store. A response or a list may contain it, and its outcome must be recorded."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) and "\0" in value else value
