"""Count the POSTs of each SDK for one message if the server reads it and closes the connection without a response."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.speed import child, servers
from benchmarks.speed.contestants import ALL, NO_IO, RAW_NATIVE
from benchmarks.speed.runner import Task


def count(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the number of POSTs that the server read, and the SDK's final exception."""
    rows: dict[str, dict[str, Any]] = {}
    for contestant in ALL:
        if contestant.name in {RAW_NATIVE, NO_IO}:
            continue
        with servers.dropping(folder, tls=contestant.only_tls) as (url, posts):
            result = child.run(Task(contestant.name, url, str(folder / "ca.pem"), measure="failure"))
            if result is not None:
                rows[contestant.name] = {"posts": posts(), **result}
    return rows
