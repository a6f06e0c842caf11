"""Completion in shells."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from callsavvy_async.cli.commands import REGISTRY

from .harness import Run


@pytest.mark.long
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_of_its_shell(run: Run, shell: str) -> None:
    """Where the shell is installed, it reads the script; each word of a command and each common option is in it."""
    ended = run("completion", shell)
    assert ended.code == 0
    assert {word for words in REGISTRY.commands for word in words.split() if word not in ended.out} == set()
    assert all(option in ended.out for option in ("output", "columns", "proxy", "max-cost", "status"))
    assert shell != "zsh" or has_entry(ended.out)
    program = shutil.which(shell)
    if program is not None:
        checked = subprocess.run(
            [program, "-n"], input=ended.out, text=True, capture_output=True, timeout=30, check=False
        )
        assert (checked.returncode, checked.stderr) == (0, "")


def has_entry(script: str) -> bool:
    """Return True if a script for zsh calls its function when it is loaded from $fpath, and registers it when sourced."""
    called, registered = re.findall(
        r"loadautofunc \]\]; then\n  (\w+) \"\$@\"\nelse\n  compdef (\w+) callsavvy\nfi\n", script
    )[0]
    return called == registered and f"\n{called}() {{\n" in script


COMPLETED = {
    "tick": {"tickets"},
    "tickets ": {"list", "export", "conversation", "create", "reply"},
    "tickets list --st": {"--status"},
    "campaigns resume --rese": {"--resend"},
    "balance --out": {"--output"},
}


def test_bash_completes(run: Run) -> None:
    """Commands, options and common options are completed."""
    script = run("completion", "bash").out  # a second each
    for line, found in COMPLETED.items():
        assert completions(script, line) == found, line


def completions(script: str, line: str) -> set[str]:
    """Return what bash offers at the end of a line."""
    words = line.split(" ")
    code = f"""{script}
COMP_WORDS=(callsavvy {" ".join(words) if words[-1] else " ".join(words[:-1]) + ' ""'}); COMP_CWORD={len(words)}
_callsavvy callsavvy; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    ended = subprocess.run(["bash"], input=code, text=True, capture_output=True, timeout=30, check=True)
    return {word.strip() for word in ended.stdout.split()}
