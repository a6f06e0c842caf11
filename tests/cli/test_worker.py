"""``callsavvy campaigns work`` and ``campaigns watch``: workers as programs, on real databases, against the simulator."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from callsavvy_async.cli import campaign_watch
from callsavvy_async.simulator import Simulator, SimulatorServer, serve
from testbed.servers.postgres import PostgresServer
from tests.profiles import mostly_long

from .harness import Run, environment, start

pytestmark = pytest.mark.sockets

PEOPLE = 100


class Busy:
    """A simulator that says when so many calls have come; from then on it can be held, and answers nothing."""

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self.reached, self.goes_on = threading.Event(), threading.Event()
        self.goes_on.set()
        self.simulator = Simulator(sms_balance=100_000, latency=self._latency)

    def hold(self) -> None:
        self.goes_on.clear()

    def _latency(self, _: object) -> float:
        if self.simulator.ledger.totals.requests >= self._calls:
            self.reached.set()
            assert self.goes_on.wait(60)
        return 0.05


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.txt"
    path.write_text("".join(f"+234599{n:07}\n" for n in range(PEOPLE)))
    return path


@pytest.fixture
def busy() -> Iterator[tuple[Busy, SimulatorServer]]:
    account = Busy(10)
    with serve(account.simulator) as server:
        yield account, server
        account.goes_on.set()


@pytest.fixture(params=mostly_long(["sqlite", "postgres"]))
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name an empty journal in each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'runs.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


def load(run: Run, journal: str, people: Path) -> None:
    """Write everybody into the journal, and send nothing."""
    told = ("--message", "Hello", "--campaign", "r", "--journal", journal, "--chunk-size", 1, "--load-only")
    assert run("bulk", "sms", people, *told).code == 0


def worker(journal: str, server: SimulatorServer, *options: object) -> subprocess.Popen[str]:
    return start("campaigns", "work", journal, "r", "--poll", "0.1", *options, **environment(server))


def ask(address: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:  # Python 3.14 warns of one that is left open
            return refused.code, refused.read().decode()


def address_of(program: subprocess.Popen[str]) -> str:
    assert program.stderr is not None
    line = program.stderr.readline()
    return line.partition("http://")[2].partition("/")[0]


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.long
def test_loaded_by_one_and_sent_by_another(run: Run, journal: str, people: Path, busy) -> None:
    """--load-only sends nothing; a worker sends everything, once, and ends with 0; another one finds nothing to do."""
    account, server = busy
    load(run, journal, people)
    assert not account.simulator.requests
    for _ in range(2):
        with worker(journal, server, "-o", "json", "--max-in-flight", 32) as program:
            out, err = program.communicate(timeout=60)
        assert program.returncode == 0, err
        assert json.loads(out)["result"]["accepted"] == PEOPLE
    assert len(account.simulator.ledger.charged) == PEOPLE
    assert set(account.simulator.ledger.charged.values()) == {1}


@pytest.mark.long
def test_sigterm_drains(run: Run, journal: str, people: Path, busy) -> None:
    """After SIGTERM nothing is unknown or in flight, the rest is pending, and the exit code says that it was told to."""
    account, server = busy
    account.hold()
    load(run, journal, people)
    with worker(journal, server) as program:
        assert account.reached.wait(60)
        program.send_signal(signal.SIGTERM)
        assert program.stderr is not None
        stopping = program.stderr.readline()
        account.goes_on.set()
        _, err = program.communicate(timeout=60)
    assert "stopping" in stopping
    assert program.returncode == 130, err
    shown = run("campaigns", "show", "r", "--journal", journal, "-o", "json").json
    assert (shown["unknown"], shown["in_flight"], shown["running"]) == (0, 0, False)
    assert 0 < shown["accepted"] == len(account.simulator.ledger.charged) < PEOPLE


@pytest.mark.long
def test_the_second_sigterm_abandons(run: Run, journal: str, people: Path) -> None:
    """A second one does not wait: what was on the wire is unknown, no more."""
    account = Busy(4)
    account.simulator.latency = lambda _: account.reached.set() or 20.0 if _is_send(account) else 0.0
    load(run, journal, people)
    with serve(account.simulator) as server, worker(journal, server, "--max-in-flight", 4) as program:
        until(lambda: account.simulator.ledger.posts("sendSMS") == 4)
        program.send_signal(signal.SIGTERM)
        assert program.stderr is not None
        assert "stopping" in program.stderr.readline()
        program.send_signal(signal.SIGTERM)
        program.communicate(timeout=60)
    assert program.returncode == 130
    shown = run("campaigns", "show", "r", "--journal", journal, "-o", "json").json
    assert (shown["unknown"], shown["in_flight"]) == (4, 0)


def _is_send(account: Busy) -> bool:
    return bool(account.simulator.ledger.posts("sendSMS"))


@pytest.mark.long
def test_probes_and_metrics(run: Run, journal: str, people: Path, busy) -> None:
    """With --forever it is alive but not ready before the run is there, ready while it waits, and counts its calls."""
    account, server = busy
    if journal.startswith("postgresql"):
        load_before = False
    else:
        load(run, journal, people)  # a SQLite file has one process at a time
        load_before = True
    with worker(journal, server, "--forever", "--port", 0, "--rate", "1000/s", "--max-in-flight", 16) as program:
        address = address_of(program)
        until(lambda: ask(address, "/livez")[0] == 200)
        if not load_before:
            assert ask(address, "/readyz") == (503, "no\n")
            load(run, journal, people)
        until(lambda: len(account.simulator.ledger.charged) == PEOPLE)
        counted = f'callsavvy_requests_total{{campaign="r",outcome="accepted"}} {PEOPLE}\n'
        until(lambda: counted in ask(address, "/metrics")[1])
        assert ask(address, "/readyz") == (200, "ok\n")
        assert 'callsavvy_requests_in_flight{campaign="r"} 0\n' in ask(address, "/metrics")[1]
        assert "callsavvy_requests_per_second" in ask(address, "/metrics")[1]
        assert ask(address, "/elsewhere")[0] == 404
        assert program.poll() is None
        program.send_signal(signal.SIGTERM)
        program.communicate(timeout=60)
    assert program.returncode == 130


@pytest.mark.long
def test_killed_and_finished_by_another(run: Run, postgres: PostgresServer, people: Path, busy) -> None:
    """One worker begins, a second joins, the first is killed with -9: the second finishes it, and nobody gets it twice.

    Watching shows the dead one as dead; unknown is at most what it had in flight.
    """
    account, server = busy
    journal = postgres.new_database()
    load(run, journal, people)
    with worker(journal, server, "--lease", 2, "--max-in-flight", 4, "--rate", "2/s") as first:  # is not done before
        assert account.reached.wait(60)
        with worker(journal, server, "--lease", 2, "--max-in-flight", 4, "-o", "json") as second:
            until(lambda: len(sight(run, journal)["workers"]) == 2)
            assert all(one["alive"] for one in sight(run, journal)["workers"])
            first.kill()
            first.communicate(timeout=60)
            out, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    report = json.loads(out)["result"]
    assert report["accepted"] + report["unknown"] == PEOPLE
    assert report["unknown"] <= 4
    charged = account.simulator.ledger.charged
    assert set(charged.values()) == {1}
    assert report["accepted"] <= len(charged) <= PEOPLE
    assert sight(run, journal)["workers"] == []


def sight(run: Run, journal: str) -> dict[str, list[dict[str, object]]]:
    """Look once, as ``campaigns watch -o json`` does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(campaign_watch, "time", SimpleNamespace(monotonic=time.monotonic, sleep=_no_more))
        return json.loads(run("campaigns", "watch", journal, "r", "-o", "json").out.splitlines()[0])["result"]


