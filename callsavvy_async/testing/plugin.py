"""pytest plugin: fixtures for the simulator, and a guard that keeps tests off the real API.

pytest loads the plugin automatically. Fixtures:

- `callsavvy_sim`: a fresh `Simulator`.
- `callsavvy`: a `Callsavvy` client of the simulator, in process, for asyncio and trio.
- `callsavvy_server`: the simulator on a loopback port (``callsavvy_server.url``).
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:  # imported by the fixtures that use them, because pytest loads the plugin in every test run
    from callsavvy_async import Callsavvy
    from callsavvy_async.simulator import Simulator, SimulatorServer

_OPTION = "--callsavvy-real-api"
_resolve = socket.getaddrinfo


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    group = parser.getgroup("callsavvy")
    group.addoption(_OPTION, action="store_true", help="allow tests to reach the real Callsavvy API, which costs money")


def pytest_configure(config: pytest.Config) -> None:
    """Block look-ups of the real API's host, unless the option allows them. Mocked requests do not look up hosts."""
    if not config.getoption(_OPTION):
        socket.getaddrinfo = _guarded


def pytest_unconfigure() -> None:
    """Remove the guard."""
    socket.getaddrinfo = _resolve


def _guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
    from callsavvy_async.config import BASE_URL  # noqa: PLC0415 - see TYPE_CHECKING above

    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if isinstance(name, str) and name.rstrip(".").lower() == urlsplit(BASE_URL).hostname:
        pytest.fail(
            f"a test tried to reach the real Callsavvy API ({name}), which costs money. Use the fixture callsavvy, or"
            f" base_url= of callsavvy_server; {_OPTION} allows it."
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
    """Serve `callsavvy_sim` on a free loopback port, in a background thread."""
    from callsavvy_async.simulator import serve  # noqa: PLC0415 - see TYPE_CHECKING above

    with serve(callsavvy_sim) as server:
        yield server
