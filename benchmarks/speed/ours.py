"""The client under test with each of its backends, and the backends alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.speed.answers import NUMBER, TEXT
from benchmarks.speed.target import Call, Target
from callsavvy_async import Callsavvy, Credentials, Unlimited

KEYS = Credentials("public", "private")


def connect(target: Target, backend: str = "auto", **options: Any) -> Callsavvy:
    """Make a client like a user."""
    settings = {"backend": backend, "pacing": Unlimited(max_in_flight=target.in_flight), **options}
    if target.secure:
        settings["verify"] = target.context()
    return Callsavvy(KEYS, base_url=f"{target.url}/v1", **settings)


@asynccontextmanager
async def sdk(target: Target, backend: str) -> AsyncIterator[Call]:
    """Send through the client."""
    async with connect(target, backend) as callsavvy:
        yield _send(callsavvy)


@asynccontextmanager
async def paced(target: Target) -> AsyncIterator[Call]:
    """Send through a client with the default pacing, which finds the limit."""
    async with connect(target, pacing=None) as callsavvy:
        yield _send(callsavvy)


@asynccontextmanager
async def borrowed(target: Target) -> AsyncIterator[Call]:
    """Send through the client over a user's httpx client."""
    import httpx  # noqa: PLC0415 - only one contestant needs it

    verify = target.context() if target.secure else True
    async with (
        httpx.AsyncClient(verify=verify) as user,
        Callsavvy(
            KEYS, base_url=f"{target.url}/v1", pacing=Unlimited(max_in_flight=target.in_flight), http_client=user
        ) as callsavvy,
    ):
        yield _send(callsavvy)


@asynccontextmanager
async def alone(target: Target, backend: str) -> AsyncIterator[Call]:
    """Repeat the client's exchange with its backend, without the client."""
    async with connect(target, backend) as callsavvy:
        exchange = await recorded(callsavvy, _send(callsavvy))

        async def call() -> None:
            await exchange()

        yield call


@asynccontextmanager
async def no_io(target: Target) -> AsyncIterator[Call]:
    """Send through the client over a backend that returns a fixed response."""
    async with connect(target) as callsavvy:
        shared = callsavvy._transport.shared  # noqa: SLF001 - beneath the public interface
        answer = await (await recorded(callsavvy, _send(callsavvy)))()
        await shared.backend.aclose()
        shared.backend = _Answering(answer)
        yield _send(callsavvy)


async def recorded(callsavvy: Callsavvy, call: Call) -> Callable[[], Awaitable[object]]:
    """Send one request and return a function that repeats its exchange."""
    shared = callsavvy._transport.shared  # noqa: SLF001 - beneath the public interface
    recorder = _Recorder(shared.backend)
    shared.backend = recorder
    await call()
    shared.backend = recorder.backend
    args, kwargs = recorder.asked
    return lambda: recorder.backend.exchange(*args, **kwargs)


class _Recorder:
    """Records the exchange of one request with a backend."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.asked: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    async def exchange(self, *args: Any, **kwargs: Any) -> Any:
        self.asked = (args, kwargs)
        return await self.backend.exchange(*args, **kwargs)


class _Answering:
    """A backend without I/O."""

    is_open = False

    def __init__(self, answer: object) -> None:
        self.answer = answer

    async def exchange(self, *_: object, **__: object) -> object:
        return self.answer

    async def aclose(self) -> None:
        """Do nothing."""


def _send(callsavvy: Callsavvy) -> Call:
    send_sms = callsavvy.messaging.send_sms

    async def call() -> None:
        await send_sms(NUMBER, TEXT)

    return call
