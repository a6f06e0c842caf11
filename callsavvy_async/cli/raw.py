"""``callsavvy api``: any resource by its name on the wire, the answer as it came."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import anyio
from cyclopts import App, Parameter

from callsavvy_async.cli.output import show_json
from callsavvy_async.client import Callsavvy
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.resources import endpoints
from callsavvy_async.wire.endpoint import Effect


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
    client = Callsavvy.from_env()
    row = endpoints().get(resource)
    effect = Effect.SPEND if row is None else row.effect

    async def ask() -> bytes:
        async with client:
            return (await client.call(resource, params, effect=effect)).raw

    _print(anyio.run(ask))


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
