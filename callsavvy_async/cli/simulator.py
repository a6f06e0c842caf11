"""``callsavvy simulator``: the embedded simulator as a server for trials."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from callsavvy_async.cli.activity import current_activity
from callsavvy_async.cli.interrupts import until_interrupted
from callsavvy_async.cli.options import Port, Units
from callsavvy_async.cli.output import Result
from callsavvy_async.cli.stderr import tell
from callsavvy_async.policy.fixed import parse_rate
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, WHATSAPP_UID, Simulator, TokenBucket, serve
from callsavvy_async.wording import quantity

_PLENTY = Decimal(1_000)


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
        current_activity().emit(_access(server.url))
        tell("Press Ctrl-C to stop.")
        wait()
    totals = account.ledger.totals
    tell(
        f"{quantity(totals.requests, 'send')}, {quantity(totals.charged_recipients, 'recipient')} charged, cost {totals.cost}."
    )


def _access(url: str) -> Result:
    """Return the address and the keys of the account, and a line to paste into a shell."""
    access = {
        "base_url": url,
        "public_key": PUBLIC_KEY,
        "private_key": PRIVATE_KEY,
        "whatsapp_channel": WHATSAPP_UID,
    }
    lines = [
        f"base URL:         {url}",
        f"public key:       {PUBLIC_KEY}",
        f"private key:      {PRIVATE_KEY}",
        f"WhatsApp channel: {WHATSAPP_UID}",
        f"export CALLSAVVY_BASE_URL={url} CALLSAVVY_PUBLIC_KEY={PUBLIC_KEY} CALLSAVVY_PRIVATE_KEY={PRIVATE_KEY}",
    ]
    return Result(access, "\n".join(lines))
