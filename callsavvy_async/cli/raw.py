"""``callsavvy api``: any resource by its name on the wire, the answer as it came."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Annotated, cast

import anyio
from cyclopts import App, Parameter

from callsavvy_async.cli.output import show_json
from callsavvy_async.client import Callsavvy
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.resources import account, calls, chats, contacts, meetings, messaging, tickets
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.model import Receipt

_ROWS: Mapping[str, Endpoint[object]] = {
    row.resource: cast("Endpoint[object]", row)
    for module in (account, calls, chats, contacts, meetings, messaging, tickets)
    for row in vars(module).values()
    if isinstance(row, Endpoint)
}


def register(app: App) -> None:
    """Add the command."""
    app.command(api)


def api(
    resource: str,
    /,
    *,
    data: Annotated[tuple[str, ...], Parameter(name=["--data", "-d"], negative="")] = (),
) -> None:
    """Call any resource of the API and print its answer as it came.

    A resource that this release does not know is treated as one that costs money: never repeated.

    Args:
        resource: As the API document writes it, for example getSummary.
        data: A parameter as name=value; give it as often as needed.
    """
    params = dict(map(_split, data))
    client = _RawClient.from_env()

    async def ask() -> bytes:
        async with client:
            return (await client.with_raw_response(client.call, resource, params)).body

    _print(anyio.run(ask))


class _RawClient(Callsavvy):
    """A client that also calls resources by their names on the wire."""

    async def call(self, resource: str, params: Mapping[str, str]) -> object:
        endpoint = _ROWS.get(resource) or Endpoint(resource, Receipt, Effect.SPEND)
        return await self._transport.send(endpoint, {}, **params)


def _split(pair: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if not (name and equals):
        raise InvalidRequestError("a --data has no name or no '='; write it as name=value.")
    return name, value


def _print(body: bytes) -> None:
    try:
        show_json(json.loads(body))
    except ValueError:  # deleteContact, repeated, where a gateway says "not found"
        sys.stdout.write(body.decode(errors="replace"))
