"""``callsavvy campaigns top``: what it shows, its keys, and that it leaves the terminal as it was."""

from __future__ import annotations

import itertools
import os
import pty
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from callsavvy_async.campaigns import Action, Campaign, CampaignReport, Command, JournalError, Phase, Worker
from callsavvy_async.campaigns.spec import CampaignSettings
from callsavvy_async.cli import campaign_top, fullscreen
from callsavvy_async.cli.campaign_watch import CampaignView
from callsavvy_async.cli.table import cell_width
from callsavvy_async.cli.top_screen import KEYS, Moment, RecentSpeed, lines_of
from callsavvy_async.policy.pacer import FULL
from callsavvy_async.policy.standalone import OUT_OF_REACH
from callsavvy_async.simulator import Simulator

from .harness import Result, Run

NOW = datetime(2026, 11, 30, 9, 3, tzinfo=UTC)
WORKER = Worker(1, "web-3:4711", 0.0, None, 0.4, True, 8, 4, {"rate": 19.8, "limit": 20.0, "why": "learned rate"})
REPORT = CampaignReport(
    name="welcome", given=1_000, accepted=400, unknown=7, pending=593, cost=Decimal(400), input_complete=True
)


def moment(*, workers: tuple[Worker, ...] = (WORKER,), commands: tuple[Command, ...] = (), **changes: object) -> Moment:
    settings = CampaignSettings(
        **{name: changes.pop(name) for name in ("send_window", "time_zone", "start_at") if name in changes}
    )  # type: ignore[arg-type]
    report = attrs.evolve(REPORT, **changes)  # type: ignore[arg-type]
    return Moment(view=CampaignView(report, workers, 97.2), commands=commands, settings=settings, now=NOW)


def command(action: Action, phase: Phase, **limits: str) -> Command:
    return Command(1, NOW.timestamp(), "ada@web-3", action, phase, limits)


def with_status(**status: object) -> tuple[Worker, ...]:
    return (attrs.evolve(WORKER, status={**WORKER.status, **status}),)


@pytest.mark.parametrize(
    ("shown", "state", "obstacle"),
    [
        (moment(), "sending", "the rate limit of 20 requests/s"),
        (moment(pending=0), "nothing left to send", None),
        (moment(input_complete=False), "sending", "the list is not completely loaded"),
        (moment(workers=()), "no worker", "no worker runs"),
        (moment(workers=(attrs.evolve(WORKER, alive=False),)), "no worker", "web-3:4711 is dead"),
        (moment(commands=(command(Action.PAUSE, Phase.PAUSED),)), "paused", "pause of ada@web-3 at 2026-11-30"),
        (moment(commands=(command(Action.STOP, Phase.STOPPED),)), "stopped", "stop of ada@web-3 at 2026-11-30"),
        (moment(commands=(command(Action.SET, Phase.SENDING, rate="5/s"),)), "sending", "its rate of 5/s, set by ada"),
        (moment(start_at=NOW.replace(day=30, hour=12)), "sending", "its start at 2026-11-30"),
        (
            moment(send_window="10:00-18:00", time_zone="UTC"),
            "sending",
            "its send window, 10:00-18:00 UTC, which opens in 57 min",
        ),
        (
            moment(
                workers=(attrs.evolve(WORKER, in_flight=0, claimed=0),),
                send_window="10:00-18:00",
                time_zone="recipient",
            ),
            "sending",
            "on each recipient's clock",
        ),
        (moment(workers=with_status(shut_for=3.4)), "sending", "a 429, which pauses it for another 3 s"),
        (moment(workers=with_status(why=FULL)), "sending", "responses: all requests that may be in flight are"),
        (moment(workers=with_status(why=OUT_OF_REACH)), "sending", "which web-3:4711 cannot reach"),
    ],
)
def test_what_holds_it_back(shown: Moment, state: str, obstacle: str | None) -> None:
    """Commands, workers, the schedule and the limits, each in words; nothing once all is sent."""
    assert shown.state == state
    if obstacle is None:
        assert [*shown.obstacles()] == []
    else:
        assert any(obstacle in each for each in shown.obstacles()), [*shown.obstacles()]


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("height", [8, 24])
def test_a_screen_of_any_size_holds_the_keys(width: int, height: int) -> None:
    """No line is longer than the screen, and workers without a row are counted."""
    workers = tuple(attrs.evolve(WORKER, name=f"web-{n}:4711") for n in range(30))
    lines = lines_of(moment(workers=workers), width, height, note=["Not stopped."], ascii_only=True)
    assert len(lines) <= height
    assert max(map(cell_width, lines)) <= width
    assert lines[-2:] == [KEYS, "Not stopped."]
    assert lines[0].startswith("welcome: sending")
    assert "407/1,000 #" in lines[1]
    if height == 24:
        text = "\n".join(lines)
        assert "400 accepted" in text
        assert "97.2 recipients/s" in text
        assert any(line.endswith(" more") for line in lines)


def test_the_speed_is_that_of_the_last_seconds() -> None:
    """What was sent long ago does not count, so that the time left follows a new rate."""
    speed = RecentSpeed()
    assert speed.update(0.0, 100) is None
    assert speed.update(10.0, 200) == 10.0
    assert speed.update(40.0, 230) == 1.0


