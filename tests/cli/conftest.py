"""What the tests of the command line share: a run in process, and the account of the simulator in the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsavvy_async.cli import main
from callsavvy_async.simulator import PRIVATE_KEY, Simulator, SimulatorServer

from .harness import Result, Run, environment


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
        "CALLSAVVY_PACING",
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
def account(sim: Simulator, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Simulator:
    """Put the simulator's keys and address into the environment, and its private key into a file."""
    (tmp_path / "private-key.txt").write_text(f"{PRIVATE_KEY}\n")
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
