"""One process per SQLite file.

The lock is the operating system's: it goes when its process goes, however that ends. It lies on a file of its own beside
the database, since SQLite's own locks are lost when any other handle of the database is closed (POSIX fcntl locks).
The file stays: removing it would let two processes lock two files of one name.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from callsavvy_async.campaigns.errors import JournalInUseError, JournalUnavailableError

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """An exclusive lock that is held from `acquire` to `release`, or to the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            JournalInUseError: another process, or another journal object of this one, holds it.
            JournalUnavailableError: the lock's file cannot be made.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise JournalUnavailableError(
                f"{self._path} cannot be made ({error.strerror}); the journal's folder must exist and be writable."
            ) from None
        try:
            _lock(descriptor)
        except OSError:
            os.close(descriptor)
            raise JournalInUseError(
                f"{self._path.name.removesuffix('.lock')} is open in another process; wait for it to end, or look at it"
                " with read_only=True."
            ) from None
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
