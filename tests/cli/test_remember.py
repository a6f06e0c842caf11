"""``--remember``: a command starts with the rate limit that an earlier one has measured."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from callsavvy_async.cli.activity import Way, new_activity
from callsavvy_async.cli.client import open_sender
from callsavvy_async.cli.commands import REGISTRY
from callsavvy_async.cli.options import Pace
from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.simulator import PUBLIC_KEY, Fault, Simulator, SimulatorServer
from callsavvy_async.simulator.limits import SlidingWindow, TokenBucket
from callsavvy_async.transport.rate_limiters import RateLimiters

from .harness import Run, environment, run_program

API = "https://api.example/v1"
SENDERS = (
    ("bulk", "sms", "--message", "Hello"),
    ("campaigns", "resume"),
    ("campaigns", "work"),
    ("outbox", "work"),
)


@pytest.fixture
def real(account: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Lead commands to an API of https, and return the file in the state folder, with a limit of 7.5/s."""
    monkeypatch.setenv("CALLSAVVY_BASE_URL", API)
    path = tmp_path / "state" / "callsavvy-async" / "limits.json"
    _learned(path, 7.5)
    return path


def _learned(path: Path, rate: float) -> None:
    pacing = RateLimiters(Adaptive(remember=path), PUBLIC_KEY, server=API)
    pacing.restore({"learned_rate": rate})
    pacing.save()


def _begun(pace: Pace) -> float | None:
    with new_activity(Way(REGISTRY.commands["outbox work"])):
        return open_sender(pace).pacing.snapshot().learned_rate


def test_a_command_begins_with_the_remembered_limit(real: Path, tmp_path: Path) -> None:
    """It is that of the state folder, or of a file that is named; "no" keeps nothing, and --rate needs nothing."""
    other = tmp_path / "other.json"
    _learned(other, 2.5)
    assert _begun(Pace()) == 7.5
    assert _begun(Pace(remember=str(other))) == 2.5
    assert _begun(Pace(remember="no")) is None
    assert _begun(Pace(rate="3/s", remember=str(other))) == 3.0


@pytest.mark.parametrize("command", SENDERS)
def test_every_command_that_sends_much_has_the_option(run: Run, command: tuple[str, ...]) -> None:
    """Its help names the variable too."""
    shown = run(*command, "--help").out
    assert "--remember" in shown
    assert "CALLSAVVY_REMEMBER" in shown


def test_a_test_server_is_remembered_only_in_a_file_that_is_named(
    run: Run, account: Simulator, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server of plain http leaves nothing in the state folder."""
    monkeypatch.chdir(tmp_path)
    for options in ((), ("--remember", "limits.json")):
        account.faults.next("sendSMS", Fault.with_status(429, retry_after="0"))
        assert run("bulk", "sms", people, "--message", "Hello", "--yes", *options).code == 0
    assert (tmp_path / "limits.json").exists()
    assert not (tmp_path / "state" / "callsavvy-async" / "limits.json").exists()


@pytest.mark.long
def test_the_plan_tells_the_time_at_the_remembered_limit(
    run: Run, account: Simulator, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three requests at 2/s take 1.5 s. Without a remembered limit the time is unknown."""
    pacing = RateLimiters(
        Adaptive(remember=tmp_path / "limits.json"), PUBLIC_KEY, server=os.environ["CALLSAVVY_BASE_URL"]
    )
    pacing.restore({"learned_rate": 2.0})
    pacing.save()
    send = ("bulk", "sms", people, "--message", "Hello", "--yes", "--chunk-size", 1)
    shown = run(*send, "--remember", tmp_path / "limits.json", "--no-journal").err
    assert "Time: about 2 s at the limit that an earlier send measured (2.0 requests/s)" in " ".join(shown.split())
    assert "Time: unknown" in run(*send, "--remember", "no", "--no-journal").err


@pytest.mark.long
@pytest.mark.sockets
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "limit",
    [
        lambda: TokenBucket(20, 20, retry_after="none"),
        lambda: SlidingWindow(20, 1),
    ],
    ids=["bucket", "sliding"],
)
def test_the_second_command_of_a_day_over_sockets(
    tmp_path: Path, limit, server: SimulatorServer, sim: Simulator
) -> None:
    """Two processes, one after the other, against a hidden 20/s for 25 s each: the second sees two 429s at most."""
    (tmp_path / "people.csv").write_text("phone\n" + "".join(f"+23459{n:08}\n" for n in range(2000)))
    variables = environment(server) | {"XDG_STATE_HOME": str(tmp_path)}
    refused = []
    for day in range(2):
        sim.limit = limit()
        ended = run_program(
            *("bulk", "sms", tmp_path / "people.csv", "--message", f"Day {day}", "--yes", "--chunk-size", 1),
            *("--remember", tmp_path / "limits.json", "--deadline", 25, "-o", "json"),
            **variables,
        )
        assert "the run reached its deadline" in ended.out, ended.err
        refused.append(ended.json["rate_limited"])
    assert refused[0] > refused[1] <= 2, refused
