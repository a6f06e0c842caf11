"""Records the progress of requests outside of a SQLite file, to detect an older copy of the file.

Theory:

1. Each commit that puts chunks in flight increments a counter in the journal, `departures`.
2. After the commit, and before the requests leave, two other files get the same number: the lock file beside the journal,
   and a file in the user's state folder, named after the journal's id.
3. A journal whose counter is lower than one of these is an older copy, no matter whether the file, its folder or a copy
   in another folder was restored.
4. A crash between 1 and 2 leaves the files behind the journal, never ahead, so the current journal always passes.

The files are not synchronised with the disk: after a power cut they may miss a copy. A file that cannot be written is
skipped, because the witness only guards against mistakes.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import attrs

from callsavvy_async.campaigns.journal.copies import Reached

_LARGEST = 1 << 20
"""Largest number of bytes to read from a file."""


@attrs.define
class Witness:
    """The recorded progress of one journal's requests."""

    journal: str
    """Id of the journal."""
    lock: int
    """Descriptor of the lock file."""
    departures: int = 0
    """Number of commits that put chunks in flight."""
    reached: dict[tuple[int, str], int] = attrs.field(factory=dict[tuple[int, str], int])
    """See `copies.Reached`."""
    _state: int | None = None
    """Descriptor of the file in the state folder, once it is open."""

    def recall(self) -> None:
        """Read both files, and keep the higher numbers."""
        os.lseek(self.lock, 0, os.SEEK_SET)
        self._learn(os.read(self.lock, _LARGEST))
        with suppress(OSError, RuntimeError):
            self._learn(_state_file(self.journal).read_bytes()[:_LARGEST])

    def note(self, departures: int, chunks: Reached) -> None:
        """Record that a commit put these chunks in flight."""
        self._merge(departures, chunks)
        reached = [[campaign, zone, number] for (campaign, zone), number in self.reached.items()]
        line = json.dumps({"journal": self.journal, "departures": departures, "reached": reached}).encode() + b"\n"
        with suppress(OSError):
            _overwrite(self.lock, line)
        with suppress(OSError, RuntimeError):
            if self._state is None:
                path = _state_file(self.journal)
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._state = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            _overwrite(self._state, line)

    def close(self) -> None:
        """Close the file in the state folder."""
        if self._state is not None:
            os.close(self._state)
            self._state = None

    def _learn(self, content: bytes) -> None:
        """Merge the content of a file, unless it belongs to another journal or a power cut damaged it."""
        try:
            record = json.loads(content.partition(b"\n")[0])
            if record["journal"] == self.journal:
                reached = {(int(campaign), str(zone)): int(number) for campaign, zone, number in record["reached"]}
                self._merge(int(record["departures"]), reached)
        except (ValueError, KeyError, TypeError):
            return

    def _merge(self, departures: int, reached: Reached) -> None:
        self.departures = max(self.departures, departures)
        for key, number in reached.items():
            self.reached[key] = max(number, self.reached.get(key, 0))


def _overwrite(descriptor: int, line: bytes) -> None:
    """Overwrite the first line of a file. Readers ignore the remainder of a longer line after it."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, line)


def forget(journal: Path) -> None:
    """Delete the record of a SQLite journal in the user's state folder, before the journal itself is deleted."""
    lock = journal.with_name(f"{journal.name}.lock")
    with suppress(OSError, RuntimeError, ValueError, KeyError, TypeError):
        _state_file(str(json.loads(lock.read_bytes().partition(b"\n")[0])["journal"])).unlink()


def _state_file(journal: str) -> Path:
    """Return the path of a journal's file in the user's state folder."""
    return state_folder() / "journals" / journal


def state_folder() -> Path:
    """Return the user's folder for state (XDG Base Directory Specification)."""
    if sys.platform == "win32":  # pragma: no cover
        folder = os.environ.get("LOCALAPPDATA")
        default = Path.home() / "AppData" / "Local"
    else:
        folder = os.environ.get("XDG_STATE_HOME")
        default = Path.home() / ".local" / "state"
    return (Path(folder) if folder else default) / "callsavvy-async"
