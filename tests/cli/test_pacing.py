"""``--pacing``: commands find the limit together with other processes, on real servers; how ``campaigns watch`` shows it."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from callsavvy_async.campaigns import CampaignReport, Worker
from callsavvy_async.cli.campaign_watch import CampaignView
from callsavvy_async.cli.client import client_options
from callsavvy_async.cli.options import Pace
from callsavvy_async.policy.standalone import OUT_OF_REACH
from callsavvy_async.simulator import Simulator, serve
from testbed.servers.postgres import PostgresServer
from testbed.servers.redis import RedisServer
from tests.profiles import mostly_long

from .harness import Run, environment, start

HELLO = ("--message", "Hello", "--yes")
SECRET = "redis://me:s%2Fcret@127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# ----------------------------------------------------------------------------------------------------- the option


@pytest.mark.long
@pytest.mark.sockets
def test_a_limit_in_postgresql(run: Run, account: Simulator, people: Path, postgres: PostgresServer) -> None:
    """A send and a run that is resumed share one row, by the option or by the variable."""
    url = postgres.new_database()
    assert run("bulk", "sms", people, *HELLO, "--pacing", url).code == 0
    assert run("bulk", "sms", people, *HELLO, "--pacing", url, "--campaign", "r").code == 0
    assert run("campaigns", "resume", "r", "--yes", "--pacing", url).code == 0
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM callsavvy_pacing").fetchone() == (1,)


@pytest.mark.sockets
def test_a_limit_in_redis(
    run: Run, account: Simulator, people: Path, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable stands for the option, so that a password is seen neither in `ps` nor in a history."""
    monkeypatch.setenv("CALLSAVVY_PACING", redis.url)
    result = run("bulk", "sms", people, *HELLO)
    assert (result.code, "shared limit" in result.err) == (0, False)


@pytest.mark.long
@pytest.mark.sockets
def test_a_server_that_is_not_there(run: Run, account: Simulator, people: Path) -> None:
    """It is said, without the password, and sending goes on."""
    result = run("bulk", "sms", people, *HELLO, "--pacing", SECRET)
    assert result.code == 0
    assert result.err.count("is unavailable") == 1
    assert "cret" not in result.err + result.out
    assert len(account.ledger.charged) == 3


@pytest.mark.parametrize(
    ("command", "options", "named"),
    [
        (("bulk", "sms", "people.csv", *HELLO), ("--rate", "10/s"), ("--rate is 10/s", "--pacing")),
        (("bulk", "sms", "people.csv", *HELLO), ("--simulator",), ("--simulator", "--pacing")),
        (("bulk", "sms", "people.csv", *HELLO), ("--simulator", "--dry-run"), ("--simulator", "--pacing")),
        (("campaigns", "work", "sqlite:///r.db", "r"), ("--rate", "10/s"), ("--rate is 10/s", "--pacing")),
        (("campaigns", "resume", "r", "--yes"), ("--rate", "10/s"), ("--rate is 10/s", "--pacing")),
    ],
)
@pytest.mark.parametrize("by_variable", mostly_long([True, False]))
def test_what_contradicts_it(
    run: Run, account: Simulator, monkeypatch: pytest.MonkeyPatch, command, options, named, *, by_variable: bool
) -> None:
    """Nothing is sent, and the line says what to leave away; the URL stays untold."""
    if by_variable:
        monkeypatch.setenv("CALLSAVVY_PACING", SECRET)
    result = run(*command, *options, *(() if by_variable else ("--pacing", SECRET)))
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert all(word in result.err for word in (*named, "CALLSAVVY_PACING", "give one of the two"))
    assert "cret" not in result.err
    assert not account.requests


@pytest.mark.parametrize("url", ["10/s", "http://me:s%2Fcret@host", "redis://me:s%2Fcret@host:x"])
def test_what_is_no_url(run: Run, account: Simulator, people: Path, url: str) -> None:
    """The line shows what one looks like, and not what was given."""
    result = run("bulk", "sms", people, *HELLO, "--pacing", url)
    assert (result.code, result.out, result.err.count("\n")) == (5, "", 1)
    assert "redis://host:6379/0" in result.err
    assert "cret" not in result.err


