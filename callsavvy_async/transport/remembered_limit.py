"""What a client has learned about the account's limit, kept in a file for the next process (`Adaptive(remember=path)`).

The file has one entry for each account, under a hash of its public key, so that one file serves several accounts. It is
replaced atomically. Two processes that close at the same time may lose one account's entry, and that limit is learned again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import cast

import attrs

from callsavvy_async.policy.pacer import PacerSnapshot

_log = logging.getLogger("callsavvy_async")


@attrs.frozen
class RememberedLimit:
    """The entry of one account in a file.

    A file that cannot be read or written costs a cold start. It is logged and never raised, because the requests themselves
    do not need it.

    Args:
        path: The file. Its folder is created if necessary.
        account: Public key of the account.
    """

    path: Path
    account: str = attrs.field(repr=False)

    def read(self) -> Mapping[str, object]:
        """Return the entry; empty if the file has none."""
        found = self._entries().get(self._key)
        return cast("Mapping[str, object]", found) if isinstance(found, dict) else {}

    def write(self, learned: PacerSnapshot) -> None:
        """Write the entry, readable only for the user. A client that has learned nothing keeps the old one."""
        if learned.learned_rate is None:
            return
        entries = {**self._entries(), self._key: attrs.asdict(learned)}
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with NamedTemporaryFile("w", dir=self.path.parent, delete=False) as file:  # created with mode 0600
                json.dump(entries, file)
            os.replace(file.name, self.path)  # noqa: PTH105 - two paths, one of them a name
        except OSError as error:
            _log.warning("the learned rate limit was not saved to %s: %s", self.path, error)

    def _entries(self) -> dict[str, object]:
        try:
            entries = json.loads(self.path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            _log.warning("the learned rate limit was not read from %s: %s", self.path, error)
            return {}
        return cast("dict[str, object]", entries) if isinstance(entries, dict) else {}

    @property
    def _key(self) -> str:
        return hashlib.sha256(self.account.encode()).hexdigest()[:32]
