"""The outbox's table, as SQL for the migration of a user's database."""

from __future__ import annotations

from typing import Literal

Dialect = Literal["postgresql", "sqlite"]

CHANNEL = "callsavvy_outbox"
"""Channel of LISTEN and NOTIFY."""

_COLUMNS = """
    key TEXT NOT NULL,                         -- name of the intent: all requests with one key are one
    recipient TEXT NOT NULL,                   -- phone number
    message TEXT NOT NULL,                     -- channel, text and sender, as JSON
    state TEXT NOT NULL DEFAULT 'pending',     -- pending, failed or unknown; an accepted row is deleted
    detail TEXT NOT NULL DEFAULT '',           -- reason of a failure
    session BIGINT,                            -- connection of the worker that sends the row
    created {moment}
);
CREATE INDEX callsavvy_outbox_by_state ON callsavvy_outbox (state, id);
CREATE INDEX callsavvy_outbox_by_recipient ON callsavvy_outbox (recipient, id) WHERE state = 'pending';
"""

_POSTGRESQL = f"""CREATE TABLE callsavvy_outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,{_COLUMNS.format(moment="TIMESTAMPTZ NOT NULL DEFAULT now()")}
-- Wakes the workers at COMMIT. Without the trigger they look every few seconds.
CREATE FUNCTION callsavvy_outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY {CHANNEL};
    RETURN NULL;
END $$;
CREATE TRIGGER callsavvy_outbox_notify AFTER INSERT ON callsavvy_outbox
    FOR EACH STATEMENT EXECUTE FUNCTION callsavvy_outbox_notify();
"""

_SQLITE = f"""CREATE TABLE callsavvy_outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,{_COLUMNS.format(moment="TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP")}"""

_MIGRATIONS: dict[Dialect, str] = {"postgresql": _POSTGRESQL, "sqlite": _SQLITE}


def migration(dialect: Dialect = "postgresql") -> str:
    """Return the SQL that creates the outbox's table, for a migration of your database.

    Args:
        dialect: ``"postgresql"`` or ``"sqlite"``.
    """
    return _MIGRATIONS[dialect]
