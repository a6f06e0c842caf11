"""``callsavvy simulator``: the embedded simulator as a server for trials."""

from __future__ import annotations

import shlex

from callsavvy_async.cli.activity import current_activity
from callsavvy_async.cli.interrupts import until_interrupted
from callsavvy_async.cli.options import Port
from callsavvy_async.cli.output import Result
from callsavvy_async.cli.simulator_options import (
    DEFAULT_ACCOUNT,
    DEFAULT_LIMIT,
    DEFAULT_TROUBLE,
    RateLimit,
    SimulatedAccount,
    Trouble,
    make_simulator,
)
from callsavvy_async.cli.stderr import tell
from callsavvy_async.simulator import WHATSAPP_UID, serve
from callsavvy_async.wording import quantity


def simulator(
    *,
    port: Port = 0,
    account: SimulatedAccount = DEFAULT_ACCOUNT,
    limit: RateLimit = DEFAULT_LIMIT,
    trouble: Trouble = DEFAULT_TROUBLE,
) -> None:
    """Serve a simulated account on a loopback port until Ctrl-C. Never sends real messages.

    Args:
        port: Port (default: any free port).
        account: The account.
        limit: Its rate limit.
        trouble: Latency and faults.
    """
    simulated = make_simulator(account, limit, trouble)
    with serve(simulated, port=port) as server, until_interrupted() as wait:
        current_activity().emit(_access(server.url, account))
        tell("Press Ctrl-C to stop.")
        wait()
    totals = simulated.ledger.totals
    tell(
        f"{quantity(totals.requests, 'send')}, {quantity(totals.charged_recipients, 'recipient')} charged,"
        f" cost {totals.cost:,}."
    )


def _access(url: str, account: SimulatedAccount) -> Result:
    """Return the address and the keys of the account, and a line to paste into a shell."""
    access = {
        "base_url": url,
        "public_key": account.public_key,
        "private_key": account.private_key,
        "whatsapp_channel": WHATSAPP_UID,
    }
    variables = {"BASE_URL": url, "PUBLIC_KEY": account.public_key, "PRIVATE_KEY": account.private_key}
    export = " ".join(f"CALLSAVVY_{name}={shlex.quote(value)}" for name, value in variables.items())
    lines = [
        f"base URL:         {url}",
        f"public key:       {account.public_key}",
        f"private key:      {account.private_key}",
        f"WhatsApp channel: {WHATSAPP_UID}",
        f"export {export}",
    ]
    return Result(access, "\n".join(lines))
