"""What a client has learned about the account's limit, kept in a file for the next process (`Adaptive(remember=path)`).

Theory.

1.  The file has one entry for each account and server, under a hash of the public key and the base URL. One file serves
    several accounts, and the limit of a test server is not that of the API.
2.  The file is replaced atomically. Of several processes the last writer wins: its belief is the newest. Two processes that
    write at the same time may lose the entry of another account, and that limit is learned again.
3.  An entry is a hint without an age. The controller probes beyond it, however old it is.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import cast

import attrs

from callsavvy_async.policy.pacer import PacerSnapshot

_log = logging.getLogger("callsavvy_async")

MOST_ENTRIES = 100
"""Number of entries that a file keeps, the last written ones."""
_LARGEST = 1 << 20
"""Largest number of bytes to read."""


@attrs.define
class RememberedLimit:
    """The entry of one account on one server in a file.

    A file that cannot be read or written costs a cold start. It is logged and never raised, because the requests themselves
    do not need it.

    Args:
        path: The file. Its folder is created if necessary.
        account: Public key of the account.
        server: Base URL of the API.
    """

    path: Path
    account: str = attrs.field(repr=False)
    server: str
    _kept: object = attrs.field(default=None, init=False, repr=False)
    """The values that are in the file."""

    def read(self) -> Mapping[str, object]:
        """Return the entry; empty if the file has none."""
        found = self._entries().get(self._key)
        return cast("Mapping[str, object]", found) if isinstance(found, dict) else {}

    def write(self, learned: PacerSnapshot) -> None:
        """Write the entry, readable only for the user. A client that has learned nothing new keeps the old one."""
        entry = _entry(learned)
        if learned.learned_rate is None or entry == self._kept:
            return
        entries = {key: value for key, value in self._entries().items() if key != self._key}
        newest = dict(list(entries.items())[1 - MOST_ENTRIES :])
        try:
            self._replace(json.dumps({**newest, self._key: entry}))
        except (OSError, RuntimeError) as error:
            _log.warning("the learned rate limit was not saved to %s: %s", self.path, error)
        self._kept = entry

    def _replace(self, text: str) -> None:
        path = self.path.expanduser()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = NamedTemporaryFile("w", dir=path.parent, prefix=f"{path.name}.", delete=False)  # noqa: SIM115 - with mode 0600
        try:
            with file:
                file.write(text)
            os.replace(file.name, path)  # noqa: PTH105 - two paths, one of them a name
        except OSError:
            with suppress(OSError):
                Path(file.name).unlink()
            raise

    def _entries(self) -> dict[str, object]:
        try:
            with self.path.expanduser().open("rb") as file:
                entries = json.loads(file.read(_LARGEST))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RuntimeError) as error:  # RecursionError: a thousand brackets
            _log.warning("the learned rate limit was not read from %s: %s", self.path, error)
            return {}
        return cast("dict[str, object]", entries) if isinstance(entries, dict) else {}

    @property
    def _key(self) -> str:
        return hashlib.sha256(f"{self.account}\n{self.server}".encode()).hexdigest()[:32]


def _entry(learned: PacerSnapshot) -> dict[str, object]:
    return {
        "learned_rate": learned.learned_rate,
        "learned_in_flight": learned.learned_in_flight,
        "learned_window": learned.learned_window,
        "groups": {name: _entry(group) for name, group in learned.groups.items()},
    }
