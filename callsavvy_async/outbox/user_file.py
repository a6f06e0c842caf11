"""A user's own SQLite file with an outbox in it, beside the user's own connections."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import suppress
from pathlib import Path

from callsavvy_async.campaigns.errors import JournalError
from callsavvy_async.campaigns.journal.sqlite import SCHEME, SQLite
from callsavvy_async.errors import ConfigurationError

_BUSY = 30.0
"""Seconds to wait for a transaction of another connection."""


class UserFile(SQLite):
    """A file that belongs to the user: no lock, no settings and no tables of the journal.

    Args:
        url: ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.

    Raises:
        ConfigurationError: the URL is none of these.
    """

    def __init__(self, url: str) -> None:
        if not url.startswith(SCHEME) or url == SCHEME:
            raise ConfigurationError(
                f"the outbox's database begins with {url.partition('://')[0]!r}; write sqlite:///file.db, or leave it out if"
                " the outbox is in the PostgreSQL database of the journal."
            )
        super().__init__(url, read_only=False)

    def open(self) -> None:
        """Open the file.

        Raises:
            JournalError: the file does not exist.
        """
        if not Path(self._path).is_file():
            raise JournalError(f"there is no file {self._path}; name the database of your application.")
        self._connection = sqlite3.connect(self._path, isolation_level=None, timeout=_BUSY)
        self._cursor = self._connection.cursor()
        self.session: int = secrets.randbits(62)

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._cursor.close()
            self._connection.close()
