"""What the documents say to machines that are not here: it parses, and its commands are commands of ours."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from callsavvy_async.cli.app import application
from callsavvy_async.cli.arguments import split
from callsavvy_async.cli.commands import REGISTRY

ROOT = Path(__file__).parents[2]
FENCED = r"^```{language}\n(?P<code>.*?)^```$"


def blocks(language: str) -> list[str]:
    """Return the blocks of a language of all documents."""
    pattern = re.compile(FENCED.format(language=language), re.MULTILINE | re.DOTALL)
    texts = (path.read_text("utf-8") for path in sorted((ROOT / "docs").rglob("*.md")))
    return [found["code"] for text in texts for found in pattern.finditer(text)]


def commands(node: Any) -> Iterator[list[str]]:
    """Find the lists that are commands of ours, anywhere in a file."""
    if isinstance(node, list) and node and node[0] == "callsavvy":
        yield [str(word) for word in node]
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from commands(child)


def parse(words: list[str]) -> None:
    """Read a command line as the program does, and run nothing."""
    rest = split(words).rest
    command = REGISTRY.commands[REGISTRY.find(rest)[0]]
    application([command]).parse_args(list(rest), exit_on_error=False, print_error=False)


@pytest.mark.parametrize("text", [*blocks("yaml"), *(path.read_text() for path in (ROOT / "examples").rglob("*.yaml"))])
def test_yaml_holds_commands_that_exist(text: str) -> None:
    """Every manifest parses, and the commands in it are understood by the command line."""
    found = list(commands(yaml.safe_load(text)))
    assert found
    for command in found:
        parse(command[1:])


@pytest.mark.parametrize("text", blocks("ini"))
def test_units_hold_commands_that_exist(text: str) -> None:
    """Every systemd unit parses, and starts a command that exists."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read_string(text)
    words = shlex.split(unit["Service"]["ExecStart"])
    assert words[0].endswith("/callsavvy")
    parse(words[1:])
