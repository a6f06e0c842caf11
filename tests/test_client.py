"""The client as its user makes it."""

from __future__ import annotations

from typing import Any

import pytest

from callsavvy_async import Callsavvy, ConfigurationError, Credentials, InvalidRequestError

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
    [{"max_in_flight": 0}, {"rate": "fast"}, {"rate": "1/s", "burst": 0}, {"timeout": 0}, {"max_retries": -1}],
)
def test_settings_that_cannot_work(options: dict[str, Any]) -> None:
    """Wrong settings are told when the client is made, not with the first call."""
    with pytest.raises(ConfigurationError):
        Callsavvy(KEYS, **options)


def test_the_repr_shows_the_state_and_no_key() -> None:
    """Where to, open or closed, how it sends and what is in flight."""
    shown = repr(Callsavvy(KEYS))
    for word in ("https://api.getcallsavvy.com/v1", "open", "in_flight=0", "waiting"):
        assert word in shown
    assert "-key" not in shown


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda c: c.messaging.send_sms("+2348012345678", " "), "message is blank"),
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
