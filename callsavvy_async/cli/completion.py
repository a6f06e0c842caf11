"""``callsavvy completion``: scripts that complete commands and options in a shell."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias, get_type_hints

from cyclopts import Parameter

from callsavvy_async.cli.activity import show
from callsavvy_async.cli.app import application
from callsavvy_async.cli.arguments import OPTIONS, Format
from callsavvy_async.cli.commands import REGISTRY
from callsavvy_async.cli.output import Result

Shell: TypeAlias = Literal["bash", "zsh", "fish"]


def completion(shell: Shell, /) -> None:
    """Print the script that completes commands and options in a shell.

    Load it at the start of the shell, or write it where the shell looks for it:
    bash: ~/.local/share/bash-completion/completions/callsavvy;
    zsh: a file _callsavvy in a directory of $fpath;
    fish: ~/.config/fish/completions/callsavvy.fish.

    Args:
        shell: bash, zsh or fish.
    """
    app = application(REGISTRY.commands.values(), adapt=_with_common_options)
    script = app.generate_completion(prog_name="callsavvy", shell=shell)
    if shell == "zsh":
        script = _with_entry(script)
    show(Result({"shell": shell, "script": script}, script))


def _with_entry(script: str) -> str:
    """Return a script for zsh that works from a file with any name and when it is sourced. It only defines a function."""
    function = re.findall(r"^(\w+)\(\) \{", script, re.MULTILINE)[0]
    return f"""{script.rstrip()}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  {function} "$@"
else
  compdef {function} callsavvy
fi
"""


@functools.cache
def _with_common_options(function: Callable[..., object]) -> Callable[..., object]:
    """Return a function with the parameters of another one, and the options of every command."""

    @functools.wraps(function)
    def never_called(*_: object, **__: object) -> None:
        raise NotImplementedError

    signature = inspect.signature(function)
    hints = get_type_hints(function, include_extras=True)
    parameters = [
        parameter.replace(annotation=hints.get(name, parameter.annotation))
        for name, parameter in signature.parameters.items()
    ]
    for name, option in OPTIONS.items():
        details = Parameter(name=option.names, help=option.help)
        annotation = Annotated[Format, details] if name == "output" else Annotated[str, details]
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
    del never_called.__wrapped__
    never_called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    never_called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return never_called
