"""What a program pays for before its first message: only what sending takes is imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from .profiles import mostly_long

SEND = """
import asyncio, json, sys

import callsavvy_async
from callsavvy_async.transport.backends.backend import Backend
from callsavvy_async.wire.response_headers import Headers
from callsavvy_async.wire.response import HttpResponse

BODY = b'{"status":"success","data":{"message_id":"m","cost":"4","status":"sent"}}'

class Fake(Backend):
    is_open = False

    async def exchange(self, request, *, timeout, max_bytes):
        return HttpResponse(200, Headers([(b"content-type", b"application/json")]), BODY)

    async def aclose(self):
        pass

async def send():
    async with callsavvy_async.Callsavvy(public_key="p", private_key="k") as client:
        client._transport.shared.backend = Fake()
        receipt = await client.messaging.send_sms("+2348012345678", "Hello")
        assert receipt.message_id == "m" and receipt.raw == BODY

asyncio.run(send())
print(json.dumps(sorted(sys.modules)))
"""

NOT_TO_SEND = {
    *["cattrs", "tenacity", "trio"],  # a witness of tests; failures; another event loop
    *["aiohttp", "cyclopts", "fastapi", "opentelemetry", "phonenumbers", "pyarrow", "pytest", "starlette"],  # extras
    *["httpx", "httpcore", "h11", "certifi", "email.utils"],  # the other backend
    *["sqlite3", "xml", "unittest", "concurrent.futures.process", "multiprocessing"],
    *(
        f"callsavvy_async.{part}"
        for part in ("bulk", "campaigns", "cli", "embeds", "integrations", "simulator", "testing")
    ),
}


def modules(code: str, *hidden: str) -> set[str]:
    """Run a program; return what it imported. `hidden` libraries cannot be."""
    hiding = f"import sys; sys.modules.update(dict.fromkeys({hidden!r}))\n"
    done = subprocess.run([sys.executable, "-c", hiding + code], capture_output=True, text=True, check=True, timeout=60)
    return {name for name in json.loads(done.stdout.splitlines()[-1]) if name not in hidden}


@pytest.mark.parametrize(
    "hidden", mostly_long([("rich", "click"), ("rich", "click", "orjson", "msgspec")]), ids=["speed", "stdlib"]
)
def test_a_first_send(hidden: tuple[str, ...]) -> None:
    """A client that was made and has sent one message took in nothing that sending does not need."""
    found = modules(SEND, *hidden)
    assert sorted(found & NOT_TO_SEND) == []


def test_the_libraries_of_speed_wait_for_their_use() -> None:
    """The library orjson comes with the first request and msgspec with the first answer, not with the client."""
    found = modules("import json, callsavvy_async; callsavvy_async.Callsavvy; print(json.dumps(sorted(sys.modules)))")
    assert not found & {"orjson", "msgspec"}
