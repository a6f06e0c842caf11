"""Where no file can be opened any more, what is known of a request that left is still said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .no_files import TRICKS

pytestmark = pytest.mark.sockets

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("loop", "backend"),
    [
        ("asyncio", "native"),
        *(
            pytest.param(*pair, marks=pytest.mark.long)
            for pair in [("asyncio", "httpx"), ("asyncio", "aiohttp"), ("trio", "httpx")]
        ),
    ],
)
def test_no_module_can_be_imported(loop: str, backend: str) -> None:
    """No outcome depends on a module that is imported after the request has left."""
    command = [sys.executable, "-m", "tests.hostile.no_files", loop, backend]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["said"] == {name: outcome for name, (_, outcome) in TRICKS.items()}
    assert found["asked"]  # else nothing was tried
