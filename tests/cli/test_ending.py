"""How commands end: whatever becomes of their output, the exit code and the sums are those of what was done."""

from __future__ import annotations

import errno
import io
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callsavvy_async.cli import bulk, main, reading, sending, writing
from callsavvy_async.cli.activity import EFFECTS, Activity, Way
from callsavvy_async.cli.commands import REGISTRY
from callsavvy_async.simulator import PRIVATE_KEY, Fault, Simulator, SimulatorServer, serve
from callsavvy_async.wire.endpoint import Effect
from tests.profiles import mostly_long

from .harness import Run, commands, environment, sample_arguments

ADA = "+2345990000001"
HELLO = ("--message", "Hello", "--yes", "--chunk-size", "1", "--rate", "1000/s")

COMMANDS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("api",): ("sendSMS", "-d", f"recipient={ADA}", "-d", "message=Hello"),
    ("campaigns", "list"): (),
    ("campaigns", "show"): ("r",),
    ("campaigns", "resume"): ("r", "--yes", "--max-cost", "2"),
    ("campaigns", "work"): ("r",),
    ("campaigns", "top"): ("r",),
    ("campaigns", "pause"): ("r", "--wait", "0"),
    ("campaigns", "continue"): ("r", "--wait", "0"),
    ("campaigns", "stop"): ("r", "--wait", "0"),
    ("campaigns", "set"): ("r", "--rate", "10/s", "--wait", "0"),
    ("campaigns", "unknown"): ("r",),
    ("campaigns", "resolve"): ("r", "1", "--sent"),
    ("campaigns", "reconcile"): ("r",),
    ("campaigns", "report"): ("r", "rows.csv"),
    ("campaigns", "verify"): ("r",),
    ("campaigns", "purge"): ("r", "--yes"),
    ("campaigns", "backup"): ("copy.db",),
    ("campaigns", "watch"): ("r", "--every", "0.01"),
    ("keys", "unknown"): (),
    ("keys", "resolve"): ("k", "--sent"),
    ("keys", "trust"): (),
    ("suppress", "add"): ("+2345990000009",),
    ("suppress", "remove"): ("+2345990000009",),
    ("suppress", "list"): (),
    ("outbox", "sql"): (),
    ("outbox", "work"): ("--until-empty", "--outbox", "shop.db"),
    ("outbox", "show"): ("--outbox", "shop.db"),
    ("outbox", "retry"): ("--outbox", "shop.db"),
    ("webhooks", "dead"): (),
    ("webhooks", "replay"): (),
    ("completion",): ("bash",),
    ("doctor",): (),
    ("login",): ("--public-key", "TEST-public", "--private-key-file", "private-key.txt"),
    ("logout",): (),
    ("profiles",): (),
    ("tickets", "export"): ("tickets.csv", "--start", "2026-11-01", "--end", "2026-11-30"),
    ("calls", "export"): ("calls.csv", "--start", "2026-11-01", "--end", "2026-11-30"),
    ("chats", "export"): ("chats.csv", "--start", "2026-11-01", "--end", "2026-11-30"),
    ("meetings", "export"): ("meetings.csv", "--start", "2026-11-01", "--end", "2026-11-30"),
    ("webhooks", "secret"): (),
    ("webhooks", "trigger"): ("newChat", "--url", "http://127.0.0.1:9/x"),
}
"""What a command needs, where its signature does not say it."""
BY_SIGNATURE = {module.__name__ for module in (bulk, reading, sending, writing)}
"""Modules whose commands take what their signatures say."""
SERVERS = {("simulator",), ("webhooks", "serve")}
"""Commands that send nothing and do not end by themselves."""
DURABLE = ("people.csv", *HELLO, "--campaign", "s")


def test_every_command_is_tried() -> None:
    """A new command fails here until it is in one of these modules, or in the table."""
    tried = {words for words, command in commands() if command.__module__ not in BY_SIGNATURE}
    assert tried == set(COMMANDS) | SERVERS


