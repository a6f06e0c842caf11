"""The page of the errors: the tree and the meanings from the code, the advice from `errors.toml`."""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import callsavvy_async
from callsavvy_async.errors import CallsavvyError

ADVICE = tomllib.loads((Path(__file__).with_name("errors.toml")).read_text("utf-8"))
"""What is known and what to do, by the name of the error's class."""

_INTRODUCTION = """\
Every error of the SDK is a `CallsavvyError`. The tables say what is known when it is raised, and what to do.
[What is known after a failure](../outcomes.md) explains the outcomes. The anchor of an error is its name in lower case, for
example `errors.html#outcomeunknownerror`; anchors do not change.

A failed request raises a `RequestError` with these attributes: `outcome`, `safe_to_resend`, `endpoint`, `attempts`,
`status_code`, `message`, `retry_after`, `expected_wait` and `body`. `message` and `body` hold the API's words unmasked; do not
log them.
"""


def errors_page() -> str:
    """Return the page."""
    sections = [_section(error) for error in every_error()]
    return "\n".join(["# Errors\n", _INTRODUCTION, "## The tree\n", _tree(), *sections])


def every_error() -> list[type[CallsavvyError]]:
    """Return every error class that users can meet, each below its base.

    Raises:
        ValueError: `errors.toml` lacks an error, or has one too many.
    """
    package = Path(callsavvy_async.__file__).parent
    for path in package.rglob("*.py"):
        if _DEFINES_AN_ERROR.search(path.read_text("utf-8")):
            parts = path.relative_to(package.parent).with_suffix("").parts
            importlib.import_module(".".join(part for part in parts if part != "__init__"))
    errors = [CallsavvyError, *_below(CallsavvyError)]
    different = {error.__name__ for error in errors} ^ {*ADVICE}
    if different:
        raise ValueError(f"{sorted(different)}: an error of the package, or of errors.toml, but not of both")
    return errors


_DEFINES_AN_ERROR = re.compile(r"^class \w+Error\(", re.MULTILINE)
_CAUGHT_INSIDE = {"OutOfBudgetError"}  # users see a report whose `stopped` is `StopReason.MAX_COST`


def _below(base: type[CallsavvyError]) -> Iterator[type[CallsavvyError]]:
    for error in base.__subclasses__():
        if error.__name__ not in _CAUGHT_INSIDE:
            yield error
            yield from _below(error)


def _tree() -> str:
    def lines(base: type[CallsavvyError], depth: int) -> Iterator[str]:
        yield f"{'    ' * depth}- [`{base.__name__}`](#{base.__name__.lower()})"
        for error in base.__subclasses__():
            yield from () if error.__name__ in _CAUGHT_INSIDE else lines(error, depth + 1)

    return "\n".join(lines(CallsavvyError, 0)) + "\n"


def _section(error: type[CallsavvyError]) -> str:
    advice = ADVICE[error.__name__]
    name, module = error.__name__, _public_module(error)
    bases = ", ".join(f"`{base.__name__}`" for base in error.__bases__)
    summary = " ".join((error.__doc__ or "").partition("\n\n")[0].split()).replace("``", "`")
    return (
        f"## {name} {{#{name.lower()}}}\n\n{summary}\n\n"
        f"| | |\n|---|---|\n| import | `from {module} import {name}` |\n| kind of | {bases} |\n"
        f"| known | {advice['known']} |\n| do | {advice['do']} |\n"
    )


def _public_module(error: type[CallsavvyError]) -> str:
    """Return the shortest module that exports the error."""
    parts = error.__module__.split(".")
    modules = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return next(name for name in modules if error.__name__ in vars(_loaded(name)) or name == error.__module__)


def _loaded(module: str) -> object:
    loaded = importlib.import_module(module)
    for name in getattr(loaded, "__all__", ()):
        getattr(loaded, name)  # names of the root are imported on first use
    return loaded