def test_without_a_terminal_it_names_what_works(run: Run) -> None:
    """Keys need a terminal; nothing is created."""
    refused = run("campaigns", "top", "r")
    assert (refused.code, "campaigns show prints the sums once" in refused.err) == (2, True)


class Terminal:
    """A pseudo-terminal that the command uses, and a person at it."""

    def __init__(self) -> None:
        self._ours, self._theirs = pty.openpty()
        self.stdin = os.fdopen(self._theirs, "r", closefd=False)
        self.stderr = os.fdopen(self._theirs, "w", closefd=False)
        self.before = self.mode()
        self.shown = ""

    def top(self, run: Run, *options: str) -> Result:
        """Run the command on the terminal. Its stdout is not the terminal."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdin", self.stdin)
            patch.setattr(sys, "stderr", self.stderr)
            return run("campaigns", "top", "r", *options)

    def mode(self) -> list[object]:
        return termios.tcgetattr(self._theirs)

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def follow(self, steps: list[tuple[str, Callable[[], object]]]) -> threading.Thread:
        """Wait for each text in turn, and then do what follows it; read on until the terminal is closed."""

        def read() -> None:
            left, since = list(steps), 0
            while data := self._read():
                self.shown += data
                while left and left[0][0] in self.shown[since:]:
                    since = len(self.shown)
                    left.pop(0)[1]()

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return thread

    def _read(self) -> str:
        try:
            return os.read(self._ours, 65_536).decode(errors="replace")
        except OSError:  # closed
            return ""

    def close(self) -> None:
        os.close(self._theirs)


@pytest.fixture
def terminal(
    run: Run, account: Simulator, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Terminal]:
    """Put the command on a terminal, with a campaign that no process sends."""
    monkeypatch.chdir(tmp_path)
    run("bulk", "sms", people, "--message", "Hello", "--campaign", "r", "--load-only")
    made = Terminal()
    monkeypatch.setattr(campaign_top, "_BETWEEN_VIEWS", 0.05)
    for name, value in {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)
    yield made
    made.close()


def test_keys_steer_the_campaign(run: Run, terminal: Terminal) -> None:
    """p, c, and s with its confirmation are commands in the journal; other keys are not, and q ends only the view."""
    steps = [
        ("r: no worker", lambda: terminal.type("\x1b[Axs")),
        ("s or y: stop", lambda: terminal.type("n")),
        ("Not stopped.", lambda: terminal.type("P")),
        ("r: paused. No request", lambda: terminal.type("c")),
        ("r: continued.", lambda: terminal.type("ss")),
        ("r: stopped. No request", lambda: terminal.type("pq")),
    ]
    terminal.follow(steps)
    ended = terminal.top(run, "-o", "json")
    assert (ended.code, ended.json["pending"]) == (0, 3)
    assert terminal.mode() == terminal.before
    given = run("campaigns", "show", "r", "-o", "json").json["commands"]
    assert [each["action"] for each in given] == ["pause", "continue", "stop", "pause"]


def test_ctrl_z_gives_the_terminal_back_until_the_process_continues(
    run: Run, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the process is suspended, the terminal is as before; afterwards the screen is there again."""
    kill, stopped = os.kill, []

    def suspend(process: int, number: int) -> None:
        stopped.append((number, terminal.mode() == terminal.before))
        kill(process, signal.SIGCONT)

    monkeypatch.setattr(fullscreen.os, "kill", suspend)
    steps = [
        ("r: no worker", lambda: kill(os.getpid(), signal.SIGTSTP)),
        ("\x1b[?1049h", lambda: kill(os.getpid(), signal.SIGWINCH)),
        ("r: no worker", lambda: kill(os.getpid(), signal.SIGQUIT)),
    ]
    terminal.follow(steps)
    assert terminal.top(run).code == 0
    assert stopped == [(signal.SIGSTOP, True)]
    assert terminal.mode() == terminal.before
    assert terminal.shown.count("\x1b[?1049h") == 2


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_restore_the_terminal(run: Run, terminal: Terminal, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end the view, not the campaign."""
    terminal.follow([("r: no worker", lambda: os.kill(os.getpid(), number))])
    assert terminal.top(run).code == 130
    assert terminal.mode() == terminal.before


@pytest.mark.long
def test_an_error_restores_the_terminal(run: Run, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours, too; its text comes after the screen."""

    def press(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(campaign_top.Top, "press", press)
    terminal.follow([("r: no worker", lambda: terminal.type("p"))])
    assert terminal.top(run).code == 1
    assert terminal.mode() == terminal.before


@pytest.mark.long
def test_a_journal_that_is_away_is_said_and_read_again(
    run: Run, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The view stays with its last sums until the journal is back."""
    read, reads, mended = campaign_top.read_view, itertools.count(), threading.Event()

    async def read_view(campaign: Campaign) -> object:
        if next(reads) and not mended.is_set():
            raise JournalError("the disk is gone.")
        return await read(campaign)

    monkeypatch.setattr(campaign_top, "read_view", read_view)
    told = "cannot be read: the disk is gone."
    terminal.follow([(told, mended.set), (f"{KEYS} ", lambda: None), (f"{KEYS} ", lambda: terminal.type("q"))])
    assert terminal.top(run).code == 0
    assert told not in terminal.shown.rpartition(KEYS)[2]
