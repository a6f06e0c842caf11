"""Count what a webhook, a decoded row, a loaded row and a start cost, free of noise: python -m benchmarks.floors.counts.

Fails if a count exceeds its budget. CI runs it. Function calls, not instructions: callgrind needs a minute and a half of CPU
time for the imports of each program, and its counts depend on the build of the interpreter.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.floors import lists, starts, webhooks
from benchmarks.floors.decoding import readers
from benchmarks.speed.answers import tickets
from benchmarks.speed.servers import slow_server

TOLERANCE = 1.03
"""For other versions of Python and of the dependencies."""


class Budget(NamedTuple):
    """What one unit of a work may cost."""

    calls: float
    """Function calls, of Python and of C, in all threads."""
    few: int
    many: int
    """Numbers of units whose difference is measured, so that beginnings do not count."""


def webhook(units: int) -> None:
    """Pass webhooks to the ASGI application, as a server does."""
    headers = [(b"host", b"x"), (b"content-type", b"application/json"), (b"content-length", b"110")]
    scope = {"type": "http", "method": "POST", "path": f"/{webhooks.SECRET}", "headers": headers, "client": ("::1", 1)}

    async def send(_: Any) -> None:
        pass

    async def work() -> None:
        async with webhooks.hooks:
            for number in range(units):
                body = webhooks.EVENT % number

                async def receive(body: bytes = body) -> Any:
                    return {"type": "http.request", "body": body}

                await webhooks.hooks(dict(scope), receive, send)
                await asyncio.sleep(0)

    asyncio.run(work())


def row(units: int) -> None:
    """Decode a list of tickets."""
    body = tickets(units).body.encode()
    readers()[0](body)


def loaded_row(units: int) -> None:
    """Load a list into a campaign."""
    with tempfile.TemporaryDirectory() as folder:
        people = Path(folder) / "people.csv"
        rows = "\n".join(map("+2348{0:09},Ada{0}".format, range(units)))
        people.write_text(f"phone,first_name\n{rows}\n", "ascii")
        lists.load(people, f"sqlite:///{folder}/journal.db")


WORKS: dict[str, tuple[Callable[[int], None], Budget]] = {
    "webhook": (webhook, Budget(calls=170, few=100, many=400)),
    "row": (row, Budget(calls=11.8, few=500, many=2_000)),
    "loaded_row": (loaded_row, Budget(calls=0.8, few=2_000, many=10_000)),
}
MODULES = 183
"""Budget of modules that a first send imports in addition to those of ``import asyncio, ssl, json``."""


def calls_of_one(work: Callable[[int], None], budget: Budget) -> float:
    """Return the function calls of one unit."""
    work(budget.few)  # what the first time imports and makes
    few, many = _calls(work, budget.few), _calls(work, budget.many)
    return (many - few) / (budget.many - budget.few)


def _calls(work: Callable[[int], None], units: int) -> int:
    made = 0

    def note(_: object, event: str, __: object) -> None:
        nonlocal made
        made += event in {"call", "c_call"}

    gc.collect()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        work(units)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return made


def modules_of_a_first_send() -> int:
    """Return how many modules a first send imports above the floor."""
    with slow_server(0.0) as url:
        programs = (starts.FIRST_SEND.format(url=url), starts.FLOOR)
        first, floor = (
            int(subprocess.check_output([sys.executable, "-c", f"{program}\nimport sys; print(len(sys.modules))"]))
            for program in programs
        )
    return first - floor


def main() -> int:
    """Count, print, and return an exit status that tells whether the budgets are kept."""
    kept = True

    def show(what: str, value: float, budget: float) -> None:
        nonlocal kept
        kept &= value <= budget * TOLERANCE
        print(f"{what}: {value:.2f}, budget {budget:.2f}", flush=True)

    show("first send: modules", modules_of_a_first_send(), MODULES)
    for name, (work, budget) in WORKS.items():
        show(f"{name}: function calls", calls_of_one(work, budget), budget.calls)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