def test_no_repr_shows_the_url() -> None:
    """Neither that of the options nor that of what is made of them."""
    pace = Pace(pacing=SECRET)
    assert "cret" not in repr(pace) + repr(client_options(pace))


@pytest.mark.long
def test_the_help_names_the_variable(run: Run) -> None:
    """And not what it holds."""
    for command in (("bulk", "sms"), ("campaigns", "work"), ("campaigns", "resume")):
        assert "CALLSAVVY_PACING" in run(*command, "--help").out


# ------------------------------------------------------------------------------------------------------ the watch


def worker(name: str, *, age: float = 1.0, alive: bool = True, **status: object) -> Worker:
    return Worker(1, name, 0.0, None, age, alive, 1, 2, status)


def sight(*workers: Worker) -> CampaignView:
    return CampaignView(CampaignReport(name="r"), workers)


def test_watch_shows_the_limit_that_workers_share() -> None:
    """As whoever wrote last knew it; a pause goes on running; who is cut off is named; the dead say nothing."""
    seen = sight(
        worker("a", age=9.0, limit=50.0, processes=3, shut_for=0.0, why="cold start, shared"),
        worker("b", age=1.5, limit=97.25, processes=3, shut_for=4.0, why="learned rate, shared"),
        worker("c", age=0.5, limit=23.0, processes=None, shut_for=0.0, why=OUT_OF_REACH),
        worker("d", alive=False, limit=1.0, processes=9, shut_for=0.0, why="learned rate, shared"),
    )
    assert (
        list(seen.lines())[1]
        == "  shared limit: 97.2 requests/s, 3 processes, paused by a 429 for 2.5 s, UNREACHABLE for c"
    )
    assert seen.as_dict()["shared_limit"] == {
        "requests_per_second": 97.25,
        "processes": 3,
        "shut_for": 2.5,
        "out_of_reach_of": ("c",),
    }
    assert seen.as_dict()["limit"] == 97.25


@pytest.mark.parametrize(
    ("workers", "line"),
    [
        ([worker("a", limit=5.0, processes=None, why="learned rate")], None),
        ([worker("a")], None),
        ([worker("a", limit=None, processes=1, why="cold start, shared")], "unknown, 1 process"),
        ([worker("a", limit=5.0, processes=None, why=OUT_OF_REACH)], "unknown, 0 processes, UNREACHABLE for a"),
    ],
)
def test_watch_where_little_is_known(workers: list[Worker], line: str | None) -> None:
    """Workers that share no limit, or know none yet, or are all cut off."""
    seen = sight(*workers)
    assert (None if seen.shared_limit is None else str(seen.shared_limit)) == line
    assert len(list(seen.lines())) == (2 if line is None else 3)


@pytest.mark.long
@pytest.mark.sockets
def test_two_workers_are_seen_to_share(run: Run, redis: RedisServer, postgres: PostgresServer, tmp_path: Path) -> None:
    """Workers, as programs of their own, tell with their heartbeats what they share."""
    people = tmp_path / "many.txt"
    people.write_text("".join(f"+234599{n:07}\n" for n in range(2000)))
    journal = postgres.new_database()
    told = ("--journal", journal, "--campaign", "r", "--chunk-size", 1, "--load-only")
    assert run("bulk", "sms", people, *HELLO, *told).code == 0
    with serve(Simulator(sms_balance=100_000, latency=lambda _: 0.1)) as server, ExitStack() as stack:
        variables = environment(server) | {"CALLSAVVY_PACING": redis.url}
        work = ("campaigns", "work", journal, "r", "--lease", 3, "--max-in-flight", 2)
        workers = [stack.enter_context(start(*work, **variables)) for _ in range(2)]
        while not run("campaigns", "show", "r", "--journal", journal, "-o", "json").json["running"]:
            assert all(program.poll() is None for program in workers)
        watching = stack.enter_context(start("campaigns", "watch", journal, "r", "--every", "0.2", "-o", "json"))
        assert watching.stdout is not None
        seen = (json.loads(line)["result"] for line in watching.stdout)
        assert any(sight["shared_limit"] and sight["shared_limit"]["processes"] == 2 for sight in seen)
        for program in (*workers, watching):
            program.send_signal(signal.SIGTERM)
        for program in (*workers, watching):
            program.communicate(timeout=60)
    assert [program.returncode for program in workers] == [130, 130]
