"""The public names: listed once, sorted, lazy, picklable, and silent about what they carry."""

from __future__ import annotations

import ast
import importlib
import logging
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

import callsavvy_async
from callsavvy_async import Callsavvy, CallsavvyError, models
from callsavvy_async.hooks import HookEvent
from callsavvy_async.wire.codec import Codec
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.response import Envelope
from tests.profiles import trio_is_long

PACKAGE = Path(callsavvy_async.__file__).parent
WITH_LIST = [
    path for path in PACKAGE.rglob("*.py") if any("__all__" in line for line in path.read_text("utf-8").splitlines())
]


def test_every_public_name_is_there() -> None:
    """Every name of the stub is importable from its module, and `dir` shows just these."""
    names = callsavvy_async.__all__
    assert len(set(names)) == len(names) <= 60
    for name in names:
        assert getattr(callsavvy_async, name) is not None
    assert dir(callsavvy_async) == sorted(names)


def test_an_unknown_name() -> None:
    """A name that is not there is an AttributeError, as for any module."""
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = callsavvy_async.Nothing


def test_checkers_and_programs_read_the_same_names() -> None:
    """The stub, parsed as Python, re-exports what the package reads from it."""
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text("utf-8"))
    declared = {
        alias.asname: node.module for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert declared == callsavvy_async._MODULES
    assert all(isinstance(node, ast.ImportFrom) for node in tree.body)


@pytest.mark.parametrize("path", WITH_LIST, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_list_of_names_is_true(path: Path) -> None:
    """Every __all__ of the package names what exists."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
    for name in getattr(module, "__all__", []):
        assert hasattr(module, name), name


def test_importing_is_cheap() -> None:
    """Importing the package alone loads neither httpx nor cattrs, nor any optional library."""
    code = (
        "import sys, callsavvy_async; assert callsavvy_async.__version__;"
        "print([name for name in ('httpx', 'cattrs', 'attrs', 'tenacity', 'anyio', 'trio', 'rich', 'cyclopts',"
        " 'phonenumbers', 'pyarrow', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_client_needs_no_extra() -> None:
    """Importing the client loads no optional library (rich aside: httpx itself takes it where it is installed)."""
    code = (
        "import sys; from callsavvy_async import Callsavvy;"
        "print([name for name in ('trio', 'cyclopts', 'phonenumbers', 'pyarrow', 'pytest') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


MODELS = [value for value in map(vars(models).get, models.__all__) if isinstance(value, type) and attrs.has(value)]


@pytest.mark.parametrize("model", MODELS)
def test_models_are_frozen_and_picklable(model: type[Any]) -> None:
    """Every answer type has slots, cannot be changed, and survives pickling, strange fields and all."""
    row = {field.name: "7" for field in attrs.fields(model) if field.name not in {"extra", "raw"}} | {"strange": [1]}
    value = Codec().decode(Endpoint("x", model, Effect.READ), Envelope(None, None, row), b"raw")
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301
    assert type(value).__dictoffset__ == 0  # its fields are slots; `vars` shows a copy
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.extra = {}


PUBLIC_KEY, PRIVATE_KEY = "MARKED-PUBLIC-KEY", "MARKED-PRIVATE-KEY"
NUMBER, TEXT, EMAIL, NAME, LINK = "+2348012345678", "MARKED-TEXT", "marked@example.com", "MARKED-NAME", "MARKED-LINK"
MARKS = ["MARKED", "8012345678", EMAIL]

ANSWER = {
    "message_id": "m",
    "status": "sent",
    "message": TEXT,
    "subject": TEXT,
    "sender_name": NAME,
    "sender_email": EMAIL,
    "visitor_name": NAME,
    "visitor_email": EMAIL,
    "visitor_phone": NUMBER,
    "caller": NUMBER,
    "recording_url": f"https://x.example/{LINK}",
    "start_link": f"https://x.example/?s={LINK}",
    "files": f"https://x.example/{LINK}",
    "name": NAME,
    "email": EMAIL,
    "phone": NUMBER,
    "agent_email": EMAIL,
    "department_email": EMAIL,
    "assigned_number": NUMBER,
    "unknown_field": TEXT,
}


async def call_everything(client: Callsavvy) -> list[str]:
    """Make calls of every kind; return whatever a user might print of what came back."""
    calls = [
        lambda: client.messaging.send_sms(NUMBER, TEXT),
        lambda: client.messaging.send_robocall(NUMBER, duration_minutes=1, text=TEXT),
        lambda: client.messaging.send_whatsapp(NUMBER, TEXT, channel_uid="u"),
        lambda: client.tickets.create(
            department_id="d", sender_name=NAME, sender_email=EMAIL, subject=TEXT, message=TEXT
        ),
        lambda: client.tickets.reply("t", message=TEXT),
        lambda: client.tickets.list(sender_email=EMAIL),
        lambda: client.tickets.conversation("t"),
        client.calls.list,
        client.chats.list,
        client.chats.messengers,
        lambda: client.meetings.get("m"),
        lambda: client.meetings.create("t"),
        lambda: client.contacts.create(NAME, email=EMAIL, phone=NUMBER),
        client.contacts.list,
        client.account.summary,
        client.account.agents,
        client.account.departments,
        lambda: client.messaging.send_sms(f"{NUMBER},+447700900123", TEXT),
        lambda: client.messaging.send_sms(NUMBER, TEXT, extra={"recipient": NUMBER}),
        lambda: client.with_raw_response(client.account.summary),
    ]
    shown = [repr(client)]
    for call in calls:
        try:
            shown.append(repr(await call()))
        except CallsavvyError as error:
            shown += [repr(error), str(error), repr(getattr(error, "attempts", ()))]
    return shown


SCRIPTS: dict[str, list[object]] = {
    "success": [httpx.Response(200, json={"status": "success", "data": ANSWER})],
    "list": [httpx.Response(200, json={"status": "success", "data": [ANSWER]})],
    "error": [httpx.Response(422, json={"status": "error", "message": f"Invalid {NUMBER} of {EMAIL}"})],
    "failure": [httpx.Response(500, json={"status": "error", "message": f"Invalid {NUMBER} of {EMAIL}"})],
    "lost": [httpx.ReadError("connection reset")],
    "unreadable": [httpx.Response(200, text=f"<html>{TEXT} {NUMBER}</html>")],
    "limited": [httpx.Response(429, headers={"retry-after": "0.001"}), httpx.Response(401)],
}


@trio_is_long
@pytest.mark.anyio
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
async def test_nothing_personal_is_ever_shown(
    script: list[object],
    scripted: Any,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No key, number, text, name or address is in any repr, error, event or log line, at the finest level."""
    monkeypatch.setattr("random.random", lambda: 0.0)
    caplog.set_level(logging.DEBUG)
    events: list[HookEvent] = []
    transport = httpx.MockTransport(type(scripted.answers)(script))
    client = Callsavvy(
        public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, transport=transport, hooks=[events.append], rate="1000/s"
    )
    shown = await call_everything(client)
    captured = capsys.readouterr()
    everything = "\n".join([*shown, *map(repr, events), caplog.text, captured.out, captured.err])
    assert "sendSMS" in caplog.text
    for mark in MARKS:
        assert mark not in everything
