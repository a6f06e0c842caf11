"""Measure decoding and encoding against cattrs and pydantic: 10,000 tickets, one receipt, one body of 1,000 numbers.

    python benchmarks/bench_codec.py [--rounds 15] [--json FILE]

All rows are measured in one process, in turn. The minimum of all rounds counts. The script needs the extra ``speed`` and
cattrs, and measures pydantic if it is installed. Only the SDK's rows handle the API's quirks ("" for an absent value,
unknown fields kept, times without a zone). The others get data without quirks.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import platform
import sys
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import attrs
import cattrs
import msgspec
import orjson
from cattrs.preconf.json import make_converter

from callsavvy_async.policy.outcome import classify_response
from callsavvy_async.resources.sends import SEND_SMS
from callsavvy_async.resources.tickets import LIST_TICKETS
from callsavvy_async.wire import json_bytes
from callsavvy_async.wire.codec import Codec
from callsavvy_async.wire.response import HttpResponse, read_envelope
from callsavvy_async.wire.response_headers import Headers

ROWS = 10_000
WORDS = ["New", "Closed", "Awaiting Agent Reply", "Awaiting Customer Reply"]
Work = Callable[[], object]


def ticket(number: int, *, gaps: bool) -> dict[str, str]:
    return {
        "ticket_id": f"T{number:08d}",
        "datetime": f"2026-11-22 08:15:{number % 60:02d}",
        "ticket_status": WORDS[number % 4],
        "last_reply": "" if gaps and number % 3 == 0 else "2026-11-23 10:00:00",
        "subject": f"Order {number} has not arrived",
        "sender_name": "Ada Obi",
        "sender_email": f"ada{number}@example.com",
        "department_id": "" if gaps and number % 7 == 0 else f"d{number % 9}",
    }


def answer(data: object) -> bytes:
    return json.dumps({"resource": "x", "status": "success", "data": data}, separators=(",", ":")).encode()


@attrs.frozen
class Ticket:
    ticket_id: str
    datetime: datetime
    ticket_status: str
    last_reply: datetime
    subject: str
    sender_name: str
    sender_email: str
    department_id: str


@attrs.frozen
class Receipt:
    message_id: str
    cost: Decimal
    status: str


def with_cattrs(kind: object, body: bytes, *, detailed: bool) -> Work:
    loads = json.loads if detailed else orjson.loads
    converter: cattrs.Converter = make_converter(detailed_validation=detailed)
    converter.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
    converter.register_structure_hook(Decimal, lambda value, _: Decimal(value))
    return lambda: converter.structure(loads(body)["data"], kind)


def with_msgspec(kind: type[object], body: bytes) -> Work:
    envelope = msgspec.defstruct("Envelope", [("status", str), ("data", kind)])
    decoder = msgspec.json.Decoder(envelope)
    return lambda: decoder.decode(body).data


def with_pydantic(fields: dict[str, object], body: bytes, *, many: bool) -> Work:
    import pydantic  # noqa: PLC0415 - may not be installed

    row = pydantic.create_model("Row", **{name: (kind, ...) for name, kind in fields.items()})
    envelope = pydantic.create_model("Envelope", status=(str, ...), data=(list[row] if many else row, ...))
    return lambda: envelope.model_validate_json(body).data


def plainly(work: Work) -> Work:
    """Run a function without the extra ``speed``."""

    def run() -> object:
        hidden = {name: sys.modules[name] for name in ("orjson", "msgspec")}
        choices = (json_bytes._texts_writer, json_bytes._reader)  # noqa: SLF001 - there is no setting for it
        sys.modules.update(dict.fromkeys(hidden))
        for choice in choices:
            choice.cache_clear()
        try:
            return work()
        finally:
            sys.modules.update(hidden)
            for choice in choices:
                choice.cache_clear()

    return run


def repeated(work: Work, times: int) -> Work:
    def run() -> None:
        for _ in range(times):
            work()

    return run


def clock() -> datetime:
    raise AssertionError("the responses of this benchmark have no date")


def sdk_receipt(body: bytes) -> Work:
    codec, response = Codec(), HttpResponse(200, Headers([]), body)

    def read() -> object:
        envelope = read_envelope(response.body)
        classify_response(response, envelope, now=clock)
        return codec.decode(SEND_SMS, envelope, response.body)

    return read


def groups() -> dict[str, tuple[int, dict[str, Work]]]:
    """What is compared: how often each is done in a measurement, and how; the first is what the others are set against."""
    plain, quirky = (answer([ticket(n, gaps=gaps) for n in range(ROWS)]) for gaps in (False, True))
    one = answer({"message_id": "m-1234", "cost": "4", "status": "sent"})
    fields = {"recipient": ",".join(f"+234801{n:07d}" for n in range(1000)), "message": "We open again on Monday."}
    codec = Codec()

    def tickets(body: bytes) -> Work:
        return lambda: codec.decode(LIST_TICKETS, read_envelope(body), body)

    times = 500
    ten_thousand = {
        "cattrs, default settings": with_cattrs(list[Ticket], plain, detailed=True),
        "cattrs, orjson, detailed_validation=False": with_cattrs(list[Ticket], plain, detailed=False),
        "msgspec into attrs classes (no renames, no quirks)": with_msgspec(list[Ticket], plain),
        "SDK": tickets(plain),
        "SDK, a third of the rows with gaps": tickets(quirky),
        "SDK without the extra `speed`": plainly(tickets(plain)),
    }
    receipt = {
        "cattrs, default settings": with_cattrs(Receipt, one, detailed=True),
        "cattrs, orjson, detailed_validation=False": with_cattrs(Receipt, one, detailed=False),
        "msgspec into attrs classes (no renames, no quirks)": with_msgspec(Receipt, one),
        "SDK: read, judge, decode": sdk_receipt(one),
    }
    if importlib.util.find_spec("pydantic"):
        kinds = {field.name: field.type for field in attrs.fields(attrs.resolve_types(Ticket))}
        ten_thousand["pydantic"] = with_pydantic(kinds, plain, many=True)
        kinds = {field.name: field.type for field in attrs.fields(attrs.resolve_types(Receipt))}
        receipt["pydantic"] = with_pydantic(kinds, one, many=False)
    body = {
        "json.dumps": lambda: json.dumps(fields).encode(),
        "orjson": lambda: orjson.dumps(fields),
        "SDK": lambda: json_bytes.dumps(fields),
    }
    receipt = {name: repeated(work, times) for name, work in receipt.items()}
    receipt["SDK without the extra `speed`"] = plainly(receipt["SDK: read, judge, decode"])
    body = {name: repeated(work, times) for name, work in body.items()}
    body["SDK without the extra `speed`"] = plainly(body["SDK"])
    return {
        f"{ROWS:,} tickets read": (1, ten_thousand),
        "one receipt read": (times, receipt),
        "one body of 1,000 numbers written": (times, body),
    }


def measure(works: dict[str, Work], rounds: int) -> dict[str, float]:
    """Return the minimum CPU seconds of all rounds. The garbage of a round is collected before the next one."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            gc.collect()
            began = time.process_time()
            made = work()
            taken[name].append(time.process_time() - began)
            del made
    return {name: min(seconds) for name, seconds in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, CPU, least of {options.rounds} rounds")
    figures: dict[str, dict[str, float]] = {}
    for title, (times, works) in groups().items():
        seconds = measure(works, options.rounds)
        first = next(iter(seconds.values()))
        print(f"\n| {title} | us | times as fast as the first |\n|---|---:|---:|")
        for name, taken in seconds.items():
            print(f"| {name} | {taken / times * 1e6:,.1f} | {first / taken:.1f} |")
        figures[title] = {name: round(taken / times * 1e6, 2) for name, taken in seconds.items()}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
