"""``callsavvy estimate``: offline, unless the balance is asked for."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from callsavvy_async.simulator import Simulator
from tests.profiles import mostly_long

from .harness import Run


def test_offline(run: Run, people: Path) -> None:
    """The plan is worked out without keys, and tells what makes a message expensive."""
    result = run("estimate", "sms", people, "--message", "“Hello”")
    assert result.code == 0
    assert "UCS-2 is forced by" in result.out
    assert "row 5: invalid" in result.out


def test_json(run: Run, people: Path) -> None:
    """With --json it is one object; figures that may be fractions are texts."""
    result = run("estimate", "robocall", people, "--message", "Hello", "--duration-minutes", "1.5", "--json")
    assert result.json["recipients"] == 3
    assert result.json["estimated_units"] == "4.5"
    assert result.json["affordable"] is None


def test_whatsapp_chunks(run: Run, tmp_path: Path) -> None:
    """WhatsApp is planned in calls of 30, and its cost cannot be told."""
    path = tmp_path / "many.txt"
    path.write_text("".join(f"+234599{n:07}\n" for n in range(31)))
    result = run("estimate", "whatsapp", path, "--message", "Hello", "--json")
    assert (result.json["requests"], result.json["most_requests"], result.json["estimated_units"]) == (2, 2, None)
    assert run("estimate", "whatsapp", path, "--message", "Hello", "--chunk-size", 31).code == 2


@pytest.mark.parametrize(("left", "code"), [(3, 0), (2, 4)])
def test_balance(run: Run, account: Simulator, people: Path, left: int, code: int) -> None:
    """With --balance the exit code says whether the account covers it."""
    account.world.balances = account.world.balances.less(sms=Decimal(100_000 - left))
    result = run("estimate", "sms", people, "--message", "Hello", "--balance")
    assert result.code == code
    assert run("bulk", "sms", people, "--message", "Hello", "--balance", "--dry-run").code == code


def test_balance_of_minutes(run: Run, account: Simulator, people: Path) -> None:
    """Only the smaller of local and international minutes is sure to cover a robocall: which is charged is not documented."""
    arguments = ("estimate", "robocall", people, "--message", "Hello", "--balance", "--json", "--duration-minutes")
    assert run(*arguments, 33_333).json["affordable"] is True
    assert run(*arguments, 33_334).json["affordable"] is False


@pytest.mark.parametrize("output", mostly_long([("--json",), ()]), ids=["json", "text"])
@pytest.mark.parametrize(
    "message",
    [
        ("sms", "--message", "“Hello”", "--chunk-size", "2"),
        ("sms", "--template", "Hi {name}, {x|y}"),
        ("whatsapp", "--message", "Hello"),
        ("robocall", "--message", "Hello", "--duration-minutes", "1.5"),
        ("robocall", "--audio-url", "https://a.example/b.mp3", "--duration-minutes", "1"),
    ],
    ids=" ".join,
)
def test_it_is_the_dry_run_of_bulk(run: Run, people: Path, message: tuple[str, ...], output: tuple[str, ...]) -> None:
    """Both print the same, and refuse the same."""
    channel, *options = message
    estimated = run("estimate", channel, people, *options, *output)
    tried = run("bulk", channel, people, *options, "--dry-run", *output)
    assert (estimated.code, estimated.out, estimated.err) == (tried.code, tried.out, tried.err)


def test_requests_of_a_campaign_are_known(run: Run, tmp_path: Path) -> None:
    """A campaign is cut when it is loaded, so that its plan names one number where that of a plain send names two."""
    path = tmp_path / "many.txt"
    path.write_text("".join(f"+234599{n:07}\n" for n in range(300)))
    plain = run("bulk", "sms", path, "--message", "Hello", "--dry-run").out
    durable = run("bulk", "sms", path, "--message", "Hello", "--dry-run", "--campaign", "r").out
    told_apart = run("bulk", "sms", path, "--message", "Hello", "--dry-run", "--campaign", "r", "--reconcilable").out
    assert "in 4 to 12 requests" in plain
    assert "in 3 requests" in durable
    assert "in 4 requests" in told_apart
