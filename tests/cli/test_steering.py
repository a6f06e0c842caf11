"""``callsavvy campaigns pause|continue|stop|set``, given in a second terminal."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from callsavvy_async.campaigns import Action, Command, Phase, Steered, WaitingWorker
from callsavvy_async.cli import campaign_steering
from callsavvy_async.simulator import Simulator, serve

from .harness import Run, environment, start

HELLO = ("--message", "Hello", "--yes", "--chunk-size", 1)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_commands_to_a_campaign_that_nobody_sends(run: Run, account: Simulator, people: Path) -> None:
    """They hold for whoever sends it later, and `show` lists who gave them."""
    run("bulk", "sms", people, *HELLO, "--campaign", "r", "--load-only")
    stopped = run("campaigns", "stop", "r")
    assert (stopped.code, stopped.out.splitlines()[1]) == (0, "  0 active workers")
    assert run("campaigns", "resume", "r", "--yes").code == 130
    assert not account.ledger.charged
    assert "the new limits hold" in run("campaigns", "set", "r", "--max-cost", 2).out
    assert "campaigns resume r" in run("campaigns", "continue", "r").out
    assert run("campaigns", "resume", "r", "--yes").code == 4
    assert len(account.ledger.charged) == 2
    lines = run("campaigns", "show", "r").out.splitlines()
    assert [line.rpartition(": ")[2] for line in lines[-3:]] == ["stop", "set max_cost=2", "continue"]
    shown = run("campaigns", "show", "r", "-o", "json").json["commands"]
    assert [(each["action"], each["limits"]) for each in shown] == [
        ("stop", {}),
        ("set", {"max_cost": "2"}),
        ("continue", {}),
    ]


def test_what_is_wrong_is_said(run: Run, account: Simulator, people: Path) -> None:
    """No campaign, no journal, no limit: exit code 2, and nothing is created."""
    assert run("campaigns", "pause", "r").code == 1
    assert not list(Path().glob("*.db*"))
    run("bulk", "sms", people, *HELLO, "--campaign", "r", "--load-only")
    assert run("campaigns", "pause", "x").code == 2
    assert "no limit is given" in run("campaigns", "set", "r").err


def test_a_worker_that_does_not_answer_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its requests in flight and the end of its lease; so is a command that contradicts."""
    command = Command(1, 0.0, "ada@web", Action.PAUSE, Phase.PAUSED, {})
    late = Steered("r", command, 1, (WaitingWorker("web-3:7", 2, 1.0), WaitingWorker("web-4:8", 0, None)))
    lines = list(campaign_steering.lines_of_steered(late, ""))
    assert "not confirmed by every worker" in lines[0]
    assert "web-3:7 (requests in flight: 2); without a heartbeat it starts no request after" in lines[1]
    assert lines[2] == "  no answer from web-4:8"
    later = Command(2, 1.0, "eve@web", Action.CONTINUE, Phase.SENDING, {})
    (line,) = campaign_steering.lines_of_steered(Steered("r", command, superseded_by=later), "")
    assert "eve@web gave another command meanwhile: continue" in line


@pytest.mark.long
@pytest.mark.sockets
def test_a_campaign_is_paused_from_a_second_terminal(run: Run, tmp_path: Path) -> None:
    """SQLite, another process: after the confirmation the server gets nothing; continued, everybody is reached once."""
    people = tmp_path / "people.txt"
    people.write_text("".join(f"+234599{n:07}\n" for n in range(60)))
    some = threading.Event()

    def latency(_: object) -> float:
        if account.ledger.totals.requests >= 5:
            some.set()
        return 0.05

    account = Simulator(latency=latency)
    with serve(account) as server:
        arguments = ("bulk", "sms", people, *HELLO, "--max-in-flight", 2, "--campaign", "r")
        with start(*arguments, **environment(server)) as program:
            assert some.wait(60)
            paused = run("campaigns", "pause", "r")
            begun = account.ledger.totals.requests
            assert (paused.code, paused.out.splitlines()[1]) == (0, "  1 active worker")
            assert run("campaigns", "show", "r", "-o", "json").json["in_flight"] == 0
            assert account.ledger.totals.requests == begun < 60
            assert run("campaigns", "continue", "r").code == 0
            program.communicate(timeout=60)
            assert program.returncode == 0
    assert set(account.ledger.charged.values()) == {1}
    assert len(account.ledger.charged) == 60
