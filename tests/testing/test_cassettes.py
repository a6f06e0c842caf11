"""A cassette holds neither keys nor personal data, and plays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
import vcr

from callsavvy_async import Callsavvy, RequestError
from callsavvy_async.redaction import MASK
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Fault, Simulator, SimulatorServer
from callsavvy_async.testing.cassettes import cassette_settings

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.sockets,
    pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True),  # vcrpy patches httpx, whatever the loop
]
T = TypeVar("T")
NUMBER, TEXT = "+2348012345678", "Your order is ready."


async def played(server: SimulatorServer, cassette: Path, use: Callable[[Callsavvy], Awaitable[T]]) -> tuple[T, T]:
    """Return what a request gives while it is recorded, and while its cassette plays."""

    async def run(mode: str) -> T:
        with vcr.VCR(**cassette_settings()).use_cassette(str(cassette), record_mode=mode):  # type: ignore[no-untyped-call]
            async with Callsavvy(
                public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=server.url, max_retries=0
            ) as callsavvy:
                return await use(callsavvy)

    return await run("once"), await run("none")


async def test_a_send(server: SimulatorServer, sim: Simulator, tmp_path: Path) -> None:
    """Keys, number and text are masked; the receipt plays unchanged, and nothing is sent again."""
    cassette = tmp_path / "send.yaml"
    recorded, replayed = await played(server, cassette, lambda client: client.messaging.send_sms(NUMBER, TEXT))
    assert replayed == recorded
    assert sim.ledger.charged_count(NUMBER) == 1
    text = cassette.read_text("utf-8")
    assert not [word for word in (PUBLIC_KEY, PRIVATE_KEY, NUMBER[1:], TEXT, "ready") if word in text]


async def test_a_list(server: SimulatorServer, tmp_path: Path) -> None:
    """Personal fields of a response are masked; ids play unchanged."""
    cassette = tmp_path / "contacts.yaml"
    recorded, replayed = await played(server, cassette, lambda client: client.contacts.list())
    text = cassette.read_text("utf-8")
    for real, masked in zip(recorded, replayed, strict=True):
        assert (masked.contact_id, masked.group_id) == (real.contact_id, real.group_id)
        assert masked.name == MASK
        assert real.name not in text


async def test_what_is_not_json(server: SimulatorServer, sim: Simulator, tmp_path: Path) -> None:
    """A page of a gateway may repeat what was sent, so none of it is recorded."""
    sim.faults.next("sendSMS", Fault.with_status(502, body="html"))
    cassette = tmp_path / "page.yaml"

    async def fails(client: Callsavvy) -> int | None:
        with pytest.raises(RequestError) as caught:
            await client.messaging.send_sms(NUMBER, TEXT)
        return caught.value.status_code

    assert await played(server, cassette, fails) == (502, 502)
    assert "<html" not in cassette.read_text("utf-8").lower()
