"""The page of the simulator's faults: the faults from the code, and what a client makes of each, tried when the page is made."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from callsavvy_async import Callsavvy, ClientOptions, RequestError, Unlimited
from callsavvy_async.simulator import FAULTS, PRIVATE_KEY, PUBLIC_KEY, Fault, FaultKind, Simulator, serve
from sitegen.source import attribute_docstrings

_INTRODUCTION = """\
A fault is a value. `sim.faults.next("sendSMS", Fault.DROP_AFTER_READ)` injects it into the next request;
`sim.faults.rule(fault, probability=0.03)` into many. From outside, the header `callsavvy-simulator-fault` of a request names one.

*Charged* says what the ledger records; no client can see it. The last column is what `send_sms` ends with, without retries. It
was tried when this page was built. [Errors](errors.md) says what each error means. An unknown outcome stays unknown, whether
the message was charged or not.
"""


def faults_page() -> str:
    """Return the page."""
    texts = attribute_docstrings(FaultKind)
    faults = [*((_constant(name), fault) for name, fault in FAULTS.items()), *_MORE]
    endings = asyncio.run(tried([fault for _, fault in faults]))
    rows = [
        f"| `{name}` | {_text(fault, texts)} | {'yes' if fault.processed else 'no'} | {ending} |"
        for (name, fault), ending in zip(faults, endings, strict=True)
    ]
    head = ("| `Fault.` | what the client sees | charged | `send_sms` |", "|---|---|---|---|")
    return "\n".join(["# Faults of the simulator", "", _INTRODUCTION, *head, *rows, ""])


_MORE = [
    ("with_status(429)", Fault.with_status(429)),
    ('with_status(503, retry_after="2")', Fault.with_status(503, retry_after="2")),
    ('with_status(502, body="html")', Fault.with_status(502, body="html")),
    ("redirect(307)", Fault.redirect(307)),
]


async def tried(faults: Sequence[Fault]) -> list[str]:
    """Send one SMS into each fault, and return how it ends. A client each: the pause after one must not delay the next."""
    simulator = Simulator(sms_balance=1_000)
    with serve(simulator) as server:
        settings: ClientOptions = {"base_url": server.url, "pacing": Unlimited(), "timeout": 0.5, "deadline": 1}
        endings: list[str] = []
        for fault in faults:
            simulator.faults.next("sendSMS", fault)
            async with Callsavvy(
                public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, max_retries=0, max_response_bytes=2**20, **settings
            ) as client:
                endings.append(await _ending(client))
    return endings


async def _ending(client: Callsavvy) -> str:
    try:
        receipt = await client.messaging.send_sms("+2348012345678", "Hello")
    except RequestError as error:
        name = type(error).__name__
        return f"[`{name}`](errors.md#{name.lower()})"
    return "a receipt that says `failed`" if receipt.failed else "a receipt"


def _constant(name: str) -> str:
    return name.upper().replace("-", "_")


def _text(fault: Fault, texts: Mapping[str, str]) -> str:
    words = fault.kind.value.replace("-", " ").replace("html", "HTML").replace("json", "JSON")
    text = texts.get(fault.kind.name) or f"{words[0].upper()}{words[1:]}."
    if fault.kind is FaultKind.STATUS:
        text = f"Status {fault.status}, with {_BODIES[fault.body]}."
    return (text if fault.reads else f"{text} The request was not read.").replace("|", "\\|")


_BODIES = {"envelope": "the API's error envelope", "html": "the page of a gateway", "empty": "an empty body"}
