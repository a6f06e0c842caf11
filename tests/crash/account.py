"""A simulated account in a process of its own, which no kill reaches."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import cast

from callsavvy_async.simulator import Fault, Simulator, serve

FAULTS = (
    Fault.DROP_AFTER_READ,
    Fault.DROP_UNPROCESSED,
    Fault.RESET_AFTER_READ,
    Fault.DROP_BEFORE_READ,
    Fault.HTML_ANSWER,
    Fault.with_status(429, retry_after="0"),
    Fault.with_status(503),
)


class Account:
    """Asks the process that serves it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.url = cast("str", pipe.recv())

    def charged(self) -> Counter[str]:
        """Return how often every number was charged."""
        self._pipe.send("charged")
        return cast("Counter[str]", self._pipe.recv())

    def fail(self, probability: float) -> None:
        """Let every kind of fault meet this share of the requests."""
        self._pipe.send(probability)
        self._pipe.recv()


@contextmanager
def account(seed: int, latency: float) -> Iterator[Account]:
    """Serve an account while the block runs."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, seed, latency), daemon=True)
    process.start()
    try:
        yield Account(here)
    finally:
        process.kill()
        process.join()


def _serve(pipe: Connection, seed: int, latency: float) -> None:
    simulator = Simulator(sms_balance=10**9, seed=seed, latency=lambda random: random.uniform(0, 2 * latency))
    with serve(simulator) as server:
        pipe.send(server.url)
        while True:
            match pipe.recv():
                case "charged":
                    pipe.send(simulator.ledger.charged)
                case probability:
                    simulator.faults.clear()
                    for fault in FAULTS:
                        simulator.faults.rule(fault, resource="sendSMS", probability=probability)
                    pipe.send("done")
