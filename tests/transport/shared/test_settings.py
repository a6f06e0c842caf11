"""How a client is told to share its limit, and what it does with that."""

from __future__ import annotations

import os
import sys
import uuid

import anyio
import pytest

from callsavvy_async import Adaptive, Callsavvy, ConfigurationError, Credentials, FixedRate, SharedPacing
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, SimulatorServer
from callsavvy_async.transport.rate_limiters import RateLimiters
from callsavvy_async.transport.shared import redis as redis_rows
from tests.profiles import mostly_long, trio_is_long

URL = "redis://me:secret@host:6379/3?key=secret"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host",
        "http://host",
        "redis://",
        "redis:///0",
        "redis://[host",
        "redis://me:secret@h:x",
        "10/s",
        "postgresql://me:a@secret@h/jobs",
    ],
)
def test_a_url_that_cannot_be_one(url: str) -> None:
    """It is refused before anything is opened, and not shown: it may hold a password."""
    with pytest.raises(ConfigurationError, match="must look like redis://") as caught:
        Callsavvy(Credentials.SANDBOX, pacing=url)
    assert "secret" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    """Neither by the settings nor by what is made of them."""
    shared = SharedPacing(URL)
    client = Callsavvy(Credentials.SANDBOX, pacing=shared)
    for shown in (repr(shared), repr(client), repr(client.pacing)):
        assert "secret" not in shown
    assert "redis://host:6379/3" in repr(shared)


@pytest.mark.parametrize("settings", [{"block": 0}, {"share": 0.0}, {"share": "often"}])
def test_settings_that_cannot_work(settings: dict[str, object]) -> None:
    """The error names the value."""
    with pytest.raises(ConfigurationError):
        SharedPacing(URL, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [("valkey://host", "coredis", "redis"), ("postgresql://host/jobs", "psycopg", "postgres")],
)
def test_an_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch, url: str, package: str, extra: str) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"callsavvy_async.transport.shared.{extra}", raising=False)
    with pytest.raises(ConfigurationError, match=rf"pip install 'callsavvy-async\[{extra}\]'"):
        Callsavvy(Credentials.SANDBOX, pacing=url)


def test_endpoints_apart() -> None:
    """One object under two names is one limit; limits that are not shared stand beside it; headers part nothing."""
    voice = SharedPacing(URL, local=FixedRate("1/s"))
    pacing = RateLimiters(
        {"sendRobocall": voice, "sendWhatsapp": voice, "sendSMS": URL, "getSummary": FixedRate("1/s")}, "account"
    )
    assert pacing.limiter("sendRobocall") is pacing.limiter("sendWhatsapp") is not pacing.limiter("sendSMS")
    assert isinstance(pacing.limiter("anything").pacer, Adaptive)
    assert pacing.snapshot().groups["sendRobocall"].rate == 1.0
    whole = RateLimiters(URL, "account")
    for number, resource in enumerate(("sendSMS", "getSummary")):
        whole.observe_headers(resource, f'"{number}";q=1')
    assert whole.limiter("sendSMS") is whole.limiter("getSummary")


def test_the_row_is_the_same_in_whatever_order_limits_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or processes that share the account would not share its limit. Equal URLs are limits apart, as their endpoints."""
    rows = set[str]()
    monkeypatch.setattr(redis_rows, "connect", lambda url, row, process: rows.add(row))
    voice = SharedPacing(URL)
    told = {"sendRobocall": voice, "sendWhatsapp": voice, "sendSMS": URL, "*": URL}
    for names in (list(told), list(reversed(told))):
        pacing = RateLimiters({name: told[name] for name in names}, "account")
        for fetcher in pacing._clients:
            fetcher._connect()
        assert pacing.limiter("sendSMS") is not pacing.limiter("getSummary")
    assert len(rows) == 3


def test_a_fork_is_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers forked from one that has made the client would pass for one, and each spend the whole limit in an outage."""
    processes = set[str]()
    monkeypatch.setattr(redis_rows, "connect", lambda url, row, process: processes.add(process))
    (fetcher,) = RateLimiters(URL, "account")._clients
    for pid in (1, 1, 2):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        fetcher._connect()
    assert len(processes) == 2


def _client(url: str, server: SimulatorServer, name: str, public_key: str = PUBLIC_KEY) -> Callsavvy:
    pacing = SharedPacing(url, local=FixedRate("50/s"), name=name)
    return Callsavvy(public_key=public_key, private_key=PRIVATE_KEY, base_url=server.url, pacing=pacing)


@trio_is_long
@pytest.mark.anyio
@pytest.mark.sockets
@pytest.mark.parametrize("on", mostly_long(["redis", "postgres"]))
async def test_two_clients_share_a_limit(
    anyio_backend: object, on: str, redis, postgres, server: SimulatorServer
) -> None:
    """Sixty calls of two clients at 50/s take as long as those of one; another account is not held up."""
    url, name = redis.url if on == "redis" else postgres.new_database(), uuid.uuid4().hex

    async def calls(client: Callsavvy, count: int) -> None:
        for _ in range(count):
            await client.account.summary()

    began = anyio.current_time()
    async with _client(url, server, name) as one, _client(url, server, name) as other:
        async with anyio.create_task_group() as group:
            for client in (one, other):
                for _ in range(3):
                    group.start_soon(calls, client, 10)
        assert anyio.current_time() - began >= 59 / 50 - 0.06
        assert one.pacing.snapshot().why == "fixed rate, shared"
