"""Reserve the first core for the client and the second for the server."""

from __future__ import annotations

import os

CORES = sorted(os.sched_getaffinity(0))
CLIENT, SERVER = CORES[0], CORES[-1]


def pin(core: int) -> None:
    """Pin this process and its children to one core."""
    os.sched_setaffinity(0, {core})
