"""The disk and the journal of this machine."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import anyio.to_thread

from callsavvy_async.campaigns import (
    JournalDamagedError,
    JournalError,
    JournalMissingError,
    JournalUnavailableError,
)
from callsavvy_async.campaigns.journal.lock import FileLock
from callsavvy_async.campaigns.journal.lookup import database_of
from callsavvy_async.campaigns.journal.witness import state_folder
from callsavvy_async.cli.doctor.finding import Finding, ok, warning, wrong, wrong_as_error
from callsavvy_async.cli.hints import hint
from callsavvy_async.cli.journals import is_missing, is_url, place_of, shown
from callsavvy_async.errors import ConfigurationError

_LEAST_FREE = 20 * 2**20
"""Bytes. A campaign of 100,000 people takes some ten million."""
_FOR_OTHERS = 0o077
_RESTORE = (
    "keep the file, and restore a copy that campaigns backup made; what may have been sent since becomes unknown."
)


def examine_disk(journal: str) -> Finding:
    """Check that the folders of the journal and of the state can be written, and have room. Leaves nothing behind."""
    of_journal = [] if is_url(journal) else [Path(place_of(journal)).absolute().parent]
    free: list[tuple[int, Path]] = []
    for folder in dict.fromkeys([state_folder(), *of_journal]):
        try:
            there = next(place for place in (folder, *folder.parents) if place.exists())
            with tempfile.TemporaryFile(dir=there):
                free.append((shutil.disk_usage(there).free, there))
        except OSError as error:
            return wrong(
                "disk",
                f"{folder} cannot be written ({error.strerror})",
                "make it writable for you, or choose another folder with --journal or XDG_STATE_HOME.",
            )
    left, place = min(free)
    text = f"{left / 1e6:,.0f} MB free in {place}"
    if left < _LEAST_FREE:
        return wrong("disk", f"only {text}", "make room; a journal on a full disk stops its campaign.")
    return ok("disk", text)


async def examine_journal(journal: str) -> Finding:
    """Open the journal for reading only, and check its file."""
    return await anyio.to_thread.run_sync(_journal, journal)


def _journal(journal: str) -> Finding:
    place = shown(journal)
    try:
        if is_missing(journal) or _is_empty(journal):
            return ok("journal", f"none yet; the first campaign creates {place}")
        if damages := _damages(journal):
            return wrong("journal", f"{place} is damaged ({damages[0]})", _RESTORE)
        return ok("journal", f"{place} is sound") if is_url(journal) else _file(journal)
    except JournalMissingError:
        return ok("journal", f"none yet; the first campaign creates its tables in {place}")
    except JournalDamagedError as error:
        return wrong_as_error("journal", error, _RESTORE)
    except JournalUnavailableError as error:
        return wrong("journal", str(error).removesuffix(" Nothing is sent without it."), _advice(str(error)))
    except (JournalError, ConfigurationError) as error:
        return wrong_as_error("journal", error)
    except OSError as error:
        fix = "make the file and its folder readable for you, or name another --journal."
        return wrong("journal", f"{place} cannot be read ({error.strerror})", fix)


def _damages(journal: str) -> list[str]:
    """Return the damages of a journal.

    Raises:
        JournalError: It cannot be opened.
        ConfigurationError: Its URL is invalid.
    """
    database = database_of(journal if is_url(journal) else f"sqlite:///{place_of(journal)}", read_only=True, lease=30.0)
    try:
        database.open()
        with closing(database):
            return database.damages(database.cursor())
    except Exception as error:  # noqa: BLE001 - the database explains its own errors
        raise database.explain(error) from None


def _is_empty(journal: str) -> bool:
    return not is_url(journal) and Path(place_of(journal)).is_file() and not Path(place_of(journal)).stat().st_size


def _file(journal: str) -> Finding:
    """Check the permissions of a sound journal file, and whether another process has it open."""
    path, place = Path(place_of(journal)), shown(journal)
    mode = path.stat().st_mode & 0o777
    if mode & _FOR_OTHERS and sys.platform != "win32":
        return wrong(
            "journal",
            f"{place} has the permissions {mode:o}, so other users can read its numbers and texts",
            f"run chmod 600 {place}.",
        )
    lock = path.with_name(f"{path.name}.lock")
    if lock.exists() and not FileLock(lock).is_free():
        return warning(
            "journal",
            f"another process sends from {place}",
            f"wait until it ends, or name another --journal. Its campaigns: {hint('campaigns list', journal=journal)}",
        )
    return ok("journal", f"{place} is sound")


def _advice(error: str) -> str:
    """Return the fix for a database that cannot be reached, by its own words."""
    if "password" in error or "authentication" in error:
        return "correct the user and password of --journal or CALLSAVVY_JOURNAL, or set PGPASSWORD."
    if "does not exist" in error:
        return "create the database or the role, or correct --journal or CALLSAVVY_JOURNAL."
    return "start the database, or correct the host and port of --journal or CALLSAVVY_JOURNAL."
