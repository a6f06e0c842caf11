"""The client as its user makes it."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from callsavvy_async import Callsavvy, ConfigurationError, Credentials, FixedRate, InvalidRequestError, Unlimited

KEYS = Credentials("public-key", "private-key")


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"public_key": "p"},
        {"private_key": "q"},
        {"credentials": KEYS, "public_key": "p"},
        {"credentials": KEYS, "public_key": "p", "private_key": "q"},
    ],
)
def test_one_way_to_give_the_keys(arguments: dict[str, Any]) -> None:
    """Credentials, or both keys by name: nothing in between."""
    with pytest.raises(ConfigurationError, match="give either"):
        Callsavvy(**arguments)


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """from_env reads the keys and the base URL; what is passed wins."""
    monkeypatch.setenv("CALLSAVVY_PUBLIC_KEY", "p")
    monkeypatch.setenv("CALLSAVVY_PRIVATE_KEY", "q")
    monkeypatch.setenv("CALLSAVVY_BASE_URL", "https://env.example/v1")
    assert "env.example" in repr(Callsavvy.from_env())
    assert "mine.example" in repr(Callsavvy.from_env(base_url="https://mine.example/v1"))
    monkeypatch.delenv("CALLSAVVY_PRIVATE_KEY")
    with pytest.raises(ConfigurationError, match="CALLSAVVY_PRIVATE_KEY"):
        Callsavvy.from_env()


@pytest.mark.parametrize(
    "options",
    [
        {"max_in_flight": 0},
        {"rate": "fast"},
        {"rate": "1/s", "burst": 0},
        {"timeout": 0},
        {"max_retries": -1},
        {"pacing": Unlimited(), "rate": "1/s"},
        {"pacing": Unlimited(), "burst": 2},
        {"pacing": Unlimited(), "max_in_flight": 64},
    ],
)
def test_settings_that_cannot_work(options: dict[str, Any]) -> None:
    """Wrong settings are told when the client is made, not with the first call."""
    with pytest.raises(ConfigurationError):
        Callsavvy(KEYS, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["Adaptive", "cold start", "8 in flight"]),
        ({"max_in_flight": 5}, ["Adaptive", "5 in flight"]),
        ({"rate": "600/min", "max_in_flight": 4}, ["FixedRate", "10/s", "4 in flight"]),
        ({"pacing": FixedRate("2/s", burst=3)}, ["FixedRate", "2/s"]),
        ({"pacing": Unlimited()}, ["Unlimited", "no rate"]),
    ],
)
def test_the_pacing_that_is_chosen(options: dict[str, Any], words: list[str]) -> None:
    """Without a word the limit is found; a rate is kept; a pacer of one's own is taken as it is."""
    shown = repr(Callsavvy(KEYS, **options).pacing)
    assert all(word in shown for word in words), shown


@pytest.mark.anyio
async def test_what_was_learned_is_kept_for_the_next_client(scripted: Any, ok: Any) -> None:
    """A client's state survives JSON and is restored into another; `with_options` shares it."""
    first = scripted(ok({}))
    await first.with_options(timeout=5).account.summary()
    assert first.pacing.snapshot().sent == 1
    learned = json.loads(json.dumps(attrs.asdict(first.pacing.snapshot()) | {"learned_rate": 12.5}))
    second = scripted(ok({}))
    second.pacing.restore(learned)
    assert second.pacing.snapshot().learned_rate == 12.5
    assert second.pacing.snapshot().why == "learned rate"


def test_the_repr_shows_the_state_and_no_key() -> None:
    """Where to, open or closed, how it sends and what is in flight."""
    shown = repr(Callsavvy(KEYS))
    for word in ("https://api.getcallsavvy.com/v1", "open", "Adaptive", "cold start", "0 of 8 in flight", "0 waiting"):
        assert word in shown
    assert "-key" not in shown


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda c: c.messaging.send_sms("+2348012345678", " "), "message is blank"),
        (lambda c: c.tickets.conversation(5), "ticket_id is of type int"),
        (lambda c: c.meetings.create("x", host_agent_id=5), "host_agent_id is of the type int"),
        (lambda c: c.tickets.list(status=""), "status is ''"),
        (lambda c: c.calls.list(direction=" "), "direction is ' '"),
        (lambda c: c.messaging.send_whatsapp("+2348012345678", "", channel_uid="u"), "message is blank"),
        (lambda c: c.messaging.send_robocall("+2348012345678", duration_minutes=1, text=" "), "text is blank"),
        (lambda c: c.tickets.conversation(""), "ticket_id is blank"),
        (lambda c: c.tickets.reply("t", message=" "), "message is blank"),
        (lambda c: c.meetings.get(" "), "meeting_id is blank"),
        (lambda c: c.meetings.create(""), "title is blank"),
        (lambda c: c.contacts.create(" ", email="e@x"), "name is blank"),
        (lambda c: c.contacts.delete(""), "contact_id is blank"),
    ],
)
async def test_what_the_api_requires(call: Any, names: str, scripted: Any) -> None:
    """A blank parameter that the API requires is refused by its name, and nothing is sent."""
    with pytest.raises(InvalidRequestError, match=names):
        await call(scripted())
    assert scripted.requests == []
