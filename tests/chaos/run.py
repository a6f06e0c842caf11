"""The long storm, as a program: one line a backend.

python -m tests.chaos.run --sends 100000 --seed 1
python -m tests.chaos.run --sends 100000 --only native
"""

from __future__ import annotations

import argparse
import logging
import sys

from callsavvy_async.transport.backends.choose import BackendName

from .storm import storm

BACKENDS: tuple[tuple[str, BackendName], ...] = (
    ("asyncio", "native"),
    ("asyncio", "httpx"),
    ("asyncio", "aiohttp"),
    ("trio", "httpx"),
)


def main() -> None:
    """Run, print, and exit with 1 when a rule was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sends", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="a backend by its name, or a backend and a loop as in httpx-trio")
    options = parser.parse_args()
    logging.disable()  # hundreds of thousands of warnings
    broken = 0
    for loop, backend in BACKENDS:
        if options.only in {None, backend, f"{backend}-{loop}"}:
            summary = storm(options.sends, seed=options.seed, backend=backend, loop=loop)
            print(summary, flush=True)
            broken += summary.faults
    sys.exit(broken > 0)


if __name__ == "__main__":
    main()
