"""A journal in a temporary folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callsavvy_async.campaigns import Journal


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
async def journal(anyio_backend: object, url: str) -> AsyncIterator[Journal]:
    async with Journal.open(url, patience=0.05) as opened:
        yield opened
