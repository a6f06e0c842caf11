"""One command: from its words to its exit code. Only the module of the command that runs is imported."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import TypeAlias, cast

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import UnusedCliTokensError

from callsavvy_async.cli import help as help_text
from callsavvy_async.cli.access import chosen_profile
from callsavvy_async.cli.activity import Way, current_activity, new_activity
from callsavvy_async.cli.arguments import OPTIONS, Arguments, UsageError
from callsavvy_async.cli.client import chosen_proxy
from callsavvy_async.cli.commands import REGISTRY
from callsavvy_async.cli.ending import end
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.interrupts import as_ctrl_c
from callsavvy_async.cli.registry import CommandEntry
from callsavvy_async.cli.streams import Stdout, Stream
from callsavvy_async.redaction import redact
from callsavvy_async.wording import quantity

_log = logging.getLogger("callsavvy_async")
_log.addHandler(logging.NullHandler())  # without a handler logging would print warnings into the progress bar


Function: TypeAlias = Callable[..., object]


def application(
    commands: Iterable[CommandEntry], adapt: Callable[[Function], Function] = lambda function: function
) -> App:
    """Return the parser of some commands. Their modules are imported.

    Args:
        commands: The commands.
        adapt: Changes each function.
    """
    app = _parser("callsavvy", help_text.ABOUT)
    groups: dict[str, App] = {"": app}
    for command in commands:
        outer = ""
        *path, name = command.words.split()
        for word in path:
            inner = f"{outer} {word}".strip()
            if inner not in groups:
                groups[inner] = _parser(word, REGISTRY.groups.get(inner, ""))
                groups[outer].command(groups[inner])
            outer = inner
        groups[outer].command(adapt(function_of(command)), name=name, help_epilogue=help_text.after_command(command))
    return app


def _parser(name: str, about: str) -> App:
    return App(
        name=name,
        help=about,
        help_format="plaintext",
        version_flags=(),
        suppress_keyboard_interrupt=False,
        default_parameter=Parameter(show_default=lambda value: value or None),  # no "[default: False]" on every flag
    )


def function_of(command: CommandEntry) -> Callable[..., ExitCode | None]:
    """Import the function of a command."""
    module, _, name = command.target.partition(":")
    function = getattr(importlib.import_module(f"{__package__}.{module}"), name)
    if command.channel:
        from callsavvy_async.cli.channels import for_channel  # noqa: PLC0415 - other commands need no message

        function = for_channel(command.channel, function())
    return cast("Callable[..., ExitCode | None]", function)


def execute(command: CommandEntry, arguments: Arguments, stdout: Stdout, stderr: Stream) -> ExitCode:
    """Run a command and return its exit code.

    Args:
        command: The command.
        arguments: The command line.
        stdout: Standard output.
        stderr: Standard error.
    """
    function_of(command)  # `main` says what to install if a package of the extra is missing
    output = "table" if {"--help", "-h"} & {*arguments.rest} else arguments.output
    with new_activity(Way(command, output, arguments.columns)) as activity, as_ctrl_c():
        chosen_proxy.set(arguments.proxy)
        chosen_profile.set(arguments.profile)
        if os.environ.get("CALLSAVVY_DEBUG") == "1":
            logging.basicConfig(stream=sys.stderr)
            _log.setLevel(logging.DEBUG)
        code, error = _attempt(command, arguments, stdout)
        return end(activity, code, error, stderr)


def _attempt(
    command: CommandEntry, arguments: Arguments, stdout: Stdout
) -> tuple[ExitCode | None, BaseException | None]:
    """Run a command; return its exit code, or the error that ended it."""
    if arguments.columns and not command.is_list:
        return None, UsageError(f"--columns is for lists; callsavvy {command.words} prints none.")
    try:
        code: ExitCode | None = application([command])(
            list(arguments.rest), exit_on_error=False, print_error=False, result_action="return_value"
        )
        stdout.flush()
        result = current_activity().result
        if arguments.columns and result is not None:
            result.check(arguments.columns)
    except CycloptsError as error:
        return None, UsageError(f"{_usage(error)} See callsavvy {command.words} --help.")
    except BaseException as error:  # noqa: BLE001 - `end` reports it
        if os.environ.get("CALLSAVVY_DEBUG") == "1":
            traceback.print_exc()
        current_activity().options = _options_of(command)
        return None, error
    return code, None


def _options_of(command: CommandEntry) -> frozenset[str]:
    """Return the names of a command's options, without dashes."""
    app = application([command])
    for word in command.words.split():
        app = app[word]
    names = {name for argument in app.assemble_argument_collection() for name in argument.names}
    common = {name for option in OPTIONS.values() for name in option.names}
    return frozenset(name.removeprefix("--") for name in names | common if name.startswith("--"))


def _usage(error: CycloptsError) -> str:
    """Describe a usage error without repeating arguments that may be a message's text."""
    if isinstance(error, UnusedCliTokensError):
        return f"{quantity(len(error.unused_tokens or ()), 'argument')} too many; put a text that contains spaces in quotes."
    return redact(str(error))
