"""``callsavvy api``: any resource by its name on the wire, the answer as it came."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import App, Parameter

from callsavvy_async.cli.books import EFFECTS, books
from callsavvy_async.cli.client import carry_out
from callsavvy_async.cli.output import as_json
from callsavvy_async.errors import InvalidRequestError
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
    effect = EFFECTS.get(resource, Effect.SPEND)
    answer = carry_out(lambda callsavvy: callsavvy.request(resource, params, effect=effect))
    text = _as_text(answer.raw)
    if effect is Effect.READ:
        print(text)
    else:
        books().receipt = text


def _split(pair: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if not (name and equals):
        raise InvalidRequestError("a --data has no name or no '='; write it as name=value.")
    return name, value


def _as_text(body: bytes) -> str:
    try:
        return as_json(json.loads(body))
    except ValueError:  # deleteContact, repeated, where a gateway says "not found"
        return body.decode(errors="replace")