def every_command(account: Simulator) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield the words and the arguments of every command that ends by itself."""
    for words, command in commands():
        if command.__module__ in BY_SIGNATURE:
            unasked = HELLO[2:] if words[0] == "bulk" else ()
            yield words, [*words, *sample_arguments(command, account.world), *unasked]
        elif words not in SERVERS:
            yield words, [*words, *COMMANDS[words]]
    yield ("bulk", "sms", "--campaign"), ["bulk", "sms", *DURABLE]


class Failing(io.StringIO):
    """A stream that takes nothing."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._error = OSError(number, os.strerror(number))

    def write(self, text: str) -> int:
        raise self._error

    def flush(self) -> None:
        raise self._error


def full() -> Failing:
    return Failing(errno.ENOSPC)


def without_reader() -> Failing:
    return Failing(errno.EPIPE)


def gone() -> Failing:
    return Failing(errno.EIO)


def closed() -> None:
    return None


def western() -> io.TextIOWrapper:
    """A stream of the encoding of a Western European console, which lacks most characters."""
    return io.TextIOWrapper(io.BytesIO(), encoding="cp1252", write_through=True)


def fine() -> io.StringIO:
    return io.StringIO()


Make = Callable[[], io.TextIOBase | None]
WAYS: dict[str, tuple[Make, Make]] = {
    "stdout on a full disk": (full, fine),
    "stdout without a reader": (without_reader, fine),
    "stdout closed": (closed, fine),
    "stdout in cp1252": (western, fine),
    "stderr gone": (fine, gone),
    "stderr closed": (fine, closed),
    "both on a full disk": (full, full),
    "both without a reader": (without_reader, without_reader),
    "both closed": (closed, closed),
    "terminal gone": (gone, gone),
}


