"""Find the database of a URL, and a campaign in it by its name."""

from __future__ import annotations

from callsavvy_async.campaigns.journal import sql
from callsavvy_async.campaigns.journal.database import Cursor, Database
from callsavvy_async.campaigns.journal.postgres import SCHEMES, PostgreSQL
from callsavvy_async.campaigns.journal.sqlite import SCHEME, SQLite
from callsavvy_async.errors import ConfigurationError


def database_of(url: str, *, read_only: bool, lease: float) -> Database:
    """Return the database of a URL. The URL may contain a password, so errors show only its scheme."""
    if url.startswith(SCHEME) and url != SCHEME:
        return SQLite(url, read_only=read_only)
    if url.startswith(SCHEMES):
        if lease <= 0:
            raise ConfigurationError(f"lease is {lease}; it must be greater than 0 seconds.")
        return PostgreSQL(url, read_only=read_only, lease=lease)
    raise ConfigurationError(
        f"the journal's URL begins with {url.partition('://')[0]!r}; write sqlite:///file.db, with a fourth slash for an"
        " absolute path, or postgresql://user@host/database."
    )


def find_campaign(cursor: Cursor, name: str) -> tuple[int, str, int] | None:
    """Return the number, the specification and the purged state of a campaign."""
    query = "SELECT id, spec, purged FROM campaign WHERE name = ?"
    found: tuple[int, str, int] | None = cursor.execute(query, (name,)).fetchone()
    return found


def create_campaign(cursor: Cursor, name: str, spec: str) -> tuple[int, str, int]:
    """Create a campaign, unless another process has just done it. Return what `find_campaign` returns."""
    number = sql.next_id(cursor, "campaign")
    found = find_campaign(cursor, name)  # another process may have created it before the lock
    if found is None:
        cursor.execute("INSERT INTO campaign (id, name, spec, created) VALUES (?, ?, ?, clock())", (number, name, spec))
    return found or (number, spec, 0)


def no_campaign(cursor: Cursor, name: str, journal: str) -> str:
    """Say that there is no campaign of a name, and which there are."""
    rows = cursor.execute("SELECT name FROM campaign ORDER BY id DESC LIMIT 6").fetchall()
    names = [repr(row[0]) for row in rows]
    there_are = f"it contains {', '.join(names[:5])}{', ...' if names[5:] else ''}" if names else "it contains none"
    return f"there is no campaign {name!r} in {journal}; {there_are}."
