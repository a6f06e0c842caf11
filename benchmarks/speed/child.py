"""Run contestants in processes of their own, each in its environment."""

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
"""Seconds that a child may take beyond its measured ones."""


def prepare_anchors() -> None:
    """Make the environment of the others, unless what is there is what is wanted."""
    done = ANCHORS / "made-of.txt"
    wanted = REQUIREMENTS.read_text("utf-8")
    if done.exists() and done.read_text("utf-8") == wanted:
        return
    print(f"making {ANCHORS}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", ANCHORS], check=True)
    subprocess.run([ANCHORS / "bin" / "pip", "install", "--quiet", "--requirement", REQUIREMENTS], check=True)
    done.write_text(wanted, "utf-8")


def python_of(contestant: str) -> str:
    """Return the interpreter that has it."""
    return sys.executable if BY_NAME[contestant].ours else str(ANCHORS / "bin" / "python")


def command(task: Task) -> list[str]:
    """Return what runs a task."""
    return [python_of(task.contestant), "-m", "benchmarks.speed.runner", json.dumps(task._asdict())]


def environment(certificates: Path | str) -> dict[str, str]:
    """Return an environment in which contestants trust the server, also those that take no context."""
    return {**os.environ, "SSL_CERT_FILE": str(certificates), "REQUESTS_CA_BUNDLE": str(certificates)}


def run(task: Task) -> dict[str, Any] | None:
    """Run a task; None when it failed or did not end in time."""
    return run_command(command(task), seconds=task.seconds, certificates=task.certificates)


def run_command(line: list[str], *, seconds: float, certificates: Path | str = "") -> dict[str, Any] | None:
    """Run a program that prints JSON in its last line; None when it failed or did not end in time, which is shown."""
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
