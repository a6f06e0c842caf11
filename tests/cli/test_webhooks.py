"""``callsavvy webhooks``: a secret, a receiver, a sender."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import anyio
import httpx
import pytest

from callsavvy_async.campaigns import Journal
from callsavvy_async.campaigns.inbox import MOST_ATTEMPTS
from callsavvy_async.simulator.webhooks import EVENTS

from .harness import Run, start


def test_secret(run: Run) -> None:
    """Each secret is new, and `serve` takes it."""
    first, second = run("webhooks", "secret"), run("webhooks", "secret")
    assert first.code == 0
    assert first.out != second.out
    assert len(first.out.strip()) == 43


@pytest.mark.long
@pytest.mark.sockets
def test_serve_and_trigger(run: Run) -> None:
    """Every event that `trigger` posts is printed by `serve` as a line of JSON; chatbots get the given text."""
    server = start("webhooks", "serve", "--bot-text", "Open till five")
    assert server.stderr is not None
    url = server.stderr.readline().removeprefix("callback URL: ").strip()
    try:
        answers = {name: run("webhooks", "trigger", name, "--url", url) for name in EVENTS}
        stranger = httpx.post(f"{url}x", content=b'{"event": "newChat"}')
        giant = httpx.post(url, content=b'{"event": "newChat"'.ljust(300_000))
        getter = httpx.get(url)
    finally:
        server.send_signal(signal.SIGINT)
        printed, _ = server.communicate(timeout=60)
    assert server.returncode == 0
    assert [answer.code for answer in answers.values()] == [0] * len(EVENTS)
    assert json.loads(answers["callerInformation"].out)["status"] == "success"
    assert answers["chatbotCallback"].out == "Open till five\n"
    assert [json.loads(line)["name"] for line in printed.splitlines()] == list(EVENTS)
    assert (stranger.status_code, giant.status_code, getter.status_code) == (404, 413, 405)


@pytest.mark.long
@pytest.mark.sockets
def test_trigger_with_fields(run: Run) -> None:
    """Fields given replace those of the sample; a server's refusal is exit code 1."""
    server = start("webhooks", "serve", "--secret", "a-secret-of-a-fair-length")
    assert server.stderr is not None
    url = server.stderr.readline().removeprefix("callback URL: ").strip()
    assert url.endswith("/a-secret-of-a-fair-length")
    try:
        told = run("webhooks", "trigger", "newChat", "--url", url, "--field", "visitor_name=Bola=B", "--field", "x=")
        refused = run("webhooks", "trigger", "newChat", "--url", f"{url}/x")
    finally:
        server.send_signal(signal.SIGTERM)
        printed, _ = server.communicate(timeout=60)
    assert (told.code, refused.code) == (0, 1)
    assert json.loads(printed)["visitor_name"] == "Bola=B"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("newChat", "--url", "nowhere"), 2, "http or https URL"),
        (("newChat", "--url", "http://127.0.0.1:1/", "--field", "x"), 2, "name=value"),
        (("newChat", "--url", "http://127.0.0.1:1/"), 2, "refused"),
        (("moonRose", "--url", "http://127.0.0.1:1/"), 2, "chatbotCallback"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], code: int, told: str, run: Run) -> None:
    """A mistake is one line that tells the fix."""
    result = run("webhooks", "trigger", *arguments)
    assert result.code == code
    assert told in result.err
    assert len(result.err.splitlines()) == 1


def test_weak_secret(run: Run) -> None:
    """A secret that is easily guessed is refused and not shown."""
    result = run("webhooks", "serve", "--secret", "letmein")
    assert result.code == 5
    assert "letmein" not in result.err


def test_dead_letters_are_listed_and_replayed(run: Run, tmp_path: Path) -> None:
    """The list shows keys and reasons, without the events."""
    file = tmp_path / "sends.db"

    async def fail() -> str:
        async with Journal.open(f"sqlite:///{file}") as journal:
            await journal.inbox.add(b"secret", None, None)
            (event,) = await journal.inbox.take(1)
            for attempts in range(1, MOST_ATTEMPTS + 1):
                await journal.inbox.failed(type(event)(event.key, b"", None, attempts), "ValueError at app.py:7")
            return event.key

    assert run("webhooks", "dead", "--journal", str(file)).code != 0  # there is no journal yet
    key = anyio.run(fail)
    listed = run("webhooks", "dead", "--journal", str(file))
    assert listed.code == 1
    _, line = listed.out.splitlines()
    assert line.startswith(f"{key}  20")
    assert line.endswith("Z  ValueError at app.py:7")
    assert run("webhooks", "replay", key, "--journal", str(file)).out == "1 event to be handled again\n"
    assert run("webhooks", "dead", "--journal", str(file)).code == 0
