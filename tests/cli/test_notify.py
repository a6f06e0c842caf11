"""``--notify``: a URL or a program hears of the end of a send, and of what needs a person."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from callsavvy_async.bulk.report import StopReason
from callsavvy_async.campaigns import CampaignReport
from callsavvy_async.cli import campaign_run, notify
from callsavvy_async.cli.activity import Way, new_activity
from callsavvy_async.cli.commands import REGISTRY
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.http_thread import Handler, serving
from callsavvy_async.cli.notify import Happening, Notifier, notification
from callsavvy_async.cli.options import Pace
from callsavvy_async.cli.record import Record
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.simulator import Fault, Simulator

from .harness import Run
from .test_json import faults_of

HELLO = ("--message", "Hello", "--yes", "--chunk-size", 1, "--rate", "1000/s", "--campaign", "r")


class Receiver:
    """A server that keeps what it was sent."""

    def __init__(self, status: int = 204) -> None:
        self.received: list[Any] = []
        self.status = status
        self.wait: Callable[[], object] = lambda: None

    def __call__(self, *arguments: Any) -> Handler:
        receiver = self

        class Receiving(Handler):
            def do_POST(self) -> None:  # noqa: N802 - the base class looks it up
                receiver.received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                receiver.wait()
                self.reply(receiver.status, [("location", "/elsewhere")], b"")

        return Receiving(*arguments)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def url(receiver: Receiver) -> Iterator[str]:
    with serving(receiver, host="127.0.0.1", port=0) as address:
        yield f"http://{address}/T0KEN?x=1"


def notifier_to(target: str) -> Notifier:
    notifier = Notifier.to(target)
    assert notifier is not None
    return notifier


def test_the_end_of_a_send_is_reported_with_counts(
    run: Run, account: Simulator, people: Path, receiver: Receiver, url: str
) -> None:
    """With the schema of the docs, and without a number, a text or a key. A failed delivery does not change the exit code."""
    account.faults.next("sendSMS", Fault.DROP_AFTER_READ)
    ended = run("bulk", "sms", people, *HELLO, "--max-cost", 1, "--notify", url)
    assert (ended.code, receiver.received[0]["event"]) == (4, "trouble")
    assert (receiver.received[0]["exit_code"], receiver.received[0]["stopped"]) == (4, StopReason.MAX_COST.value)
    receiver.status = 302  # followed, it would lead elsewhere
    resumed = run("campaigns", "resume", "r", "--yes", "--notify", url)
    assert resumed.code == 3
    assert "the notification by 127.0.0.1 failed: the server responded with 302." in resumed.err
    assert "T0KEN" not in resumed.err + resumed.out  # the URL may be a secret
    assert len(receiver.received) == 2
    for document in receiver.received:
        assert [*faults_of(document, "Notification")] == []
    assert (receiver.received[1]["event"], receiver.received[1]["campaign"]) == ("trouble", "r")
    worked = run("campaigns", "work", "r", "--poll", 0.01, "--notify", url)
    assert (worked.code, receiver.received[2]["event"]) == (0, "finished")
    counts = receiver.received[1]["counts"]
    assert (counts["given"], counts["accepted"], counts["unknown"], counts["skipped"]) == (5, 2, 1, 2)
    sent = json.dumps(receiver.received)
    assert not any(secret in sent for secret in ("599000", "Hello", "Ada", "http"))


@pytest.mark.long
def test_no_notification_of_what_did_not_begin(
    run: Run, account: Simulator, people: Path, receiver: Receiver, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of a send without confirmation nor of a dry run; an error before the first request is reported."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert run("bulk", "sms", people, "--message", "Hello", "--notify", url).code == 2
    refused = run("bulk", "sms", people, *HELLO, "--dry-run", "--notify", url)
    assert (refused.code, "--notify reports the end of a send" in refused.err) == (2, True)
    assert receiver.received == []
    assert run("campaigns", "resume", "x", "--yes", "--notify", url).code != 0
    assert (receiver.received[0]["error"], receiver.received[0]["counts"]) == ("JournalMissingError", None)


def test_a_program_gets_it_on_stdin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a shell; its exit code and its death are said."""
    program = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read()); sys.exit(int(sys.argv[2]))"
    written = tmp_path / "a b.json"
    notifier = notifier_to(f'{sys.executable} -S -c "{program}" "{written}" 7')
    notifier.end(CampaignReport(name="r"), ExitCode.DONE, None)
    assert json.loads(written.read_text())["event"] == "finished"
    assert "failed: it ended with exit code 7." in capsys.readouterr().err


def test_a_delivery_has_its_time(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A program that does not end is killed, and a delivery that cannot be is left behind."""
    monkeypatch.setattr(notify, "LONGEST", 0.1)
    notifier_to("sleep 60").end(None, ExitCode.FAILED, OSError())
    assert "by sleep failed: it took too long." in capsys.readouterr().err
    monkeypatch.setattr(notify, "LONGEST", -1.0)
    began = time.monotonic()
    Notifier("endless", lambda _: time.sleep(0.5)).end(None, ExitCode.FAILED, OSError())
    assert time.monotonic() - began < 0.4
    assert "by endless failed: it took too long." in capsys.readouterr().err


@pytest.mark.parametrize(
    "target",
    [
        "",
        "no-such-program --x",
        "'open",
        "ftp://a.example/x",
        "http://",
        "https://u:p@a.example/",
        "http://a.example:99999/",
    ],
)
def test_a_target_that_cannot_work_is_refused(target: str) -> None:
    """Before anything is sent, and without its text, which may hold a password."""
    with pytest.raises(InvalidRequestError, match="--notify") as refused:
        Notifier.to(target)
    assert "u:p" not in str(refused.value)


def test_what_needs_a_person_is_reported_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A pause and a lost lease, each once."""
    heard: list[Any] = []
    report = CampaignReport(name="r")

    with new_activity(Way(REGISTRY.commands["campaigns resume"])) as activity:
        activity.notifier = Notifier("n", lambda document: heard.append(json.loads(document)))
        watcher = campaign_run.Watcher(Record(journal="j.db", name="r", pace=Pace()))
        for paused, leases_lost in ((False, 0), (True, 0), (True, 0), (False, 0), (False, 1), (False, 1)):
            report.paused = paused
            watcher.look_at(report, leases_lost)
        activity.notifier.end(report, ExitCode.DONE, None)
    assert sorted(each["event"] for each in heard) == ["finished", "lease lost", "paused"]
    assert "callsavvy campaigns continue r" in capsys.readouterr().err


def test_ctrl_c_during_a_delivery_ends_the_wait(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The send has ended, so its exit code stays."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(notify.threading.Thread, "join", interrupted)
    Notifier("n", lambda _: None).end(None, ExitCode.DONE, None)
    assert "by n failed: interrupted." in capsys.readouterr().err


def test_a_notification_holds_no_number_and_no_text() -> None:
    """It has its schema also if the command failed before it read its sums. Of an error it holds the class only."""
    document = notification(Happening.TROUBLE, None, error=OSError("'Hello' to +2345990000001"))
    assert [*faults_of(document, "Notification")] == []
    assert not any(secret in json.dumps(document) for secret in ("599000", "Hello"))
