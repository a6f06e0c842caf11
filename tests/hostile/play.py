"""Play cases against one backend, and list what was said that the server knows to be otherwise.

python -m tests.hostile.play           prints a table: backends, event loops, plaintext and TLS
"""

from __future__ import annotations

import itertools
import logging
import ssl
import sys
import time
from collections.abc import AsyncIterator, Mapping, Set as AbstractSet
from contextlib import asynccontextmanager

import aiohttp
import anyio
import attrs
import httpx
import trustme

from callsavvy_async import Callsavvy, RequestError, Unlimited
from callsavvy_async.transport.native.backend import NativeBackend

from .server import Entry, Server
from .tricks import (
    CASES,
    LONGEST_REQUEST,
    LONGEST_RESPONSE,
    TRUE,
    UNKNOWN,
    Case,
    cut_in_response,
    reset_in_request,
    truth,
)

CARRIERS = {
    "asyncio": ("native", "httpx", "aiohttp", "AsyncClient", "ClientSession"),
    "trio": ("httpx", "AsyncClient"),
}
"""Event loops, and what carries requests on them: backends by name, and what users bring."""
KEYS = {"public_key": "TEST-public", "private_key": "TEST-private"}
WARM = "the request before"


@attrs.frozen
class Combination:
    """What the cases are played against."""

    loop: str
    carrier: str
    secure: bool

    def __str__(self) -> str:
        return f"{self.carrier}-{self.loop}-{'tls' if self.secure else 'plain'}"


COMBINATIONS = [
    Combination(loop, carrier, secure)
    for loop, carriers in CARRIERS.items()
    for carrier in carriers
    for secure in (False, True)
]


class Tls:
    """A certificate authority and the settings of both sides."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self.server)
        self.client = ssl.create_default_context()
        authority.configure_trust(self.client)


@asynccontextmanager
async def opened(combination: Combination, server: Server, tls: Tls, **options: object) -> AsyncIterator[Callsavvy]:
    """Open a client."""
    settings = {**KEYS, "base_url": server.url, "pacing": Unlimited(), "max_retries": 0, **options}
    verify = tls.client if combination.secure else True
    if combination.carrier == "AsyncClient":
        async with httpx.AsyncClient(verify=verify) as own, Callsavvy(http_client=own, **settings) as client:
            yield client
    elif combination.carrier == "ClientSession":
        connector = aiohttp.TCPConnector(ssl=verify)
        async with aiohttp.ClientSession(connector=connector) as own, Callsavvy(session=own, **settings) as client:
            yield client
    else:
        one = NativeBackend(verify=verify, max_connections=1) if combination.carrier == "native" else None
        own = {"backend": one} if one else {"backend": combination.carrier, "verify": verify}
        async with Callsavvy(**own, **settings) as client:
            yield client


async def send(client: Callsavvy, number: str, timeout: float = 5.0) -> tuple[str, str | None]:
    """Send to a number; return the outcome, and whose receipt it was."""
    try:
        receipt = await client.messaging.send_sms(number, "hello", timeout=timeout, deadline=None)
    except RequestError as error:
        return error.outcome.name, None
    return "ACCEPTED", receipt.message_id


def contradiction(number: str, outcome: str, receipt: str | None, entry: Entry) -> str | None:
    """Say what is wrong about an outcome, given the server's ledger."""
    if entry.read > 1 or entry.charged > 1:
        return f"was sent {entry.read} times"
    if outcome == "ACCEPTED" and (entry.charged != 1 or receipt != f"id{number}"):
        return f"is ACCEPTED with {receipt}, charged {entry.charged} times"
    if outcome == "REJECTED" and entry.charged:
        return "is REJECTED, and was charged"
    if outcome == "NOT_SENT" and entry.read:
        return "is NOT_SENT, and was read whole"
    return None


async def _play(combination: Combination, cases: Mapping[str, Case], tls: Tls) -> list[str]:
    server = Server(tls.server if combination.secure else None)
    numbers = (f"+23480{number:08}" for number in itertools.count())
    faults: list[str] = []

    async def step(client: Callsavvy, name: str, outcomes: AbstractSet[str], timeout: float = 5.0) -> None:
        number = next(numbers)
        outcome, receipt = await send(client, number, timeout)
        wrong = contradiction(number, outcome, receipt, server.ledger.get(number, Entry()))
        allowed = {truth(number) if one == TRUE else one for one in outcomes}
        if wrong is None and outcome not in allowed:
            wrong = f"is {outcome}, not {' or '.join(sorted(allowed))}"
        if wrong is not None:
            faults.append(f"{name}: {number[-4:]} {wrong}")

    try:
        async with opened(combination, server, tls) as client:
            for name, case in cases.items():
                await step(client, f"{WARM} {name!r}", {TRUE})
                server.trick = case.play
                lost = case.lost_by_aiohttp and combination.carrier in {"aiohttp", "ClientSession"}
                await step(client, name, {UNKNOWN} if lost else case.outcomes, case.timeout)
                if case.pause:
                    await anyio.sleep(case.pause)
                before = server.connections
                for _ in range(3):
                    await step(client, f"after {name!r}", {TRUE})
                if case.kept is not None and (server.connections == before) != case.kept:
                    faults.append(f"{name}: the connection was {'given up' if case.kept else 'used again'}")
    finally:
        server.close()
    return faults


def play(combination: Combination, cases: Mapping[str, Case], tls: Tls) -> list[str]:
    """Play cases one after the other, each between requests that are treated well; return what was wrong."""
    logging.disable(logging.WARNING)
    try:
        return anyio.run(_play, combination, cases, tls, backend=combination.loop)
    finally:
        logging.disable(logging.NOTSET)


def cut_cases(first: int = 0, step: int = 1) -> dict[str, Case]:
    """Make the cases of servers that break off at a byte: at each, or at each `step`-th from `first` on."""
    cases = {
        f"reset after {size} bytes of the request": reset_in_request(size)
        for size in range(1 + first, LONGEST_REQUEST, step)
    }
    for missing in range(first, LONGEST_RESPONSE, step):
        cases[f"reset {missing} bytes before the response's end"] = cut_in_response(missing, reset=True)
        cases[f"closed {missing} bytes before the response's end"] = cut_in_response(missing, reset=False)
    return cases


def main() -> None:
    """Play everything, and print a row for each combination."""
    tls, bad = Tls(), 0
    chosen = [one for one in COMBINATIONS if not sys.argv[1:] or any(part in str(one) for part in sys.argv[1:])]
    print("| carrier, loop, transport | cases | wrong | seconds |\n|---|---|---|---|")
    for combination in chosen:
        cases, began = {**CASES, **cut_cases()}, time.monotonic()
        faults = play(combination, cases, tls)
        bad += len(faults)
        print(f"| {combination} | {len(cases)} | {len(faults)} | {time.monotonic() - began:.0f} |", flush=True)
        for fault in faults:
            print(f"  {fault}", flush=True)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
