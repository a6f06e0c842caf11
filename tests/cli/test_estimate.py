"""``callsavvy estimate``: offline, unless the balance is asked for."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from callsavvy_async.simulator import Simulator

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
    assert (result.json["calls"], result.json["estimated_units"]) == (2, None)
    assert run("estimate", "whatsapp", path, "--message", "Hello", "--chunk-size", 31).code == 2


@pytest.mark.parametrize(("left", "code"), [(3, 0), (2, 4)])
def test_balance(run: Run, account: Simulator, people: Path, left: int, code: int) -> None:
    """With --balance the exit code says whether the account covers it."""
    account.world.balances = account.world.balances.less(sms=Decimal(100_000 - left))
    result = run("estimate", "sms", people, "--message", "Hello", "--balance")
    assert result.code == code
    assert run("bulk", "sms", people, "--message", "Hello", "--balance", "--dry-run").code == code


def test_balance_of_minutes(run: Run, account: Simulator, people: Path) -> None:
    """For robocalls the minutes within the country and abroad count together."""
    arguments = ("estimate", "robocall", people, "--message", "Hello", "--balance", "--json", "--duration-minutes")
    assert run(*arguments, 66_666).json["affordable"] is True
    assert run(*arguments, 66_667).json["affordable"] is False
