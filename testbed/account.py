"""A simulated account in a separate process, which survives the kills of a test. Each input line gets a JSON line back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from callsavvy_async.simulator import Fault, Simulator, serve

FAULTS = (
    Fault.DROP_AFTER_READ,
    Fault.DROP_UNPROCESSED,
    Fault.RESET_AFTER_READ,
    Fault.DROP_BEFORE_READ,
    Fault.HTML_RESPONSE,
    Fault.with_status(429, retry_after="0"),
    Fault.with_status(503),
)


class Account:
    """A client of the process that serves the account."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program = program
        self.url: str = self._ask("url")

    def charged(self) -> Counter[str]:
        """Return the number of charges for each recipient."""
        return Counter(self._ask("charged"))

    def moments(self) -> list[float]:
        """Return the time at which each send was processed, in seconds since 1970."""
        return [float(moment) for moment in self._ask("moments")]

    def fail(self, probability: float) -> None:
        """Set the probability of each fault."""
        self._ask(str(probability))

    def _ask(self, request: str) -> Any:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(f"{request}\n")
        self._program.stdin.flush()
        return json.loads(self._program.stdout.readline())


@contextmanager
def account(seed: int, latency: float, host: str = "127.0.0.1") -> Iterator[Account]:
    """Serve an account while the block runs."""
    command = [sys.executable, "-P", str(Path(__file__)), str(seed), str(latency), host]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        try:
            yield Account(program)
        finally:
            program.kill()


def main(seed: int, latency: float, host: str) -> None:
    """Serve until stdin ends."""
    simulator = Simulator(sms_balance=10**9, seed=seed, latency=lambda random: random.uniform(0, 2 * latency))
    with serve(simulator, host=host) as server:
        for line in sys.stdin:
            answer: object = None
            match line.strip():
                case "url":
                    answer = server.url
                case "charged":
                    answer = simulator.ledger.charged
                case "moments":
                    answer = [entry.at.timestamp() for entry in simulator.ledger.requests]
                case probability:
                    simulator.faults.clear()
                    for fault in FAULTS:
                        simulator.faults.rule(fault, resource="sendSMS", probability=float(probability))
            sys.stdout.write(f"{json.dumps(answer)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
