"""``callsavvy bulk --limit`` and ``--canary``: the first people, before everybody else."""

from __future__ import annotations

import re
import shlex
import threading
from pathlib import Path

import pytest

from callsavvy_async.simulator import Fault, Simulator

from .harness import Run

HELLO = ("--message", "Hello", "--yes", "--chunk-size", 1, "--max-in-flight", 1)


@pytest.fixture
def ten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a list of ten people, and work beside it."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "ten.txt"
    path.write_text("".join(f"+234599000000{n}\n" for n in range(10)))
    return path


def test_a_limit_leaves_the_others_for_later(run: Run, account: Simulator, ten: Path) -> None:
    """The first people get the message, that is a success, and the named command sends to the others."""
    plan = run("bulk", "sms", ten, "--message", "Hello", "--dry-run", "--limit", 3)
    assert "Recipients: 3 messages by sms in 1 request" in plan.out
    assert "Limit: the first 3 people of the list; the others are left for later" in plan.out
    first = run("bulk", "sms", ten, *HELLO, "--limit", 3, "--campaign", "r")
    assert (first.code, account.ledger.totals.charged_recipients) == (0, 3)
    assert "3 accepted" in first.out
    assert "stopped early: the limit of recipients was reached; the rest is left for later" in first.out
    assert run("bulk", "sms", ten, *HELLO, "--limit", 3, "--campaign", "r").code == 0
    assert account.ledger.totals.charged_recipients == 3
    commands = first.err.rpartition("7 not sent yet. Continue with: ")[2].strip().split(" && ")
    assert [shlex.split(command)[2] for command in commands] == ["continue", "resume"]
    for command in commands:
        assert run(*shlex.split(command)[1:], *(("--yes",) if "resume" in command else ())).code == 0
    assert account.ledger.charged == {f"+234599000000{n}": 1 for n in range(10)}


def test_a_failed_send_within_the_limit_is_no_success(run: Run, account: Simulator, ten: Path) -> None:
    """Only those who are left for later are no failures."""
    account.faults.next("sendSMS", Fault.SEND_FAILED)
    assert run("bulk", "sms", ten, *HELLO, "--limit", 3, "--no-journal").code == 1


def test_a_canary_holds_until_another_terminal_continues(
    run: Run, account: Simulator, ten: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command says that it waits and how to continue it; a command from elsewhere does."""
    paused = threading.Event()
    reached: list[int] = []

    def continue_it() -> None:
        assert paused.wait(60)
        reached.append(account.ledger.totals.charged_recipients)
        (name,) = re.findall(r"ten-[-\d]+", said[-1])
        assert run("campaigns", "continue", name).code == 0

    said: list[str] = []

    def tell(line: str) -> None:
        said.append(line)
        if "paused after" in line:
            paused.set()

    monkeypatch.setattr("callsavvy_async.cli.campaign_run.tell", tell)
    other = threading.Thread(target=continue_it)
    other.start()
    result = run("bulk", "sms", ten, *HELLO, "--canary", 4, "--hold")
    other.join(60)
    assert result.code == 0, result.err
    assert reached == [4]
    assert (
        "paused after 4 accepted, 0 not accepted and 0 unknown. Continue from another terminal with: callsavvy"
        in (said[0])
    )
    plan = run("bulk", "sms", ten, "--message", "Hello", "--canary", 4, "--hold", "--dry-run")
    assert (
        "Canary: the first 4 people. It stops if more than 20% of them fail; otherwise it waits for campaigns"
        " continue\n"
    ) in plan.out
    assert account.ledger.charged == {f"+234599000000{n}": 1 for n in range(10)}


@pytest.mark.long
def test_a_canary_that_fails_stops_the_send(run: Run, account: Simulator, ten: Path) -> None:
    """Above --max-failures nothing more is sent, which is exit code 1, and the way on is named."""
    account.faults.next("sendSMS", Fault.SEND_FAILED)
    stopped = run("bulk", "sms", ten, *HELLO, "--canary", 4, "--max-failures", "24%")
    assert stopped.code == 1
    assert "stopped early: too many of the first recipients failed" in stopped.out
    assert "6 not sent yet. Continue with: callsavvy campaigns continue ten-" in stopped.err
    assert "fail; otherwise it goes on" in stopped.err
    assert account.ledger.posts("sendSMS") == 4
    account.faults.next("sendSMS", Fault.SEND_FAILED)
    passed = run("bulk", "sms", ten, *HELLO, "--canary", 4, "--max-failures", "25%")
    assert "9 accepted" in passed.out


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (("--hold",), "--hold needs --canary"),
        (("--max-failures", "20%"), "--max-failures needs --canary"),
        (("--canary", 4, "--max-failures", "0.2"), "write it as 20%"),
        (("--canary", 4, "--max-failures", "many%"), "write it as 20%"),
        (("--canary", 4, "--limit", 4), "give one of the two"),
        (("--canary", 4, "--hold", "--no-journal"), "--hold needs a journal"),
    ],
)
def test_options_that_contradict_each_other(run: Run, account: Simulator, ten: Path, options, rule) -> None:
    """The error names the option and the fix, and nothing is sent."""
    result = run("bulk", "sms", ten, *HELLO, *options)
    assert result.code == 2
    assert rule in result.err
    assert not account.requests
