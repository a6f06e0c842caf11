"""Random faults over sockets, with the ledger as witness."""

from __future__ import annotations

import pytest

from callsavvy_async.transport.backends.choose import BackendName

from .storm import storm

pytestmark = [pytest.mark.sockets, pytest.mark.every_backend, pytest.mark.long]


def test_a_storm_charges_nobody_twice_and_is_told_as_it_was(anyio_backend: str, backend: BackendName) -> None:
    """500 sends, every one faulted: one POST a call, the report is the ledger's, nothing hangs, nothing comes early."""
    summary = storm(500, seed=500, backend=backend, loop=anyio_backend)
    assert summary.faults == 0, str(summary)
    assert summary.outcomes.total() == 500
    assert {"ACCEPTED", "REJECTED", "UNKNOWN"} <= summary.outcomes.keys()
