"""Output to stderr: everything except results."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Set as AbstractSet
from pathlib import Path

from callsavvy_async.cli.arguments import UsageError
from callsavvy_async.cli.nearby import files_near
from callsavvy_async.cli.option_words import in_option_words
from callsavvy_async.cli.streams import OutputError
from callsavvy_async.cli.wrapping import fit
from callsavvy_async.errors import CallsavvyError


def tell(line: str) -> None:
    """Print a line, broken between words where a terminal is too narrow for it."""
    print(fit(line, sys.stderr), file=sys.stderr, flush=True)


def can_ask() -> bool:
    """True if a person at a terminal can see and answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> bool:
    """Ask a question; return True only for yes."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    try:
        return sys.stdin.readline().strip().lower() in {"y", "yes"}
    except OSError:  # the terminal was closed
        return False


def explain(error: BaseException, options: AbstractSet[str] = frozenset()) -> str:
    """Describe an error in one line, without personal data.

    Args:
        error: The error.
        options: Options of the command, which the text names.
    """
    match error:
        case KeyboardInterrupt():
            return "interrupted."
        case CallsavvyError():
            return in_option_words(str(error), options)
        case UsageError():
            return str(error)
        case OutputError():
            return f"cannot write to standard output: {error.reason}."
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            near = files_near(str(error.filename)) if isinstance(error, FileNotFoundError) and error.filename else ""
            return f"{where}{error.strerror or type(error).__name__}{f'.{near}' if near else ''}"
        case _:  # its text may contain personal data
            return f"unexpected {type(error).__name__}{_where(error)}. Please report it; CALLSAVVY_DEBUG=1 shows tracebacks."


def _where(error: BaseException) -> str:
    """Return the line of this package that raised an error, without its data."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "callsavvy_async" in frame.filename]
    return f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
