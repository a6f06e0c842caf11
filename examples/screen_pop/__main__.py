"""Show the caller's name while the phone is ringing: ``python examples/screen_pop --simulator``.

The application is plain ASGI and runs under any ASGI server. Without ``--simulator``, CALLSAVVY_PUBLIC_KEY and
CALLSAVVY_PRIVATE_KEY hold the account's keys. CALLBACK_SECRET holds the callback URL's secret, random by default.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import socket
from collections.abc import AsyncGenerator

import uvicorn
from contact_index import ContactIndex
from starlette.applications import Starlette
from starlette.routing import Mount

from callsavvy_async import Callsavvy
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, serve
from callsavvy_async.webhooks import CallerCard, CallerInformation, Webhooks, new_secret


def create_app(client: Callsavvy, hooks: Webhooks, *, refresh_every: float) -> Starlette:
    """Make the application: the webhooks, and contacts that are refreshed regularly."""
    contacts = ContactIndex(client, every=refresh_every)

    @hooks.on(CallerInformation)
    async def identify(event: CallerInformation) -> CallerCard | None:
        contact = contacts.find(event.caller_number)
        return None if contact is None else CallerCard(name=contact.name or "", email=contact.email or "")

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with client, contacts.kept_fresh(), hooks:
            yield

    return Starlette(routes=[Mount("/hooks", hooks)], lifespan=lifespan)


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000, help="0 for any free port")
    parser.add_argument("--simulator", action="store_true", help="use a simulated account and its contacts")
    parser.add_argument("--refresh-every", type=float, default=300.0, metavar="SECONDS")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    secret = os.environ.get("CALLBACK_SECRET") or new_secret()
    hooks = Webhooks(secrets=[secret])
    logging.getLogger("uvicorn.access").addFilter(hooks.log_filter())
    with contextlib.ExitStack() as stack:
        if options.simulator:
            simulated = stack.enter_context(serve(Simulator()))
            client = Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=simulated.url)
        else:
            client = Callsavvy.from_env()
        listener = stack.enter_context(socket.create_server(("127.0.0.1", options.port)))
        print(f"callback URL: http://127.0.0.1:{listener.getsockname()[1]}/hooks/{secret}", flush=True)
        app = create_app(client, hooks, refresh_every=options.refresh_every)
        uvicorn.Server(uvicorn.Config(app, log_config=None)).run(sockets=[listener])


if __name__ == "__main__":
    main()
