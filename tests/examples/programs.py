"""The example services as programs of their own, as their documentation starts them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, SimulatorServer

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = "a-secret-of-a-fair-length"
LINES = {"fastapi_service": 3, "aiohttp_service": 2, "screen_pop": 1}
"""How many lines each prints when it is ready."""


class Program:
    """A running example.

    Attributes:
        printed: what it said when it was ready.
        url: where it serves.
        callback_url: where it takes events.
    """

    def __init__(self, process: subprocess.Popen[str], lines: int, log: Path) -> None:
        self.process = process
        self._log = log
        assert process.stdout is not None
        self.printed = "".join(process.stdout.readline() for _ in range(lines))
        callback = re.search(r"callback URL: +(\S+)", self.printed)
        assert callback is not None, self.log
        self.callback_url = callback[1]
        self.url = self.callback_url.partition("/hooks/")[0]

    @property
    def log(self) -> str:
        """All that it logged so far."""
        return self._log.read_text()

    @property
    def final_report(self) -> Any:
        """The report of the campaign that ended last."""
        return json.loads(re.findall(r"campaign ended: (.*)", self.log)[-1])

    def stop(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.terminate()
        return self.process.wait(60)


@contextmanager
def running(name: str, log: Path, *arguments: str, account: SimulatorServer | None = None) -> Iterator[Program]:
    """Run an example while the block does.

    Args:
        name: its directory.
        log: the file that gets what it writes to stderr. Its directory is the working directory.
        *arguments: more of its command's.
        account: the simulator that it sends to; its own when None.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CALLSAVVY_")}
    command = [sys.executable, "-X", "dev", str(EXAMPLES / name), "--port", "0", *arguments]  # dev: leaks are warned of
    folder = log.parent  # where a journal is made
    if account is None:
        command.append("--simulator")
    else:
        environment |= _settings(account)
    with (
        log.open("a") as stderr,
        subprocess.Popen(
            command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            yield Program(process, LINES[name], log)
        finally:
            process.kill()


def _settings(account: SimulatorServer) -> Mapping[str, str]:
    return {
        "CALLSAVVY_BASE_URL": account.url,
        "CALLSAVVY_PUBLIC_KEY": PUBLIC_KEY,
        "CALLSAVVY_PRIVATE_KEY": PRIVATE_KEY,
        "CALLBACK_SECRET": SECRET,
    }


def people(count: int) -> list[str]:
    """Make up numbers."""
    return [f"+234599{number:07}" for number in range(count)]


def assert_clean(log: str) -> None:
    """Nothing was leaked, no error escaped, and no number or secret was logged."""
    for trace in ("Traceback", "Warning", "never awaited", "was destroyed", "ERROR", "+234", SECRET):
        assert trace not in log, log
