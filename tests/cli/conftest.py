"""What the tests of the command line share: a run in process, and the account of the simulator in the environment."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cyclopts import App, ArgumentCollection

from callsavvy_async.cli import main
from callsavvy_async.simulator import Simulator, SimulatorServer

from .harness import Result, Run, environment


@pytest.fixture(scope="session", autouse=True)
def _commands_are_read_once() -> Iterator[None]:
    """Read a command's options from its signature once, not for each of the hundreds of runs: a third of their time."""
    read = App.assemble_argument_collection
    collections: dict[tuple[Callable[..., object] | None, bool], ArgumentCollection] = {}

    def assemble(app: App, *, parse_docstring: bool = False) -> ArgumentCollection:
        key = app.default_command, parse_docstring
        if key not in collections:
            collections[key] = read(app, parse_docstring=parse_docstring)
        return unused(collections[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(App, "assemble_argument_collection", assemble)
        yield


def unused(collection: ArgumentCollection) -> ArgumentCollection:
    """Copy the arguments of a command: parsing adds what was given to them."""
    copies = {id(argument): copy.copy(argument) for argument in collection}
    for argument in copies.values():
        argument.tokens = []
        argument.children = ArgumentCollection(copies[id(child)] for child in argument.children)
    return ArgumentCollection(copies.values())


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")  # not that of whoever runs the tests
    for name in (
        "CALLSAVVY_PUBLIC_KEY",
        "CALLSAVVY_PRIVATE_KEY",
        "CALLSAVVY_BASE_URL",
        "CALLSAVVY_PROFILE",
        "CALLSAVVY_PROXY",
        "CALLSAVVY_DEBUG",
        "CALLSAVVY_JOURNAL",
        "CALLSAVVY_NOTIFY",
        "CALLSAVVY_PACING",
        "CALLSAVVY_REMEMBER",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def run_command(*arguments: object) -> Result:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run_command


@pytest.fixture
def account(sim: Simulator, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """Put the simulator's keys and address into the environment."""
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    return sim


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Write a list of three people, one of them twice, and a row that is no number."""
    path = tmp_path / "people.csv"
    path.write_text(
        "name,phone\nAda,+2345990000001\nBola,+234 599 000 0002\nChidi,002345990000003\nAda,+2345990000001\nX,nobody\n"
    )
    return path