@pytest.fixture
def here(tmp_path: Path, people: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in the folder of the list, beside the file of a private key."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "private-key.txt").write_text(f"{PRIVATE_KEY}\n")
    return tmp_path


def attempt(way: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    """Run a command with such streams; return its exit code and what came out of the streams that work."""
    streams = [make() for make in WAYS[way]]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        code = main(arguments)
    return code, *(text_of(stream) for stream in streams)


def text_of(stream: io.TextIOBase | None) -> str:
    if isinstance(stream, io.TextIOWrapper):
        return stream.buffer.getvalue().decode(stream.encoding)
    return "" if stream is None or isinstance(stream, Failing) else stream.getvalue()


def changes(account: Simulator) -> int:
    """Count the requests that change or cost something, as the server saw them."""
    return sum(account.ledger.posts(name) for name, effect in EFFECTS.items() if effect is not Effect.READ)


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_exit_code_2_means_that_nothing_was_sent(
    way: str, run: Run, account: Simulator, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over every command: whatever becomes of its output, 2 is never said once a request has left, and nothing is repeated."""
    account.faults.next("sendSMS", Fault.DROP_AFTER_READ)
    assert run("bulk", "sms", "people.csv", *HELLO, "--campaign", "r", "--max-cost", "1").code == 4  # two are left
    wrong, sent = [], 0
    for words, arguments in every_command(account):
        before = changes(account)
        code, out, err = attempt(way, arguments, monkeypatch)
        made = changes(account) - before
        sent += made > 0
        if made and code not in {0, 1, 4}:
            wrong.append((words, code, made, out, err))
        if re.search(r"run it again|try again", out + err):
            wrong.append((words, out, err))
    assert not wrong
    assert sent >= len(EFFECTS) // 2


@pytest.mark.parametrize("json", mostly_long([False, True]))
@pytest.mark.parametrize("durable", mostly_long([False, True]))
@pytest.mark.parametrize("way", WAYS)
def test_the_sums_come_out_somewhere(
    way: str, durable: bool, json: bool, account: Simulator, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On stdout, else on stderr, else in a file beside the list; and the exit code is 0 only when stdout took them."""
    options = (("--campaign", "r") if durable else ()) + (("-o", "json") if json else ())
    code, out, err = attempt(way, ["bulk", "sms", "people.csv", *HELLO, *options], monkeypatch)
    beside = [path.read_text() for path in here.glob("callsavvy-result-*.txt")]
    where = [
        name for name, text in (("out", out), ("err", err), *(("file", text) for text in beside)) if has_sums(text)
    ]
    stdout, stderr = WAYS[way]
    expected = "out" if stdout in {fine, western} else "err" if stderr is fine else "file"
    assert where == [expected]
    assert code == (0 if expected == "out" else 1)
    assert account.ledger.charged == dict.fromkeys(["+2345990000001", "+2345990000002", "+2345990000003"], 1)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in here.glob("callsavvy-result-*.txt"))


def has_sums(text: str) -> bool:
    return "3 accepted" in text or '"accepted": 3' in text


def test_the_receipt_of_a_single_send_comes_out_too(
    account: Simulator, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the API answered is not lost with the output: the id of the message stands on stderr."""
    code, out, err = attempt("stdout on a full disk", ["send", "sms", ADA, "--message", "Hello"], monkeypatch)
    assert (code, out) == (1, "")
    assert "cannot write to standard output (No space left on device)" in err
    assert "message_id" in err


def test_what_stdout_cannot_encode_is_escaped(account: Simulator, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in another script, on a console that lacks it, is no error; JSON stays JSON."""
    attempt("stdout in cp1252", ["contacts", "create", "\u0416\u00e9", "--email", "a@example.org"], monkeypatch)
    code, out, _ = attempt("stdout in cp1252", ["contacts", "list"], monkeypatch)
    assert (code, "\\u0416\u00e9" in out) == (0, True)
    code, out, _ = attempt("stdout in cp1252", ["contacts", "list", "-o", "json"], monkeypatch)
    assert (code, "\\u0416\\u00e9" in out) == (0, True)


def test_a_result_that_no_folder_takes_is_no_reason_to_fail(
    account: Simulator, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing left that could be written, the exit code still tells."""
    monkeypatch.setattr(os, "open", refuse_results(os.open))
    assert attempt("both on a full disk", ["send", "sms", ADA, "--message", "Hello"], monkeypatch)[0] == 1
    assert len(account.ledger.charged) == 1


def refuse_results(really_open: Callable[..., int]) -> Callable[..., int]:
    def open_others(path: object, *rest: object, **named: object) -> int:
        if "callsavvy-result" in str(path):
            raise OSError(errno.ENOSPC, "full")
        return really_open(path, *rest, **named)

    return open_others


def test_a_bug_after_a_request_left_is_no_refusal(
    run: Run, account: Simulator, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that means "refused" before anything left means something else afterwards, and the requests are counted."""

    def fail(*_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "gone")

    monkeypatch.setattr("callsavvy_async.cli.sending.show_one", fail)
    result = run("send", "sms", ADA, "--message", "Hello")
    assert result.code == 1
    assert "requests of this command: 1 accepted" in result.err


def fill_the_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_both_errors_are_told(run: Run, account: Simulator, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends badly and a report that cannot be written: neither hides the other, and the sums are there."""
    monkeypatch.setattr("callsavvy_async.bulk.report.Sums.check", lambda sums: sums.accepted and 1 / 0)
    monkeypatch.setattr("callsavvy_async.campaigns.campaign.writer_of", lambda _: fill_the_disk)
    result = run("bulk", "sms", "people.csv", *HELLO, "--report", "report.csv")
    assert result.code == 1
    assert "3 accepted" in result.out
    assert re.search(r"report\.csv: No space left.*before that: unexpected ZeroDivisionError", result.err)


def test_requests_that_never_settled_are_unknown() -> None:
    """What began and was not heard of again counts as unknown; a read counts as nothing."""
    from callsavvy_async.transport.hooks import RequestStarted, RequestWaiting  # noqa: PLC0415

    activity = Activity(Way(REGISTRY.commands["balance"]))
    activity.note(RequestStarted("getSummary", request_id="1"))
    activity.note(RequestWaiting("sendSMS", 1.0, "cold start", request_id="2"))
    assert activity.nothing_done
    activity.note(RequestStarted("someNewResource", request_id="3"))
    assert (activity.unknown, activity.nothing_done) == (1, False)


# ---------------------------------------------------------------------------------------------------- real processes


def program(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "callsavvy_async", *map(str, arguments)]


@pytest.fixture
def hangup() -> Iterator[None]:
    """Give SIGHUP its usual meaning, which the programs inherit: ``nohup`` and the like take it away from the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


class Watched:
    """A simulator that takes its time to answer, and says when so many requests were made."""

    def __init__(self, count: int, seconds: float) -> None:
        self.reached = threading.Event()
        self._count, self._seconds = count, seconds
        self.simulator = Simulator(latency=self._latency)

    def _latency(self, _: object) -> float:
        if self.simulator.ledger.posts("sendSMS") >= self._count:
            self.reached.set()
        return self._seconds


@pytest.mark.long
@pytest.mark.sockets
@pytest.mark.parametrize(
    "redirection", mostly_long([">/dev/full", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "| true"])
)
@pytest.mark.parametrize(
    "command",
    mostly_long([("bulk", "sms", "people.csv", *HELLO, "--campaign", "r"), ("send", "sms", ADA, "--message", "H")]),
)
def test_descriptors_that_are_closed_or_full(
    server: SimulatorServer, sim: Simulator, here: Path, redirection: str, command: tuple[str, ...]
) -> None:
    """As a shell makes them: everything is sent once, the journal is sound, and no traceback is left behind."""
    line = f'"$@" {redirection}; exit ${{PIPESTATUS[0]}}'
    ended = subprocess.run(
        ["bash", "-c", line, "bash", *program(*command)],
        env=os.environ | environment(server),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode in {0, 1}, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert set(sim.ledger.charged.values()) == {1}
    assert len(sim.ledger.charged) == (3 if "bulk" in command else 1)


@pytest.mark.long
@pytest.mark.sockets
@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.usefixtures("hangup")
def test_a_terminal_that_goes_away(here: Path, ignored: bool) -> None:
    """Its SIGHUP drains as SIGTERM does; under nohup everybody is reached. Both leave a report that equals the ledger."""
    people = here / "many.txt"
    people.write_text("".join(f"+234599{n:07}\n" for n in range(40)))
    watched = Watched(2, 0.05)
    with serve(watched.simulator) as server:
        command = program("bulk", "sms", people, *HELLO, "--report", here / "rows.csv", "--max-in-flight", 2)
        child, terminal = pty.fork()
        if child == 0:  # pragma: no cover - another program from here on
            if ignored:
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
            os.execve(  # noqa: S606 - no shell is wanted
                command[0], command, os.environ | environment(server) | {"TERM": "xterm"}
            )
        assert watched.reached.wait(60)
        os.close(terminal)
        _, status = os.waitpid(child, 0)
    outcomes = [line.split(",")[2] for line in (here / "rows.csv").read_text().splitlines()[1:]]
    charged = watched.simulator.ledger.charged
    assert set(charged.values()) == {1}
    assert (outcomes.count("accepted"), outcomes.count("unknown")) == (len(charged), 0)
    assert outcomes.count("accepted") + outcomes.count("pending") == 40
    assert os.waitstatus_to_exitcode(status) == (1 if ignored else 130)
    assert (len(charged) == 40) is ignored
    assert any(f"{len(charged)} accepted" in path.read_text() for path in here.glob("callsavvy-result-*.txt"))


@pytest.mark.long
@pytest.mark.sockets
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("hangup")
def test_a_single_send_waits_for_its_answer(here: Path, number: signal.Signals) -> None:
    """The first signal lets a request on the wire end: what is known of it is said, and the exit code is its own."""
    watched = Watched(1, 1.0)
    with (
        serve(watched.simulator) as server,
        subprocess.Popen(
            program("send", "sms", ADA, "--message", "Hello"),
            env=os.environ | environment(server),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as sending,
    ):
        assert watched.reached.wait(60)
        sending.send_signal(number)
        out, err = sending.communicate(timeout=60)
    assert sending.returncode == 0
    assert "message_id" in out
    assert "waiting for requests in flight" in err


@pytest.mark.long
@pytest.mark.sockets
def test_a_second_signal_makes_it_unknown(here: Path) -> None:
    """Who does not wait is told that nothing is known of the request."""
    watched = Watched(1, 60.0)
    with (
        serve(watched.simulator) as server,
        subprocess.Popen(
            program("send", "sms", ADA, "--message", "Hello"),
            env=os.environ | environment(server),
            stderr=subprocess.PIPE,
            text=True,
        ) as sending,
    ):
        assert watched.reached.wait(60)
        sending.send_signal(signal.SIGTERM)
        assert sending.stderr is not None
        assert "stopping" in sending.stderr.readline()
        sending.send_signal(signal.SIGTERM)
        err = sending.stderr.read()
        sending.wait(60)
    assert sending.returncode == 3
    assert "1 unknown" in err
