"""Run contestants in separate processes, each in its virtual environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.speed.contestants import BY_NAME
from benchmarks.speed.runner import Task

ANCHORS = Path(__file__).resolve().parents[2] / "build" / "anchors"
REQUIREMENTS = Path(__file__).with_name("anchors.txt")
PATIENCE = 60.0
"""Maximum seconds of a child in addition to the measured ones."""


def prepare_anchors() -> None:
    """Create the virtual environment of the others, unless it is up to date."""
    done = ANCHORS / "made-of.txt"
    wanted = REQUIREMENTS.read_text("utf-8")
    if done.exists() and done.read_text("utf-8") == wanted:
        return
    print(f"making {ANCHORS}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", ANCHORS], check=True)
    subprocess.run([ANCHORS / "bin" / "pip", "install", "--quiet", "--requirement", REQUIREMENTS], check=True)
    done.write_text(wanted, "utf-8")


def python_of(contestant: str) -> str:
    """Return the interpreter of a contestant."""
    return sys.executable if BY_NAME[contestant].ours else str(ANCHORS / "bin" / "python")


def command(task: Task) -> list[str]:
    """Return the command line of a task."""
    return [python_of(task.contestant), "-m", "benchmarks.speed.runner", json.dumps(task._asdict())]


def environment(certificates: Path | str) -> dict[str, str]:
    """Return environment variables that make contestants trust the server, also those without an SSL context."""
    return {**os.environ, "SSL_CERT_FILE": str(certificates), "REQUESTS_CA_BUNDLE": str(certificates)}


def run(task: Task) -> dict[str, Any] | None:
    """Run a task. Returns None if it failed or exceeded its time."""
    return run_command(command(task), seconds=task.seconds, certificates=task.certificates)


def run_command(line: list[str], *, seconds: float, certificates: Path | str = "") -> dict[str, Any] | None:
    """Run a program and parse its last line as JSON. If it fails or exceeds its time, print that and return None."""
    try:
        done = subprocess.run(
            line, env=environment(certificates), capture_output=True, text=True, check=False, timeout=seconds + PATIENCE
        )
    except subprocess.TimeoutExpired:
        print(f"{' '.join(line)} did not end", file=sys.stderr)
        return None
    if done.returncode != 0:
        print(f"{' '.join(line)} failed:\n{done.stderr}", file=sys.stderr)
        return None
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
