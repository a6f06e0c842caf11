"""Random servers: whatever they send, in whatever pieces, every request has one outcome, its own, in its time."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.transport.native.backend import NativeBackend
from callsavvy_async.wire.failure import ExchangeFailedError
from tests.profiles import examples

from .hostile import Peer, hostile, seen
from .test_response import mutations, sized

pytestmark = pytest.mark.sockets

ACTS = st.sampled_from(["go on", "go on", "go on", "close", "reset", "half_close"])


@examples(200)
@given(st.lists(st.tuples(mutations(), st.lists(st.integers(0, 300), max_size=3), ACTS), min_size=1, max_size=6))
def test_any_server(plan: list[tuple[bytes, list[int], str]]) -> None:
    """Each request is posted once, and after anything odd the next one has a connection of its own."""

    async def run() -> None:
        begun = acted = 0

        async def script(peer: Peer) -> None:
            nonlocal begun, acted
            while True:
                body = await peer.read_request()
                if body.startswith(b"good"):  # in the end it is a good server, which names what it answers
                    await peer.send(sized(body))
                    continue
                begun += 1
                data, cuts, act = plan[int(body)]
                try:
                    await peer.send(data, at=cuts)
                    if act != "go on":
                        getattr(peer, act)()
                        await peer.drain_all()
                        break
                finally:
                    acted += 1

        backend = NativeBackend()
        async with hostile(script) as server:
            for number in range(len(plan)):
                try:
                    answer = await server.post(backend, b"%d" % number, timeout=0.05)
                    assert answer.status_code >= 200
                except ExchangeFailedError as failure:
                    assert failure.sent == (failure.bytes_sent != 0)  # noqa: PT017 - either is right
            # A close that crosses the next request cannot be told from a crash; so here it comes first.
            await seen(lambda: acted == begun or not backend.is_open)
            for _ in range(5):
                await asyncio.sleep(0)
            for number in range(2):
                body = b"good %d" % number
                assert (await server.post(backend, body)).body == body
            posted = [body for body in server.requests if not body.startswith(b"good")]
            assert len(posted) == len(set(posted))
            await backend.aclose()

    asyncio.run(run())
