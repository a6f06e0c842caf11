"""The ASGI door: bodies in pieces, lying lengths, slow and vanishing clients, the lifespan."""

from __future__ import annotations

from collections.abc import MutableMapping

import anyio
import pytest

from callsavvy_async.webhooks import CallSummary, Webhooks

pytestmark = pytest.mark.anyio

SECRET = "a-secret-of-a-fair-length"
BODY = b'{"event": "callSummary"}'
Message = MutableMapping[str, object]


class Exchange:
    """One ASGI request whose body comes as scripted; at the script's end the client waits for ever."""

    def __init__(self, *chunks: bytes | None, more: bool = False, **scope: object) -> None:
        self.scope: Message = {
            "type": "http",
            "method": "POST",
            "path": f"/hooks/{SECRET}",
            "root_path": "/hooks",
            "headers": [],
            "client": ("127.0.0.1", 5),
            **scope,
        }
        self._script: list[Message] = [
            {"type": "http.disconnect"} if chunk is None else {"type": "http.request", "body": chunk, "more_body": True}
            for chunk in chunks
        ]
        if self._script and not more:
            self._script[-1]["more_body"] = False
        self.read = 0
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if not self._script:
            await anyio.sleep_forever()
        self.read += 1
        return self._script.pop(0)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def run(self, hooks: Webhooks) -> object:
        await hooks(self.scope, self.receive, self.send)
        return self.sent[0].get("status") if self.sent else None


@pytest.fixture
def hooks() -> Webhooks:
    """Make webhooks with one secret."""
    return Webhooks(secrets=[SECRET])


async def test_body_in_pieces(hooks: Webhooks) -> None:
    """A body is the sum of its pieces, empty ones included."""
    seen: list[CallSummary] = []

    @hooks.on(CallSummary)
    async def keep(event: CallSummary) -> None:
        seen.append(event)

    assert await Exchange(b"", BODY[:7], b"", BODY[7:], b"").run(hooks) == 200
    assert [event.raw for event in seen] == [BODY]


@pytest.mark.parametrize("length", [None, b"1", b"-5", b"much", b"\xb2"])
async def test_cap_holds_whatever_the_length_says(hooks: Webhooks, length: bytes | None) -> None:
    """A body is cut at the cap while it is read, also when its length is not told or told wrong."""
    chunk = b" " * 65_536
    headers = [] if length is None else [(b"content-length", length)]
    endless = Exchange(*[chunk] * 100, more=True, headers=headers)
    assert await endless.run(hooks) == 413
    assert endless.read == 5


@pytest.mark.parametrize("length", [b"262145", b"9" * 5_000])
async def test_declared_giant_is_not_read(hooks: Webhooks, length: bytes) -> None:
    """A body that says itself that it is too large is refused unread."""
    giant = Exchange(BODY, headers=[(b"content-length", length)])
    assert await giant.run(hooks) == 413
    assert giant.read == 0


async def test_stranger_is_not_read(hooks: Webhooks) -> None:
    """No byte of a body is read before the secret is right."""
    stranger = Exchange(BODY, path="/hooks/x")
    assert await stranger.run(hooks) == 404
    assert stranger.read == 0


async def test_slow_client_is_given_up() -> None:
    """A body that does not come in time is answered 408."""
    hooks = Webhooks(secrets=[SECRET], body_timeout=0.05)
    assert await Exchange(b"{", more=True).run(hooks) == 408


async def test_vanished_client_is_not_answered(hooks: Webhooks) -> None:
    """A client that closes amid its body gets no answer, and nothing is handled."""
    assert await Exchange(b"{", None).run(hooks) is None


@pytest.mark.parametrize(
    ("path", "root_path", "status"),
    [
        (f"/hooks/{SECRET}", "/hooks", 200),
        (f"/{SECRET}", "/hooks", 200),
        (f"/{SECRET}", "", 200),
        (f"/app/hooks/{SECRET}", "/app/hooks", 200),
        (f"/hooks/{SECRET}", "", 404),
        (f"/hooks/{SECRET}/", "/hooks", 200),
        (f"/hooks/{SECRET}//", "/hooks", 404),
        ("", "", 404),
    ],
)
async def test_mounts(hooks: Webhooks, path: str, root_path: str, status: int) -> None:
    """The secret is found below the mount, as servers of the new and of the old reading of `root_path` tell it."""
    assert await Exchange(BODY, path=path, root_path=root_path).run(hooks) == status


async def test_client_without_address(hooks: Webhooks) -> None:
    """A server on a UNIX socket tells no address; that is no error."""
    assert await Exchange(BODY, client=None).run(hooks) == 200


async def test_websockets_are_closed(hooks: Webhooks) -> None:
    """Anything but HTTP is turned away."""
    exchange = Exchange(type="websocket")
    await exchange.run(hooks)
    assert exchange.sent == [{"type": "websocket.close"}]


async def test_lifespan_drains_before_it_is_complete(hooks: Webhooks) -> None:
    """Served by itself: started on startup, and shut down only when what was acknowledged is done."""
    order: list[object] = []
    started, stop = anyio.Event(), anyio.Event()
    script = [started, stop]

    @hooks.on(CallSummary)
    async def slow(event: CallSummary) -> None:
        await anyio.sleep(0.02)
        order.append("handled")

    async def receive() -> Message:
        await script.pop(0).wait()
        return {"type": "lifespan"}

    async def send(message: Message) -> None:
        order.append(message["type"])

    async with anyio.create_task_group() as server:
        server.start_soon(hooks, {"type": "lifespan"}, receive, send)
        started.set()
        await anyio.wait_all_tasks_blocked()
        assert await Exchange(BODY).run(hooks) == 200
        order.append("acknowledged")
        stop.set()
    assert order == ["lifespan.startup.complete", "acknowledged", "handled", "lifespan.shutdown.complete"]
