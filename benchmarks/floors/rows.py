"""The rows of the table: each measures the product beside a floor in one run of a fresh process."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.floors.figures import Figures

AT_MOST, AT_LEAST, INSTRUCTIONS = "at most", "at least", "instructions"


class Row(NamedTuple):
    """A measurement and its bound."""

    name: str
    what: str
    bound: float
    function: str
    """Module and function of this package that measure."""
    arguments: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Attributes of the lab, passed as further arguments."""
    unit: str = "µs"
    kind: str = AT_MOST
    """`AT_MOST`: ours over the floor; `AT_LEAST`: the floor over ours; `INSTRUCTIONS`: thousands of ours alone."""

    def value(self, figures: Figures) -> float:
        """Return what is compared with the bound."""
        values: dict[str, Callable[[], float]] = {
            AT_MOST: lambda: figures.ratio,
            AT_LEAST: lambda: 1 / figures.ratio,
            INSTRUCTIONS: lambda: figures.ours,
        }
        return values[self.kind]()

    def holds(self, value: float) -> bool:
        """Return whether a value keeps the bound."""
        compare = operator.ge if self.kind == AT_LEAST else operator.le
        return bool(compare(value, self.bound))


def _send(loop: str, in_flight: str, bound: float, *, tls: bool = False) -> Row:
    name = f"send-{in_flight}-{loop}{'-tls' if tls else ''}"
    what = f"send, {in_flight} in flight, {loop}{', TLS' if tls else ''} / bare BufferedProtocol"
    needs = ("tls", "certificates") if tls else ("plain",)
    return Row(name, what, bound, "sends.measure", (loop, in_flight), needs)


def _instructions(loop: str, bound: float) -> Row:
    what = f"thousands of instructions of one send, 64 in flight, {loop}"
    return Row(
        f"instructions-{loop}",
        what,
        bound,
        "instructions.send",
        (loop, "64"),
        ("plain",),
        unit="thousand",
        kind=INSTRUCTIONS,
    )


ROWS = (
    _send("asyncio", "64", 2.8),
    _send("uvloop", "64", 3.2),
    _send("asyncio", "1", 2.2),
    _send("uvloop", "1", 2.2),
    _instructions("asyncio", 115),
    _instructions("uvloop", 100),
    _send("asyncio", "64", 1.35, tls=True),
    Row("pacing", "default pacing / Unlimited, 64 in flight", 1.06, "sends.pacing", ("asyncio", "64"), ("plain",)),
    Row(
        "bulk", "bulk, one recipient a request / 64 plain workers", 1.4, "bulk_sends.bulk", needs=("plain",), unit="µs"
    ),
    Row("campaign", "campaign, one recipient a request / bulk", 1.5, "bulk_sends.campaign", needs=("plain",)),
    Row("webhook", "webhook on uvicorn / bare ASGI that parses the body", 2.0, "webhooks.measure"),
    Row("list-sqlite", "csv.reader + unique insert / list into SQLite", 0.5, "lists.sqlite", kind=AT_LEAST),
    Row("list-postgres", "csv.reader + COPY / list into PostgreSQL", 0.5, "lists.postgres", kind=AT_LEAST),
    Row("decode", "10,000 tickets / msgspec into attrs classes", 1.5, "decoding.measure"),
    Row("start", "start to first response / import asyncio, ssl, json", 2.0, "starts.cpu", needs=("plain",), unit="ms"),
    Row(
        "memory",
        "memory after a first send / import asyncio, ssl, json",
        1.6,
        "starts.memory",
        needs=("plain",),
        unit="MiB",
    ),
)
