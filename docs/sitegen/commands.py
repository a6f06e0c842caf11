"""The page of the commands, and the page of exit codes and environment variables: from the command line's own registry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cyclopts import App

import callsavvy_async
from callsavvy_async.cli import exit_codes
from callsavvy_async.cli.app import application
from callsavvy_async.cli.arguments import OPTIONS
from callsavvy_async.cli.commands import REGISTRY
from callsavvy_async.cli.exit_codes import ExitCode
from sitegen.source import attribute_docstrings

_CONTENTS = re.compile(r"^## Table of Contents\n.*?(?=^## )", re.MULTILINE | re.DOTALL)
_OBVIOUS = re.compile(r" \*\[default: (False|\(\))\]\*")


def commands_page() -> str:
    """Return the page of every command with its arguments and options."""
    app = whole_application()
    text = app.generate_docs(output_format="markdown")
    rest = _OBVIOUS.sub("", _CONTENTS.sub("", text)).partition("\n")[2]  # without its title
    options = ((", ".join(option.names), _as_markdown(option.value), option.help) for option in OPTIONS.values())
    rows = (f"| `{names} {value}` | {text} |" for names, value, text in options)
    everywhere = "\n".join(["| option of every command | meaning |", "|---|---|", *rows])
    return f"# The command line\n\n{_ABOUT}\n\n{everywhere}\n{rest}"


def whole_application() -> App:
    """Return the parser of every command, with the help of the groups and without what ends the help of each command."""
    app = application(REGISTRY.commands.values())
    for words in (*REGISTRY.groups, *REGISTRY.commands):
        command = app
        for word in words.split():
            command = command[word]
        command.help_epilogue = ""
        if words in REGISTRY.groups:
            command.help = REGISTRY.groups[words]
    return app


_ABOUT = (
    "This page is the text of `--help`. The extra `cli` installs it. [Exit codes](exit-codes.md), [environment"
    " variables](environment.md) and the [JSON](json.md) have pages too."
)


def exit_codes_page() -> str:
    """Return the page of the exit codes."""
    texts = attribute_docstrings(ExitCode)
    rows = (f"| {code.value} | `{code.name}` | {_as_markdown(texts[code.name])} |" for code in ExitCode)
    rule = _as_markdown(" ".join((exit_codes.__doc__ or "").partition("\n\n")[2].split())).replace(
        " (see `ending.py`)", ""
    )
    return "\n".join(["# Exit codes", "", rule, "", "| code | name | meaning |", "|---|---|---|", *rows, ""])


def environment_page() -> str:
    """Return the page of the environment variables: those of options, and those that the package reads itself."""
    options: dict[str, list[str]] = {}
    for command, names, variable in _options_with_variables(whole_application(), ()):
        options.setdefault(variable, []).append(f"`{command} {names}`")
    options["CALLSAVVY_PROXY"] = ["`--proxy` of every command"]
    unknown = variables_of_the_source() ^ ({*options} | {*_MEANINGS})
    if unknown - {*options}:
        raise ValueError(f"{sorted(unknown)}: describe them in {__name__}._MEANINGS, or remove them there")
    rows = [
        f"| `{name}` | {_MEANINGS[name]} | {_sample(options.get(name, []))} |"
        for name in sorted({*_MEANINGS}, key=[*_MEANINGS].index)
    ]
    return "\n".join(
        [
            "# Environment variables",
            "",
            _INTRODUCTION,
            "",
            "| variable | meaning | option |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def variables_of_the_source() -> set[str]:
    """Return the names of all variables of ours that the source mentions."""
    texts = (path.read_text("utf-8") for path in Path(callsavvy_async.__file__).parent.rglob("*.py"))
    return {name for text in texts for name in re.findall(r"\bCALLSAVVY_[A-Z_]+\b", text)}


_INTRODUCTION = (
    "`Callsavvy.from_env()` and the command line read the keys from the environment. Nothing else of the package reads it,"
    " unless the table says so. An option on the command line overrides its variable. The command line takes the keys and the"
    " server from one place: the profile of `--profile`, else the environment (keys, or `CALLSAVVY_PROFILE`), else the profile"
    " `default`."
)
_MEANINGS = {
    "CALLSAVVY_PUBLIC_KEY": "The account's public key.",
    "CALLSAVVY_PRIVATE_KEY": "The account's private key. `embeds` refuses to write this value into a page.",
    "CALLSAVVY_PROFILE": "The profile of `callsavvy login` to use. Not together with keys. Command line only.",
    "CALLSAVVY_BASE_URL": "The API, or a simulator. Default: `https://api.getcallsavvy.com/v1`.",
    "CALLSAVVY_JOURNAL": "The journal: a file, or the URL of a PostgreSQL.",
    "CALLSAVVY_PACING": "The Redis or PostgreSQL through which processes share one rate limit.",
    "CALLSAVVY_NOTIFY": "The URL or command that a send in bulk or a worker notifies. Command line only.",
    "CALLSAVVY_REMEMBER": "The file that keeps the measured rate limit for the next command, or `no` to keep nothing.",
    "CALLSAVVY_PROXY": "The HTTP proxy, or `env` to read `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.",
    "CALLSAVVY_DEBUG": "`1` shows debug logs on stderr, and the tracebacks of errors. Command line only.",
}


def _options_with_variables(group: App, path: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    for name in group:
        if name.startswith("-"):
            continue
        command = group[name]
        yield from _options_with_variables(command, (*path, name))
        if command.default_command is None:
            continue
        for argument in command.assemble_argument_collection():
            for variable in argument.parameter.env_var or ():
                yield " ".join((*path, name)), argument.name, variable


def _sample(options: list[str]) -> str:
    shown = 2
    more = f" and {len(options) - shown} more" if len(options) > shown else ""
    return ", ".join(options[:shown]) + more


def _as_markdown(docstring: str) -> str:
    return docstring.replace("``", "`").replace("|", "\\|")