def _no_more(_: float) -> None:
    raise KeyboardInterrupt


@pytest.mark.long
def test_watch_names_every_worker(run: Run, postgres: PostgresServer, people: Path, busy, monkeypatch) -> None:
    """A line of sums, and a line for each worker: alive, when it wrote last, what it has in flight."""
    account, server = busy
    account.hold()
    journal = postgres.new_database()
    load(run, journal, people)

    def sleep(seconds: float) -> None:
        account.goes_on.set()  # it has looked once
        time.sleep(seconds)

    monkeypatch.setattr(campaign_watch, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    with worker(journal, server) as program:
        assert account.reached.wait(60)
        watched = run("campaigns", "watch", journal, "r", "--every", "0.2")
        program.communicate(timeout=60)
    lines = watched.out.splitlines()
    assert "settled" in lines[0]
    assert f":{program.pid} alive wrote" in lines[1]
    assert lines[-1].startswith(f"{PEOPLE} settled, 0 pending, 0 in flight, 0 unknown")
    assert watched.code == 0


@pytest.mark.parametrize("where", [(), ("a", "b", "c")])
def test_where_to_work_is_told(run: Run, account: Simulator, where) -> None:
    """Without a name, or with too much, nothing is opened."""
    result = run("campaigns", "work", *where)
    assert (result.code, result.out) == (2, "")
    assert "URL NAME" in result.err


def test_a_run_that_is_not_there(run: Run, account: Simulator, journal: str) -> None:
    """Without --forever a worker of nothing ends at once."""
    result = run("campaigns", "work", journal, "nothing")
    assert result.code == 2
    assert "there is no campaign" in result.err


@pytest.mark.long
def test_the_journal_may_be_named_by_the_environment(
    run: Run, account: Simulator, journal, people, monkeypatch
) -> None:
    """CALLSAVVY_JOURNAL keeps a password out of the list of processes."""
    monkeypatch.setenv("CALLSAVVY_JOURNAL", journal)
    assert run("bulk", "sms", people, "--message", "Hello", "--campaign", "r", "--load-only").code == 0
    assert run("campaigns", "work", "r", "--max-in-flight", 32).code == 0
    assert f"{PEOPLE} accepted" in run("campaigns", "show", "r").out
    assert len(account.ledger.charged) == PEOPLE
