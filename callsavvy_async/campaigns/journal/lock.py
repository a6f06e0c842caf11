"""One process per SQLite file.

The lock is the operating system's: it goes when its process goes, however that ends. It lies on a file of its own beside
the database, since SQLite's own locks are lost when any other handle of the database is closed (POSIX fcntl locks).
The file stays: removing it would let two processes lock two files of one name.

A lock of this kind belongs to the open file, which a forked child shares: the child closes it, or the lock would be held
until the child ends, too.
"""

from __future__ import annotations

import errno
import os
import sys
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
"""What may be otherwise a moment later: a full disk, an input/output error, too many open files."""


def unusable(path: Path, error: OSError) -> JournalError:
    """Return what it means that a file of the journal cannot be opened."""
    if error.errno in _MAY_PASS:
        return JournalUnavailableError(f"{path} cannot be opened now: {error.strerror}. Nothing is sent without it.")
    return JournalError(
        f"{path} cannot be opened for writing ({error.strerror}); its folder must exist and be writable."
    )


def make_private(path: Path) -> None:
    """Let nobody but its owner read or write a file. One that belongs to somebody else keeps the rights that it has."""
    with suppress(OSError):
        path.chmod(0o600)


class FileLock:
    """An exclusive lock that is held from `acquire` to `release`, or to the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        _locks.add(self)

    def acquire(self) -> int:
        """Take the lock, and return the descriptor of its file.

        Raises:
            JournalInUseError: another process, or another journal object of this one, holds it.
            JournalError: the lock's file cannot be made.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise unusable(self._path, error) from None
        make_private(self._path)
        try:
            _lock(descriptor)
        except OSError:
            os.close(descriptor)
            raise JournalInUseError(
                f"{self._path.name.removesuffix('.lock')} is open in another process; wait for it to end, or look at it"
                " with read_only=True."
            ) from None
        self._descriptor = descriptor
        return descriptor

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


_locks: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _release_all() -> None:
    for lock in list(_locks):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_all)
