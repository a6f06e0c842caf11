"""Fuzz one target, or each in turn: python -m tests.fuzz [TARGET] [--seconds 600]. Needs atheris (Linux).

A target begins with its seeds and its corpus, and ends at the first input that breaks a rule. What reached new places is
added to the corpus.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from .targets import TARGETS, known_inputs, write_corpus


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz in a process of its own, and keep what it found; return False if a rule was broken."""
    with tempfile.TemporaryDirectory() as found, tempfile.TemporaryDirectory() as broken:
        for data in known_inputs(name):
            (Path(found) / hashlib.sha256(data).hexdigest()).write_bytes(data)
        program = (sys.executable, "-m", "tests.fuzz.process", name)
        limits = (
            f"-max_total_time={seconds}",
            "-max_len=4096",
            "-timeout=10",
            "-rss_limit_mb=4096",
            f"-artifact_prefix={broken}/",
        )
        done = subprocess.run((*program, *limits, found), check=False, capture_output=True, text=True, errors="replace")
        figures = [
            line for line in done.stderr.splitlines() if line.startswith(("Done", "#")) and "DONE" in line.upper()
        ]
        print(f"{name}: {figures[-1] if figures else ''}", flush=True)
        if done.returncode:
            print(done.stderr[-3000:])
            return False
        write_corpus(name, [path.read_bytes() for path in Path(found).iterdir()])
    return True


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", choices=[*TARGETS])
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    chosen = parser.parse_args()
    return sum(not fuzz(name, chosen.seconds) for name in ([chosen.target] if chosen.target else TARGETS))


if __name__ == "__main__":
    sys.exit(main())
