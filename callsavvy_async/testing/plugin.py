"""pytest plugin: a simulator, a client of it, a server of it; and a guard that keeps tests away from the real API.

It is loaded by itself where callsavvy-async and pytest are installed. Fixtures:

- `callsavvy_sim`: a fresh `Simulator`, with its ledger.
- `callsavvy`: a `Callsavvy` client of it, in process, for asyncio and trio.
- `callsavvy_server`: the same simulator on a loopback port (``callsavvy_server.url``).
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:  # imported when a fixture is used: the plugin is loaded in every test run of its users
    from callsavvy_async import Callsavvy
    from callsavvy_async.simulator import Simulator, SimulatorServer

_OPTION = "--callsavvy-real-api"
_resolve = socket.getaddrinfo


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option."""
    group = parser.getgroup("callsavvy")
    group.addoption(_OPTION, action="store_true", help="let tests reach the real Callsavvy API: it costs money")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to look up the real API's host, unless told otherwise; mocked requests never get so far."""
    if not config.getoption(_OPTION):
        socket.getaddrinfo = _guarded


def pytest_unconfigure() -> None:
    """Look up every host again."""
    socket.getaddrinfo = _resolve


def _guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
    from callsavvy_async.config import BASE_URL  # noqa: PLC0415 - see TYPE_CHECKING above

    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if isinstance(name, str) and name.rstrip(".").lower() == urlsplit(BASE_URL).hostname:
        pytest.fail(
            f"a test tried to reach the real Callsavvy API ({name}). Use the fixture callsavvy, or base_url= of"
            f" callsavvy_server; {_OPTION} lets it through, and costs money."
        )
    return _resolve(host, *args, **kwargs)


@pytest.fixture
def callsavvy_sim() -> Simulator:
    """Return a fresh simulator."""
    from callsavvy_async.simulator import Simulator  # noqa: PLC0415 - see TYPE_CHECKING above

    return Simulator()


@pytest.fixture
def callsavvy(callsavvy_sim: Simulator) -> Callsavvy:
    """Return a client of `callsavvy_sim`, in process."""
    import httpx  # noqa: PLC0415 - see TYPE_CHECKING above

    from callsavvy_async import Callsavvy  # noqa: PLC0415
    from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY  # noqa: PLC0415

    return Callsavvy(
        public_key=PUBLIC_KEY,
        private_key=PRIVATE_KEY,
        base_url=callsavvy_sim.base_url,
        allow_insecure=True,  # nothing leaves the process
        transport=httpx.ASGITransport(app=callsavvy_sim),
    )


@pytest.fixture
def callsavvy_server(callsavvy_sim: Simulator) -> Iterator[SimulatorServer]:
    """Serve `callsavvy_sim` on a free loopback port, in a thread of its own."""
    from callsavvy_async.simulator import serve  # noqa: PLC0415 - see TYPE_CHECKING above

    with serve(callsavvy_sim) as server:
        yield server
