"""Commands as the tests of the command line run them: in this process, or as programs of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, SimulatorServer

EXAMPLES = Path(__file__).parents[2] / "examples"


@attrs.frozen
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its result, when it was asked for as JSON."""
        return json.loads(self.out)


Run = Callable[..., Result]


def environment(server: SimulatorServer) -> dict[str, str]:
    """Return the variables that lead a command to a simulator."""
    return {
        "CALLSAVVY_BASE_URL": server.url,
        "CALLSAVVY_PUBLIC_KEY": PUBLIC_KEY,
        "CALLSAVVY_PRIVATE_KEY": PRIVATE_KEY,
    }


def start(*arguments: object, **variables: str) -> subprocess.Popen[str]:
    """Start a command as a program of its own, its output piped."""
    return subprocess.Popen(
        [sys.executable, "-m", "callsavvy_async", *map(str, arguments)],
        env=_without_settings() | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_program(*arguments: object, stdin: bytes = b"", **variables: str) -> Result:
    """Run a command as a program of its own to its end."""
    ended = subprocess.run(
        [sys.executable, "-m", "callsavvy_async", *map(str, arguments)],
        env=_without_settings() | variables,
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Result(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def _without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CALLSAVVY_")}
