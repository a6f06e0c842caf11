"""What every engine's job does; by real engines, on a real PostgreSQL and a real Redis: tests/cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsavvy_async import SMS, Callsavvy
from callsavvy_async.campaigns import Journal
from callsavvy_async.integrations.taskqueue import CampaignStoppedError, run_campaign
from tests.profiles import trio_is_long

pytestmark = pytest.mark.sockets

PEOPLE = [f"+234599{n:07}" for n in range(60)]


async def load(journal: str) -> None:
    async with Journal.open(journal) as opened:
        await (await opened.campaign("c", SMS("Hello"), chunk_size=1)).load(PEOPLE)


@pytest.mark.long
@trio_is_long
async def test_a_job_that_cannot_go_on_fails(anyio_backend: object, client: Callsavvy, tmp_path: Path) -> None:
    """A campaign that stops early fails its job and says why; one that is through returns its sums, also once more."""
    journal = f"sqlite:///{tmp_path / 'j.db'}"
    await load(journal)
    with pytest.raises(CampaignStoppedError, match="max_cost"):
        await run_campaign(journal, "c", client=lambda: client, max_cost=5)
    for _ in range(2):
        assert (await run_campaign(journal, "c", client=lambda: client, max_in_flight=32))["accepted"] == 60
