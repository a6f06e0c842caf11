"""Serve the example on loopback: ``python examples/fastapi_service --simulator``.

Without ``--simulator``, CALLSAVVY_PUBLIC_KEY and CALLSAVVY_PRIVATE_KEY hold the account's keys, and messages cost money.
CALLBACK_SECRET holds the callback URL's secret, random by default. Campaigns are recorded in a journal, a SQLite file in the
working directory by default, so that the next start of the service can resume them.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Generator

import uvicorn
from app import create_app
from server import Server

from callsavvy_async import Callsavvy
from callsavvy_async.campaigns import Journal
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Fault, Simulator, serve
from callsavvy_async.webhooks import new_secret

TIMEOUT = 10.0
"""Seconds for one request to the API, and so for a shutdown. Let your process manager wait longer before it kills."""


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000, help="0 for any free port")
    parser.add_argument(
        "--simulator", action="store_true", help="send to a simulated account, which loses some responses"
    )
    parser.add_argument("--journal", help="URL of the journal: sqlite:///file.db or postgresql://user@host/database")
    parser.add_argument("--rate", help="most requests to the API, such as 10/s; learned while sending by default")
    options = parser.parse_args()
    journal = options.journal or f"sqlite:///{'rehearsals' if options.simulator else 'campaigns'}.db"
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a campaign would log a line for each request
    with contextlib.ExitStack() as stack:
        if options.simulator:
            os.environ |= stack.enter_context(simulated_account())
        secret = os.environ.get("CALLBACK_SECRET") or new_secret()
        closing = threading.Event()
        app = create_app(
            Callsavvy.from_env(timeout=TIMEOUT, deadline=3 * TIMEOUT, rate=options.rate),
            Journal.open(journal, simulated=options.simulator),
            rate=options.rate,
            public_key=os.environ["CALLSAVVY_PUBLIC_KEY"],
            secret=secret,
            closing=closing,
        )
        listener = stack.enter_context(socket.create_server(("127.0.0.1", options.port)))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        print(
            f"operator's page: {url}/operator\npublic page:     {url}/\ncallback URL:    {url}/hooks/{secret}",
            flush=True,
        )
        Server(uvicorn.Config(app, log_config=None), closing=closing).run(sockets=[listener])


@contextlib.contextmanager
def simulated_account() -> Generator[dict[str, str]]:
    """Run a simulated account, and yield the environment variables that point to it."""
    simulator = Simulator(sms_balance=100_000, latency=lambda random: random.uniform(0.1, 0.4))
    simulator.faults.rule(Fault.DROP_AFTER_READ, resource="sendSMS", probability=0.03)
    with serve(simulator) as server:
        yield {
            "CALLSAVVY_BASE_URL": server.url,
            "CALLSAVVY_PUBLIC_KEY": PUBLIC_KEY,
            "CALLSAVVY_PRIVATE_KEY": PRIVATE_KEY,
        }


if __name__ == "__main__":
    main()
