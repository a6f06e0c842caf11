"""``callsavvy simulator``: the embedded simulator as a server for trials."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from callsavvy_async.cli.interrupts import until_interrupted
from callsavvy_async.cli.options import Port, Units
from callsavvy_async.cli.stderr import tell
from callsavvy_async.policy.fixed import parse_rate
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, WHATSAPP_UID, Simulator, TokenBucket, serve
from callsavvy_async.wording import quantity

_PLENTY = Decimal(1_000)


def register(app: App) -> None:
    """Add the command."""
    app.command(simulator)


def simulator(
    *,
    port: Port = 0,
    rate: str | None = None,
    burst: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    latency: Annotated[float, Parameter(validator=Number(gte=0))] = 0.0,
    sms_balance: Units = _PLENTY,
    local_balance: Units = _PLENTY,
    international_balance: Units = _PLENTY,
    seed: int = 0,
) -> None:
    """Serve a simulated account on a loopback port until Ctrl-C. Never sends real messages.

    Args:
        port: Port (default: any free port).
        rate: Respond with 429 above this request rate, e.g. 20/s.
        burst: Maximum requests at once, with --rate.
        latency: Seconds before each response (default: none).
        sms_balance: Initial SMS units.
        local_balance: Initial call minutes within the country, also charged for WhatsApp messages.
        international_balance: Initial call minutes abroad, also charged for WhatsApp messages.
        seed: Seed of the generated records (tickets, contacts, ...).
    """
    account = Simulator(
        sms_balance=sms_balance,
        local_balance=local_balance,
        international_balance=international_balance,
        seed=seed,
        limit=None if rate is None else TokenBucket(parse_rate(rate), burst),
        latency=latency,
    )
    with serve(account, port=port) as server, until_interrupted() as wait:
        print(f"base URL:         {server.url}")
        print(f"public key:       {PUBLIC_KEY}")
        print(f"private key:      {PRIVATE_KEY}")
        print(f"WhatsApp channel: {WHATSAPP_UID}")
        print(
            f"export CALLSAVVY_BASE_URL={server.url}"
            f" CALLSAVVY_PUBLIC_KEY={PUBLIC_KEY} CALLSAVVY_PRIVATE_KEY={PRIVATE_KEY}"
        )
        sys.stdout.flush()
        tell("Press Ctrl-C to stop.")
        wait()
    totals = account.ledger.totals
    tell(
        f"{quantity(totals.requests, 'send')}, {quantity(totals.charged_recipients, 'recipient')} charged, cost {totals.cost}."
    )
