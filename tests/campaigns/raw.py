"""Another connection to a journal, of whichever kind."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import attrs
import psycopg

SQLITE = "sqlite:///"
TABLES = ("journal", "campaign", "load", "run", "chunk", "payload", "skipped", "reached", "keyed")


@attrs.frozen
class Raw:
    """Runs statements behind the journal's back."""

    url: str

    @property
    def is_file(self) -> bool:
        return self.url.startswith(SQLITE)

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix(SQLITE))

    def __call__(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements, and return the rows of the last."""
        if not self.is_file:
            with psycopg.connect(self.url, autocommit=True) as connection:
                for statement in statements:
                    cursor = connection.execute(statement)
                return cursor.fetchall() if cursor.description else []
        file = sqlite3.connect(self.path, isolation_level=None)
        try:
            for statement in statements:
                rows = file.execute(statement).fetchall()
        finally:
            file.close()
        return rows

    def let_leases_pass(self) -> None:
        """Make every heartbeat an hour older."""
        self("UPDATE run SET heartbeat = heartbeat - 3600")

    def rows(self) -> str:
        """Return everything that is in the journal."""
        return str([self(f"SELECT * FROM {table}") for table in TABLES])

    def bytes(self) -> bytes:
        """Return everything that is in its files, also what nobody can read by SQL any more."""
        if self.is_file:
            return b"".join(file.read_bytes() for file in self.path.parent.iterdir())
        files = "SELECT pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class WHERE relkind IN ('r', 't')"
        return b"".join(content for (content,) in self("CHECKPOINT", f"{files} AND pg_relation_filepath(oid) <> ''"))
