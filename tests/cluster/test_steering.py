"""Random commands to workers that are killed and suspended, in short form; at length: `steering.py`."""

from __future__ import annotations

import pytest

from .steering import steer

pytestmark = [pytest.mark.sockets, pytest.mark.long]


def test_no_request_begins_after_a_confirmed_pause() -> None:
    """By the times of the server's ledger; nobody is lost or reached twice, and every command is confirmed."""
    steering = steer(30, seed=3)
    assert steering.good, str(steering)
    assert len(steering.silences) > 5, str(steering)
    assert steering.verdict.happened["kill -9"], str(steering)
