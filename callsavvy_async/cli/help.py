"""The help of the program and of its groups, and the end of every help. Drawn without the parser, which costs more to import.

The help of a single command comes from its signature and docstring, see `app.py`.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator

from callsavvy_async.cli.arguments import OPTIONS
from callsavvy_async.cli.registry import CommandEntry, Registry

ABOUT = "Send messages with the Callsavvy API and read the data of the account."
_VARIABLES = {
    "CALLSAVVY_PUBLIC_KEY": "Public key of the account (dashboard, Settings, API).",
    "CALLSAVVY_PRIVATE_KEY": "Private key of the account.",
    "CALLSAVVY_PROFILE": "Profile of callsavvy login to use instead of keys in the environment.",
    "CALLSAVVY_BASE_URL": "Server to use instead of the API, e.g. of callsavvy simulator.",
    "CALLSAVVY_JOURNAL": "Default of --journal.",
    "CALLSAVVY_PACING": "Default of --pacing.",
    "CALLSAVVY_PROXY": "Default of --proxy.",
    "CALLSAVVY_DEBUG": "1 logs requests and shows tracebacks. They contain no keys, numbers or texts.",
}
"""Environment variables of the command line, and what they are for."""
_STARTS = ("simulator", 'bulk sms people.csv --message "Hello" --dry-run', "bulk sms people.csv --message Hello")
"""Examples of the program."""
_NARROW, _WIDE = 40, 110


def of_group(registry: Registry, group: str) -> str:
    """Return the help of a group, or of the program if blank."""
    program = f"callsavvy {group}".strip()
    examples = [
        line
        for words, command in registry.commands.items()
        if words.startswith(f"{group} ")
        for line in command.examples
    ]
    sections = [
        _filled(f"Usage: {program} COMMAND [OPTIONS]"),
        *(_filled(paragraph) for paragraph in registry.groups.get(group, ABOUT).split("\n\n")),
        _section("Commands", registry.below(group)),
        _examples(examples[:3] if group else _STARTS),
        _common(("--version, -V", "Show the version.")),
        _filled(f"Help of a command: {program} COMMAND --help"),
    ]
    return "\n\n".join(sections)


def after_command(command: CommandEntry) -> str:
    """Return what follows the options of a command in its help: examples, common options, environment variables."""
    return "\n\n".join([_examples(command.examples), _common()])


def _common(*more: tuple[str, str]) -> str:
    options = ((f"{', '.join(option.names)} {option.value}", _with_variable(name)) for name, option in OPTIONS.items())
    rows = (*options, ("--help, -h", "Show this help."), *more)
    return "\n\n".join([_section("Options of every command", rows), _section("Environment", _VARIABLES.items())])


def _with_variable(name: str) -> str:
    option = OPTIONS[name]
    return f"{option.help} [env var: {option.variable}]" if option.variable else option.help


def _examples(lines: Iterable[str]) -> str:
    return "\n".join(["Examples:", *(f"  callsavvy {line}" for line in lines)])


def _section(title: str, rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join([f"{title}:", *_columns(list(rows))])


def _columns(rows: list[tuple[str, str]]) -> Iterator[str]:
    """Yield names and texts side by side; on a narrow terminal, or after a long name, below each other."""
    longest = min(max(len(name) for name, _ in rows), 24)
    indent = " " * (4 if _width() < 2 * _NARROW else longest + 4)
    for name, text in rows:
        head = f"  {name}".ljust(len(indent))
        if len(head) > len(indent) or len(indent) == 4:  # noqa: PLR2004 - the narrow indent
            yield head
            head = indent
        yield textwrap.fill(text, _width(), initial_indent=head, subsequent_indent=indent)


def _filled(paragraph: str) -> str:
    return textwrap.fill(paragraph, _width())


def _width() -> int:
    """Return the width of the terminal, or 80."""
    return min(max(shutil.get_terminal_size().columns, _NARROW), _WIDE)
