"""Everything that is said beside the results goes to stderr."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from callsavvy_async.cli.streams import OutputError
from callsavvy_async.errors import CallsavvyError


def tell(line: str) -> None:
    """Write one line."""
    print(line, file=sys.stderr, flush=True)


def can_ask() -> bool:
    """Whether a person sits at the terminal, sees a question and can answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> bool:
    """Ask a person; anything but yes, also no answer at all, is no."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    try:
        return sys.stdin.readline().strip().lower() in {"y", "yes"}
    except OSError:  # the terminal is gone
        return False


def explain(error: BaseException) -> str:
    """Say in one line what went wrong, without anything personal."""
    match error:
        case KeyboardInterrupt():
            return "interrupted."
        case CallsavvyError():
            return str(error)
        case OutputError():
            return f"standard output cannot be written: {error.reason}."
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or type(error).__name__}"
        case _:  # its text may hold anything
            return f"unexpected {type(error).__name__}{_where(error)}. Please report it; CALLSAVVY_DEBUG=1 shows tracebacks."


def _where(error: BaseException) -> str:
    """Name the line of ours that an error came from, without what it dealt with."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "callsavvy_async" in frame.filename]
    return f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
