"""On a terminal: the plan is shown, and a person is asked."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from callsavvy_async.simulator import Simulator, SimulatorServer

from .harness import environment

pytestmark = pytest.mark.sockets


def _answer(answer: str, server: SimulatorServer, *arguments: object) -> tuple[int, str]:
    """Run a command on a terminal, answer its question, and return its exit code and what it showed."""
    ours, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "callsavvy_async", *map(str, arguments)],
        env=os.environ | environment(server) | {"TERM": "xterm"},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while b"[y/N]" not in shown:
            shown += os.read(ours, 1_000)
        os.write(ours, answer.encode() + b"\n")
        with program:
            while True:
                try:
                    shown += os.read(ours, 1_000)
                except OSError:  # the program has closed the terminal
                    break
            assert program.stdout is not None
            shown += program.stdout.read()
    finally:
        os.close(ours)
        program.kill()
    return program.returncode, shown.decode()


@pytest.mark.long
@pytest.mark.parametrize(("answer", "code", "sent"), [("yes", 0, 3), pytest.param("", 2, 0, marks=pytest.mark.long)])
def test_question(sim: Simulator, server: SimulatorServer, people: Path, answer: str, code: int, sent: int) -> None:
    """Only a yes sends; before it the plan and its cost are shown."""
    ended, shown = _answer(answer, server, "bulk", "sms", people, "--message", "Hello")
    assert ended == code
    assert "3 messages by sms in 1 request" in shown
    assert "Units: about 3" in shown
    assert sim.ledger.totals.charged_recipients == sent
