"""What all tests share: event loops, backends, virtual time, the simulator on sockets, and a client without sockets."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from callsavvy_async import Callsavvy
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, SimulatorServer, serve
from callsavvy_async.testing.virtual_time import virtual_time_backend
from callsavvy_async.transport.backends.choose import BackendName

_TESTBED = Path(__file__).parents[1] / "testbed"

if "testbed" not in sys.modules:  # imported from its folder: the source tree must not be on the path of a tested wheel
    spec = importlib.util.spec_from_file_location("testbed", _TESTBED / "__init__.py")
    assert spec is not None
    sys.modules["testbed"] = importlib.util.module_from_spec(spec)

from testbed.servers.postgres import PostgresServer  # noqa: E402
from testbed.servers.redis import RedisServer  # noqa: E402

from . import profiles  # noqa: E402, F401


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--loop``: the same tests on another event loop of asyncio (``nox`` runs the suites of outcomes on each)."""
    loops = ("asyncio", "uvloop", "eager", "uvloop-eager")
    text = "what runs where a test asks for asyncio in real time; eager tasks need Python 3.12, uvloop the package"
    parser.addoption("--loop", choices=loops, default="asyncio", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Put the chosen event loop behind `asyncio.run`, `asyncio.Runner` and anyio, which name none."""
    chosen = config.getoption("--loop")
    if chosen != "asyncio":
        asyncio.events.new_event_loop = functools.partial(_make_loop, chosen, asyncio.new_event_loop)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run files in this process, and folders on all cores: two workers more than cores, since many wait for servers."""
    if all(Path(argument.partition("::")[0]).is_file() for argument in config.args):
        return 0
    return 2 + (os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without searching the growing heap for garbage, and never search it again: 40 % of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what reaches into an event loop that is not there, instead of skipping it."""
    if "uvloop" in config.getoption("--loop"):
        left_out = [item for item in items if item.get_closest_marker("inside_asyncio")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def _make_loop(chosen: str, make: Callable[[], asyncio.AbstractEventLoop]) -> asyncio.AbstractEventLoop:
    if "uvloop" in chosen:
        import uvloop  # noqa: PLC0415 - not on every platform

        make = uvloop.new_event_loop
    loop = make()
    if "eager" in chosen:
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore] # since 3.12
    return loop


@pytest.fixture(scope="session", autouse=True)
def _state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what journals remember, and stored keys, out of the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Run every async test on asyncio and on trio, in real time."""
    return request.param


EVERY_BACKEND = (
    ("asyncio", "native"),
    ("asyncio", "httpx"),
    ("asyncio", "httpx2"),
    ("asyncio", "aiohttp"),
    ("trio", "httpx"),
)
"""Event loops, and what can carry requests on them."""
QUICK_BACKENDS = (("asyncio", "native"), ("asyncio", "aiohttp"), ("trio", "httpx"))
"""One for each adapter of ours: the quick suite runs these, and the long one the others too."""


def marks_of(pair: tuple[str, str]) -> tuple[pytest.MarkDecorator, ...]:
    """Return the marks of what runs over these."""
    return () if pair in QUICK_BACKENDS else (pytest.mark.long,)


@pytest.fixture
def backend() -> BackendName:
    """Return the backend of clients that talk to a socket: the one that users get, if they do not choose."""
    return "auto"


def named_by(function: pytest.Function) -> set[str]:
    """Return the parameters that a test gives itself."""
    marks = function.iter_markers("parametrize")
    return {
        name for mark in marks for name in (mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0])
    }


@pytest.hookimpl(tryfirst=True)  # before the parameters of `anyio_backend` itself are taken
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests with the mark ``every_backend`` over every backend, on the event loops on which it runs."""
    names = ("anyio_backend", "backend")
    chosen = metafunc.definition.get_closest_marker("every_backend") and not named_by(metafunc.definition) & {*names}
    if chosen and {*names} <= {*metafunc.fixturenames}:
        every = [pytest.param(*pair, id="-".join(pair), marks=marks_of(pair)) for pair in EVERY_BACKEND]
        metafunc.definition.add_marker(pytest.mark.parametrize(names, every, indirect=["anyio_backend"]))


@pytest.fixture(params=["asyncio", "trio"])
def virtual_time(request: pytest.FixtureRequest) -> object:
    """Return a backend in virtual time; a module that wants it overrides ``anyio_backend`` with it."""
    return virtual_time_backend(request.param)


@pytest.fixture
def sim() -> Simulator:
    """Make a simulator with plenty of balance."""
    return Simulator(sms_balance=100_000, local_balance=100_000, international_balance=100_000)


@pytest.fixture
def server(sim: Simulator) -> Iterator[SimulatorServer]:
    """Serve `sim` on a loopback socket."""
    with serve(sim) as running:
        yield running


@pytest.fixture
async def client(anyio_backend: object, backend: BackendName, server: SimulatorServer) -> AsyncIterator[Callsavvy]:
    """Open a client of the simulator over sockets, with `backend`."""
    async with Callsavvy(
        public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=server.url, timeout=10, backend=backend
    ) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL; a test that wants an empty database asks it for one."""
    with PostgresServer() as running:
        yield running


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """Run a Redis."""
    with RedisServer() as running:
        yield running


class Answers:
    """A scripted API below httpx: answers or raises what the script says, one item per request, the last for ever."""

    def __init__(self, script: Sequence[object]) -> None:
        self.script = list(script)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        item = self.script[min(len(self.requests), len(self.script)) - 1]
        if callable(item):
            item = item(request)
        if isinstance(item, BaseException):
            raise item
        assert isinstance(item, httpx.Response)
        # A response object may be given out several times, so each request gets its own copy.
        return httpx.Response(item.status_code, headers=item.headers, content=item.content)


class Scripted:
    """Makes clients over scripts, and closes them."""

    def __init__(self) -> None:
        self.answers = Answers([])

    def __call__(self, *script: object, **options: Any) -> Callsavvy:
        self.answers = Answers(script)
        return Callsavvy(
            public_key=PUBLIC_KEY,
            private_key=PRIVATE_KEY,
            transport=httpx.MockTransport(self.answers),
            **options,
        )

    @property
    def requests(self) -> list[httpx.Request]:
        return self.answers.requests


@pytest.fixture
def scripted() -> Scripted:
    """Make clients that talk to a script instead of a server."""
    return Scripted()


def _envelope(data: object = None, *, status: str = "success", message: str | None = None) -> dict[str, object]:
    body: dict[str, object] = {"resource": "any", "status": status}
    if data is not None:
        body["data"] = data
    if message is not None:
        body["message"] = message
    return body


@pytest.fixture
def ok() -> Callable[..., httpx.Response]:
    """Build the API's success answer."""
    return lambda data=None: httpx.Response(200, json=_envelope(data))


@pytest.fixture
def refusal() -> Callable[..., httpx.Response]:
    """Build the API's error answer."""

    def build(status: int, message: str = "no", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.Response(status, json=_envelope(status="error", message=message), headers=named)

    return build
