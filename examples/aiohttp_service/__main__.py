"""Serve the example on loopback: ``python examples/aiohttp_service --simulator``.

Without ``--simulator``, CALLSAVVY_PUBLIC_KEY and CALLSAVVY_PRIVATE_KEY hold the account's keys, and messages cost money.
CALLBACK_SECRET holds the callback URL's secret, random by default.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import socket

from aiohttp import web
from service import create_app

from callsavvy_async import Callsavvy
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, serve
from callsavvy_async.webhooks import Webhooks, new_secret


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000, help="0 for any free port")
    parser.add_argument("--simulator", action="store_true", help="send to a simulated account")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a campaign would log a line for each request
    secret = os.environ.get("CALLBACK_SECRET") or new_secret()
    hooks = Webhooks(secrets=[secret])
    logging.getLogger("aiohttp.access").addFilter(hooks.log_filter())
    with contextlib.ExitStack() as stack:
        if options.simulator:
            simulated = stack.enter_context(serve(Simulator(sms_balance=100_000, latency=0.2)))
            client = Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=simulated.url, timeout=10)
        else:
            client = Callsavvy.from_env(timeout=10)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", options.port)))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        print(f"service:      {url}\ncallback URL: {url}/hooks/{secret}", flush=True)
        web.run_app(create_app(client, hooks), sock=listener, print=None)


if __name__ == "__main__":
    main()
