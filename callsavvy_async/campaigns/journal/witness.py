"""Remembers beside a SQLite file how far its requests went, so that an older copy of the file is noticed.

Theory: each commit that puts requests in flight counts up a number in the journal. Once it is durable, and before the first
of these requests leaves, the number is written down in two other places: in the lock's file, which stays beside the
journal, and in the user's state folder, under the id of the journal. A journal whose number is lower than one of these is
an older copy, whether only the file was put back, or its whole folder, or the copy is used in another place. A crash leaves
the witness at most one number behind, never ahead, so a journal that was not exchanged is never taken for a copy.

The witness is not synchronised with the disk: after a power cut it may know less, and then notices less. A place that
cannot be written is left out: the witness guards against a mistake, and is no part of the journal.
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
"""Bytes that are read of a place."""


@attrs.define
class Witness:
    """What is known of the requests of one journal, and where that is kept."""

    journal: str
    """The journal's id."""
    lock: int
    """The descriptor of the lock's file."""
    departures: int = 0
    """Commits that put requests in flight."""
    reached: dict[tuple[int, str], int] = attrs.field(factory=dict[tuple[int, str], int])
    """See `copies.Reached`."""
    _state: int | None = None
    """The descriptor of the file in the state folder, once it was needed."""

    def recall(self) -> None:
        """Read what was written down about the journal, in whichever place knows more."""
        os.lseek(self.lock, 0, os.SEEK_SET)
        self._learn(os.read(self.lock, _LARGEST))
        with suppress(OSError, RuntimeError):
            self._learn(_state_file(self.journal).read_bytes()[:_LARGEST])

    def note(self, departures: int, chunks: Reached) -> None:
        """Write down that these chunks are in flight by now, and by which commit."""
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
        """Close what was opened."""
        if self._state is not None:
            os.close(self._state)
            self._state = None

    def _learn(self, content: bytes) -> None:
        """Take in what a place says, unless it speaks of another journal, or was cut off by a power cut."""
        try:
            said = json.loads(content.partition(b"\n")[0])
            if said["journal"] == self.journal:
                reached = {(int(campaign), str(zone)): int(number) for campaign, zone, number in said["reached"]}
                self._merge(int(said["departures"]), reached)
        except (ValueError, KeyError, TypeError):
            return

    def _merge(self, departures: int, reached: Reached) -> None:
        self.departures = max(self.departures, departures)
        for key, number in reached.items():
            self.reached[key] = max(number, self.reached.get(key, 0))


def _overwrite(descriptor: int, line: bytes) -> None:
    """Write the first line of a file; what is left of a longer one stands behind it, and is not read."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, line)


def _state_file(journal: str) -> Path:
    """Return where the state folder keeps what is known of a journal (XDG Base Directory Specification)."""
    if sys.platform == "win32":  # pragma: no cover
        folder = os.environ.get("LOCALAPPDATA")
        below = Path.home() / "AppData" / "Local"
    else:
        folder = os.environ.get("XDG_STATE_HOME")
        below = Path.home() / ".local" / "state"
    return (Path(folder) if folder else below) / "callsavvy-async" / "journals" / journal
