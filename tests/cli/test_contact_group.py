"""``callsavvy bulk --group``: a contact group of the account as the list."""

from __future__ import annotations

import pytest

from callsavvy_async.simulator import Simulator

from .harness import Run

HELLO = ("--template", "Hi {name}", "--yes")


@pytest.fixture
def vip(account: Simulator) -> str:
    """Return the id of the group VIP, to which three people belong, one without a number."""
    world = account.world
    key = next(key for key, group in world.groups.items() if group["name"] == "VIP")
    world.contacts.clear()
    for number, group in enumerate([key, key, "another"]):
        phone = f"+234599000000{number}"
        world.contacts[f"c{number}"] = {"contact_id": f"c{number}", "name": "Ada", "phone": phone, "group_id": group}
    world.contacts["c9"] = {"contact_id": "c9", "name": "Eve", "phone": "", "email": "e@a.example", "group_id": key}
    return key


@pytest.mark.parametrize("by", ["name", "id"])
def test_the_people_of_a_group_get_the_message(run: Run, account: Simulator, vip: str, by: str) -> None:
    """The plan names the group, its fields fit a template, and people without a number are left out with the reason."""
    group = "VIP" if by == "name" else vip
    result = run("bulk", "sms", "--group", group, *HELLO)
    assert result.code == 0, result.err
    assert account.ledger.charged == {"+2345990000000": 1, "+2345990000001": 1}
    assert f"List: contact group {group!r} (JSON), 3 rows, numbers from column" in result.err
    assert "Skipped: 1 row (1 invalid)" in result.err


def test_a_group_is_planned(run: Run, account: Simulator, vip: str) -> None:
    """Estimates and dry runs read it too, and send nothing."""
    assert "Recipients: 2 messages" in run("estimate", "sms", "--group", "VIP", "--message", "Hello").out
    assert "Recipients: 2 messages" in run("bulk", "sms", "--group", "VIP", "--message", "Hello", "--dry-run").out
    assert not account.ledger.charged


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ((), "give either a list, FILE, or a contact group"),
        (("people.csv", "--group", "VIP"), "give either a list, FILE, or a contact group"),
        (("--group", "VIPs"), "no contact group 'VIPs'; it has: 'Demo List One', 'VIP'."),
        (("--group", "VIP", "--sheet", "a"), "--sheet is about a file"),
        (("--group", "VIP", "--only", "pending"), "--only is about a file"),
        (("--group", "Demo List One"), "no recipients in contact group 'Demo List One'"),
    ],
)
def test_what_is_no_group_is_refused(run: Run, account: Simulator, vip: str, arguments, rule: str) -> None:
    """The error names what there is, and nothing is sent."""
    result = run("bulk", "sms", *arguments, "--message", "Hello", "--yes")
    assert result.code == 2
    assert rule in result.err
    assert not account.ledger.charged


def test_a_name_of_two_groups_is_refused(run: Run, account: Simulator, vip: str) -> None:
    """Which of them is meant is not guessed: the error gives their ids."""
    account.world.groups["other"] = {"name": "VIP", "group_id": "other"}
    result = run("bulk", "sms", "--group", "VIP", *HELLO)
    assert result.code == 2
    assert f"2 contact groups are named 'VIP'; give the id of one: {vip}, other." in result.err


def test_contacts_of_other_groups_are_refused(
    run: Run, account: Simulator, vip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the API ignores the group, nobody gets the message."""
    from callsavvy_async.resources.contacts import Contacts  # noqa: PLC0415

    everybody = Contacts.list
    monkeypatch.setattr(Contacts, "list", lambda self, group_id=None: everybody(self))
    result = run("bulk", "sms", "--group", "VIP", *HELLO)
    assert result.code == 2
    assert "the API returned contacts of other groups than 'VIP'" in result.err
    assert not account.ledger.charged
