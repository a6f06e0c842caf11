"""The command line before a command is imported: the options that every command has, and the command's words."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

Format: TypeAlias = Literal["table", "json", "csv"]
"""Values of ``--output``."""
FORMATS: tuple[Format, ...] = ("table", "json", "csv")


class UsageError(Exception):
    """The command line is wrong. Nothing was done."""

    def __init__(self, text: str, output: str = "table") -> None:
        super().__init__(text)
        self.output = output
        """Value of ``--output``, as far as it was read."""


class Option(NamedTuple):
    """An option that every command has.

    Attributes:
        names: Its names.
        value: What it takes, as the help shows it.
        variable: Environment variable with its default; blank if there is none.
        help: One sentence.
    """

    names: tuple[str, ...]
    value: str
    variable: str
    help: str


OPTIONS: Mapping[str, Option] = {
    "output": Option(("--output", "-o"), "table|json|csv", "", "Format of the result (default: table)."),
    "columns": Option(("--columns",), "a,b,c", "", "Columns of a list to show, in this order."),
    "proxy": Option(
        ("--proxy",),
        "URL",
        "CALLSAVVY_PROXY",
        'HTTP proxy for the API, e.g. http://host:3128, or "env" to use HTTPS_PROXY and NO_PROXY.',
    ),
    "profile": Option(
        ("--profile",),
        "NAME",
        "",
        "Profile of callsavvy login to use (default: CALLSAVVY_PROFILE, or the keys of the environment, or default).",
    ),
}
"""Options of every command, which may stand anywhere in the command line."""


class Arguments(NamedTuple):
    """A command line, split.

    Attributes:
        rest: The command's words and its own arguments.
        output: Format of the result.
        columns: Columns of a list to show; blank for those that fit.
        proxy: Proxy for the API.
        profile: Profile whose keys to use; None if the option is not given.
    """

    rest: tuple[str, ...] = ()
    output: Format = "table"
    columns: tuple[str, ...] = ()
    proxy: str | None = None
    profile: str | None = None


def split(tokens: Sequence[str]) -> Arguments:
    """Take the common options out of a command line. After ``--`` nothing is an option.

    Raises:
        UsageError: A value is missing or wrong.
    """
    given = {name: os.environ[option.variable] for name, option in OPTIONS.items() if option.variable in os.environ}
    rest: list[str] = []
    following = iter(tokens)
    for token in following:
        if token == "--":  # noqa: S105 - not a password
            rest += (token, *following)
            break
        name, value = _read(token)
        if name is None:
            rest.append(token)
            continue
        value = next(following, None) if value is None else value
        if value is None:
            raise UsageError(f"{token} has no value; write {token} {OPTIONS[name].value}.", given.get("output", ""))
        given[name] = value
    output = given.get("output", "table")
    if output not in FORMATS:
        raise UsageError(f'--output is "{output}"; use one of {", ".join(FORMATS)}.')
    columns = (column.strip() for column in given.get("columns", "").split(","))
    return Arguments(tuple(rest), output, tuple(filter(None, columns)), given.get("proxy"), given.get("profile"))


def _read(token: str) -> tuple[str | None, str | None]:
    """Return which common option a token is, if any, and its value if it is attached (``--output=json``, ``-ojson``)."""
    for name, option in OPTIONS.items():
        for spelling in option.names:
            begin, equals, value = token.partition("=")
            if begin == spelling:
                return name, value if equals else None
            if not spelling.startswith("--") and token.startswith(spelling):
                return name, token.removeprefix(spelling)
    return None, None
