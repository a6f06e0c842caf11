"""Whatever is called, on whatever backend, it ends by its deadline, though the server never says a word."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from callsavvy_async import Callsavvy, CallsavvyError, FixedRate, Unlimited
from callsavvy_async.policy.pacer import Pacer
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, WHATSAPP_UID, Fault, Simulator, SimulatorServer
from callsavvy_async.transport.backends.choose import BackendName
from callsavvy_async.transport.options import RequestOptions

from .test_endpoints import CASES

pytestmark = [pytest.mark.anyio, pytest.mark.sockets, pytest.mark.every_backend]

NUMBER = "+2348012345678"
DEADLINE, LATEST = 0.5, 5.0
OPTIONS: RequestOptions = {"deadline": DEADLINE}
"""Of bulk sends, whose requests wait for the limit as long as it takes unless told otherwise."""


async def batch(client: Callsavvy, _: Simulator) -> None:
    async with client.batcher() as batching:
        await batching.send_sms(NUMBER, "Hi")


async def bulk(client: Callsavvy, _: Simulator) -> None:
    await client.bulk.sms([NUMBER], "Hi", options=OPTIONS)


ENTRIES: dict[str, Callable[[Callsavvy, Simulator], Awaitable[Any]]] = {
    **{name: case.call for name, case in CASES.items()},
    "call": lambda client, _: client.request("getSummary"),
    "with_raw_response": lambda client, _: client.with_raw_response(client.account.summary),
    "with_options": lambda client, _: client.with_options(max_retries=0).account.summary(),
    "batching": batch,
    "bulk.sms": bulk,
    "bulk.whatsapp": lambda client, _: client.bulk.whatsapp([NUMBER], "Hi", channel_uid=WHATSAPP_UID, options=OPTIONS),
}
"""Whatever leads to a request."""


@pytest.mark.parametrize(
    "pacing", [Unlimited(), FixedRate("1/h"), Unlimited(max_in_flight=1)], ids=["no limit", "rate", "in flight"]
)
async def test_nothing_hangs(
    pacing: Pacer, server: SimulatorServer, sim: Simulator, backend: BackendName, anyio_backend: str
) -> None:
    """Every entry point ends soon after its deadline: behind a silent server, and behind a limit."""
    sim.faults.rule(Fault.HANG)
    late: dict[str, float] = {}
    settings: dict[str, Any] = {"public_key": PUBLIC_KEY, "private_key": PRIVATE_KEY, "base_url": server.url}
    async with Callsavvy(**settings, backend=backend, pacing=pacing, deadline=DEADLINE) as client:

        async def watch(name: str) -> None:
            began = time.monotonic()
            with contextlib.suppress(CallsavvyError):
                await ENTRIES[name](client, sim)
            took = time.monotonic() - began
            if took > LATEST:
                late[name] = took

        with anyio.fail_after(4 * LATEST):
            async with anyio.create_task_group() as group:
                for name in ENTRIES:
                    group.start_soon(watch, name)
    assert not late
