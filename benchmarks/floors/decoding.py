"""CPU time of 10,000 tickets beside msgspec, which reads them into attrs classes without renames, zones and quirks."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from datetime import datetime

import attrs
import msgspec

from benchmarks.floors.figures import Figures, median
from benchmarks.speed.answers import TICKETS, tickets
from callsavvy_async.resources.tickets import LIST_TICKETS
from callsavvy_async.wire.codec import Codec

ROUNDS = 9


@attrs.frozen
class Ticket:
    """A ticket as msgspec reads it: every field required, and an empty time left a text."""

    ticket_id: str
    datetime: datetime
    ticket_status: str
    last_reply: str
    subject: str
    sender_name: str
    sender_email: str
    department_id: str


class Response(msgspec.Struct):
    """An envelope of tickets."""

    status: str
    data: list[Ticket]


def measure() -> Figures:
    """Measure both in turn, from the bytes to a tuple or list of objects."""
    body = tickets().body.encode()
    works = readers()
    return median([Figures(*(_cpu(lambda work=work: work(body)) for work in works)) for _ in range(ROUNDS)])


def readers() -> tuple[Callable[[bytes], object], Callable[[bytes], object]]:
    """Return the SDK's function and msgspec's."""
    codec, floor = Codec(), msgspec.json.Decoder(Response)
    return lambda body: codec.decode(LIST_TICKETS, codec.read_envelope(LIST_TICKETS, body), body), floor.decode


def _cpu(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    made = work()
    microseconds = (time.process_time() - began) / TICKETS * 1e6
    del made
    return microseconds
