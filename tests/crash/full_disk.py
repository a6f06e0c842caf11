"""A program whose files cannot grow past a size: it loads or sends a campaign, and its exit code says how that ended.

It is no fork: a test runner may have threads, and Python 3.12 and later warn of a fork beside them.
"""

from __future__ import annotations

import resource
import subprocess
import sys

import anyio

from callsavvy_async import SMS, Callsavvy
from callsavvy_async.campaigns import Journal, JournalUnavailableError
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY

HELLO = SMS("Hello")
PEOPLE = [f"+23480{n:08}" for n in range(600)]
FULL = 23
"""The exit code of a program whose journal could not be written."""


def client(url: str, **options: int) -> Callsavvy:
    return Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=url, timeout=5, **options)


async def load(journal_url: str) -> None:
    async with Journal.open(journal_url) as journal:
        await (await journal.campaign("c", HELLO, chunk_size=1)).load(PEOPLE)


async def send(journal_url: str, url: str, patience: float = 0.0):
    async with Journal.open(journal_url, patience=patience) as journal, client(url) as callsavvy:
        return await (await journal.campaign("c", HELLO, chunk_size=1)).run(callsavvy)


def on_a_full_disk(size: int, *where: str) -> int:
    """Load (given a journal's URL) or send (given the API's too) where no file can exceed `size` bytes."""
    return subprocess.run([sys.executable, __file__, str(size), *where], check=False).returncode


def main(size: int, *where: str) -> int:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        anyio.run(send if len(where) > 1 else load, *where)
    except JournalUnavailableError:
        return FULL
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
