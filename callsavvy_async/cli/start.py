"""What ``callsavvy`` does first: help, version and wrong commands cost no import of a command or of the parser."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches

from callsavvy_async._version import __version__
from callsavvy_async.cli import help as help_text
from callsavvy_async.cli.arguments import Arguments, UsageError, split
from callsavvy_async.cli.commands import REGISTRY
from callsavvy_async.cli.document import document
from callsavvy_async.cli.streams import OutputError, Stdout, Stream, safe_streams

_DONE, _FAILED, _REFUSED, _INTERRUPTED = 0, 1, 2, 130
"""As `callsavvy_async.cli.exit_codes`, which imports more than help needs."""


def run(tokens: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    with safe_streams() as (stdout, stderr):
        try:
            return _run(split(tokens), stdout, stderr)
        except UsageError as error:
            return _refuse(error, output=error.output)
        except OutputError as error:  # of a help text
            print(f"callsavvy: cannot write to standard output: {error.reason}.", file=sys.stderr)
            return _FAILED
        except KeyboardInterrupt:  # during the imports
            print("callsavvy: interrupted.", file=sys.stderr)
            return _INTERRUPTED


def _run(arguments: Arguments, stdout: Stdout, stderr: Stream) -> int:
    words, rest = REGISTRY.find(arguments.rest)
    command = REGISTRY.commands.get(words)
    if command is not None:
        from callsavvy_async.cli.app import execute  # noqa: PLC0415 - see above

        return execute(command, arguments, stdout, stderr)
    if not rest or rest[0] in {"--help", "-h"}:
        _print(help_text.of_group(REGISTRY, words))
        return _DONE
    if rest[0] in {"--version", "-V"}:
        _print(__version__)
        return _DONE
    raise UsageError(_unknown(words, rest[0]), arguments.output)


def _print(text: str) -> None:
    print(text, flush=True)


def _unknown(group: str, token: str) -> str:
    names = [name for name, _ in REGISTRY.below(group)]
    program = f"callsavvy {group}".strip()
    if token.startswith("-"):
        return f"{token.partition('=')[0]} stands before the command. Write {program} COMMAND [OPTIONS]; see {program} --help."
    close = get_close_matches(token, names, 1)
    hint = f'Did you mean "{close[0]}"?' if close else f"There are {', '.join(names)}."
    return f'"{token}" is not a command of {program}. {hint} See {program} --help.'


def _refuse(error: UsageError, *, output: str) -> int:
    if output == "json":
        _print(document("", _REFUSED, None, {"kind": "usage", "message": str(error)}))
    print(f"callsavvy: {error}", file=sys.stderr)
    return _REFUSED
