"""Locks a SQLite file for one process.

The operating system releases the lock when the process ends in any way. The lock is on a separate file beside the
database, because closing any handle of the database releases SQLite's own locks (POSIX fcntl locks). The file is never
removed: otherwise two processes could lock two files of the same name.

A forked child shares the open file and thus the lock, so it closes the file. Otherwise the lock would last until the
child ends.
"""

from __future__ import annotations

import errno
import os
import sys
import time
import weakref
from contextlib import suppress
from pathlib import Path

from callsavvy_async.campaigns.errors import JournalError, JournalInUseError, JournalUnavailableError

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_MAY_PASS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EINTR}
"""Temporary errors: a full disk, an I/O error, too many open files."""


_ATTEMPTS = 3
_BETWEEN_ATTEMPTS = 0.01
"""Seconds. `FileLock.is_free` holds a free lock for some microseconds, which must not stop a process that starts."""


def unusable(path: Path, error: OSError) -> JournalError:
    """Return the error for a file of the journal that cannot be opened."""
    if error.errno in _MAY_PASS:
        return JournalUnavailableError(f"{path} cannot be opened now: {error.strerror}. Nothing is sent without it.")
    return JournalError(
        f"{path} cannot be opened for writing ({error.strerror}); its folder must exist and be writable."
    )


def make_private(path: Path) -> None:
    """Restrict a file to its owner. A file of another user keeps its permissions."""
    with suppress(OSError):
        path.chmod(0o600)


def _is_locked(descriptor: int) -> bool:
    try:
        _lock(descriptor)
    except OSError:
        time.sleep(_BETWEEN_ATTEMPTS)
        return False
    return True


class FileLock:
    """An exclusive lock, held from `acquire` to `release` or to the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        _locks.add(self)

    def acquire(self) -> int:
        """Acquire the lock, and return the descriptor of its file.

        Raises:
            JournalInUseError: another process, or another `Journal` in this process, holds the lock.
            JournalError: the lock file cannot be opened.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise unusable(self._path, error) from None
        make_private(self._path)
        if not any(_is_locked(descriptor) for _ in range(_ATTEMPTS)):
            os.close(descriptor)
            raise JournalInUseError(
                f"{self._path.name.removesuffix('.lock')} is open in another process; wait until it ends, name another"
                " journal, or open it with read_only=True."
            )
        self._descriptor = descriptor
        return descriptor

    def is_free(self) -> bool:
        """Return True if no process holds the lock."""
        try:
            self.acquire()
        except JournalInUseError:
            return False
        self.release()
        return True

    def release(self) -> None:
        """Release the lock if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


_locks: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _release_all() -> None:
    for lock in list(_locks):
        lock.release()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_release_all)


def identity_of(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one of its name; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
