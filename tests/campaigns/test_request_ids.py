"""The identifier of a request in the journal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from callsavvy_async import OutcomeUnknownError
from callsavvy_async.campaigns import Journal
from callsavvy_async.hooks import HookEvent, RequestSettled
from callsavvy_async.messages import SMS
from tests.profiles import trio_is_long

NUMBER = "+2348012345678"


@trio_is_long
@pytest.mark.anyio
async def test_an_unknown_chunk_or_key_names_its_request(
    scripted: Any, refusal: Callable[..., httpx.Response], tmp_path: Path
) -> None:
    """Whoever settles an unknown chunk or key finds its request in logs and traces by the identifier in its row."""
    events: list[HookEvent] = []
    client = scripted(refusal(500), hooks=[events.append], journal=f"sqlite:///{tmp_path / 'keys.db'}")
    async with Journal.open(f"sqlite:///{tmp_path / 'campaign.db'}") as journal, client:
        campaign = await journal.campaign("c", SMS("Hi"))
        await campaign.load([NUMBER])
        (result,) = [result async for result in campaign.run(client)]
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.messaging.send_sms(NUMBER, "Hi", key="order-17")
        (chunk,), (key,) = await campaign.unknown(), await (await client.keys()).unknown()
    settled = [event for event in events if isinstance(event, RequestSettled) and event.endpoint == "sendSMS"]
    assert [chunk.request_id, key.request_id] == [event.request_id for event in settled]
    assert result.request_id == chunk.request_id
    assert caught.value.request_id == key.request_id
    carried = settled[0].chunk
    assert carried is not None
    assert (carried.number, carried.recipients, carried.campaign, carried.run) == (chunk.number, 1, 1, 1)
