"""Commands as the tests of the command line run them: in this process, or as programs of their own."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from callsavvy_async.cli.app import function_of
from callsavvy_async.cli.commands import REGISTRY
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, WHATSAPP_UID, SimulatorServer
from callsavvy_async.simulator.state import World

EXAMPLES = Path(__file__).parents[2] / "examples"


@attrs.frozen
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its result, when it was asked for as JSON."""
        return json.loads(self.out)["result"]


Run = Callable[..., Result]


def environment(server: SimulatorServer) -> dict[str, str]:
    """Return the variables that lead a command to a simulator."""
    return {
        "CALLSAVVY_BASE_URL": server.url,
        "CALLSAVVY_PUBLIC_KEY": PUBLIC_KEY,
        "CALLSAVVY_PRIVATE_KEY": PRIVATE_KEY,
    }


def start(*arguments: object, **variables: str) -> subprocess.Popen[str]:
    """Start a command as a program of its own, its output piped."""
    return subprocess.Popen(
        [sys.executable, "-m", "callsavvy_async", *map(str, arguments)],
        env=_without_settings() | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_program(*arguments: object, stdin: bytes = b"", **variables: str) -> Result:
    """Run a command as a program of its own to its end."""
    ended = subprocess.run(
        [sys.executable, "-m", "callsavvy_async", *map(str, arguments)],
        env=_without_settings() | variables,
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Result(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def _without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("CALLSAVVY_")}


SAMPLES: Mapping[str, Callable[[World], str]] = {
    "ticket_id": lambda world: next(iter(world.tickets)),
    "meeting_id": lambda world: next(iter(world.meetings)),
    "contact_id": lambda world: next(iter(world.contacts)),
    "department_id": lambda world: next(iter(world.departments)),
    "numbers": lambda _: "+2345990000001",
    "file": lambda _: "people.csv",
    "sender_email": lambda _: "ada@a.example",
    "email": lambda _: "ada@a.example",
    "channel_uid": lambda _: WHATSAPP_UID,
    "duration_minutes": lambda _: "1",
}
"""A good value of each parameter of a command that a text does not suit, by its name."""


def commands() -> Iterator[tuple[tuple[str, ...], Callable[..., object]]]:
    """Yield the words of every command, and its function."""
    for words, command in REGISTRY.commands.items():
        yield tuple(words.split()), function_of(command)


def sample_arguments(command: Callable[..., object], world: World) -> list[str]:
    """Make the arguments that a command cannot do without, by its signature."""
    given: list[str] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name == "content":  # the options of a message are a class
            fields = [field.name for field in attrs.fields(command.__annotations__["content"])]
            for option in ("message", *(field for field in fields if field in SAMPLES)):
                given += (f"--{option.replace('_', '-')}", SAMPLES.get(option, lambda _: "text")(world))
        elif parameter.default is parameter.empty or name in {"email", "file", "message"}:
            by_place = parameter.kind in {parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL}
            option = () if by_place else (f"--{name.replace('_', '-')}",)
            given += (*option, SAMPLES.get(name, lambda _: "text")(world))
    return given
