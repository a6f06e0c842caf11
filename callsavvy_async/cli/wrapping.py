"""Lines for a terminal, broken between words, where it would break within them."""

from __future__ import annotations

import os
import re
import textwrap
from typing import TextIO

_COMMAND = re.compile(r"(?<=: )callsavvy .+$")
_SPACE_OF_COMMAND = "\N{NO-BREAK SPACE}"


def fit(text: str, stream: TextIO) -> str:
    """Break lines between words if they do not fit a terminal. Lines for files and pipes stay as they are.

    A command at the end of a line is not broken, so that it can be copied.
    """
    width = _width(stream)
    return "\n".join(_fit(line, width) for line in text.split("\n")) if width else text


def _fit(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        _COMMAND.sub(lambda command: command[0].replace(" ", _SPACE_OF_COMMAND), line),
        width,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
        expand_tabs=False,
        replace_whitespace=False,
    ).replace(_SPACE_OF_COMMAND, " ")


def _width(stream: TextIO) -> int:
    """Return the columns of a terminal, and 0 for anything else."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):  # the terminal was closed
        return 0
