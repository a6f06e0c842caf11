"""``callsavvy estimate``: offline, unless the balance is asked for."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from callsavvy_async.bulk.bulk import Bulk
from callsavvy_async.cli.client import _minutes_for
from callsavvy_async.resources.account import Summary
from callsavvy_async.simulator import Simulator
from callsavvy_async.simulator.state import Balances

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


@pytest.mark.parametrize(
    ("local", "abroad", "assigned", "balance", "covers"),
    [
        (2, 1, "+2342013300000", "3", True),  # two in Nigeria, one in Kenya, a minute each
        (2, 500, "+2342013300000", "502", True),
        (1, 500, "+2342013300000", "2", False),
        (500, 0, "+2342013300000", "2", False),
        (1, 2, "+254201234567", "3", True),  # an account in Kenya
        (3, 0, "", "0", False),  # nobody knows what is local: only what both cover is sure
        (3, 4, "", "3", True),
    ],
)
def test_balance_of_minutes(
    run: Run, account: Simulator, tmp_path: Path, local: int, abroad: int, assigned: str, balance: str, covers: bool
) -> None:
    """Minutes within the country and abroad are kept apart, by the country of the account's own number."""
    people = tmp_path / "people.txt"
    people.write_text("+2348012345678\n+2348023456789\n+254712345678\n")
    account.world.assigned_number = assigned
    account.world.balances = minutes(local, abroad)
    result = run(
        *("estimate", "robocall", people, "--message", "Hello", "--balance", "--json", "--duration-minutes", 1)
    )
    assert (result.json["balance"], result.json["affordable"], result.code) == (balance, covers, 0 if covers else 4)
    account.world.balances = minutes(99, 99)
    assert run("estimate", "robocall", people, "--message", "Hello", "--balance", "--duration-minutes", 1).code == 0


def test_whatsapp_has_no_balance(run: Run, account: Simulator, people: Path) -> None:
    """What is at hand for WhatsApp is not documented, so nothing is compared."""
    sent = ("bulk", "whatsapp", people, "--message", "Hello", "--channel-uid", "TEST-whatsapp", "--balance", "--json")
    assert run(*sent, "--dry-run").json["affordable"] is None


def test_a_balance_that_is_no_number() -> None:
    """Minutes that the API calls "Unlimited" are compared with nothing."""
    plan = Bulk.plan(["+2348012345678"], "Hello", channel="robocall", duration_minutes=1)
    assert _minutes_for(plan, Summary(outbound_international_call_balance=Decimal(5))) is None


def minutes(local: int, abroad: int) -> Balances:
    """Make balances of minutes."""
    return Balances(sms=Decimal(0), local=Decimal(local), international=Decimal(abroad), inbound=Decimal(0))
