"""``callsavvy api``: a request to any resource, and the raw response."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import App, Parameter

from callsavvy_async.cli.activity import EFFECTS, current_activity
from callsavvy_async.cli.client import carry_out
from callsavvy_async.cli.options import name_and_value
from callsavvy_async.cli.output import as_json
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
    """Send a request to any resource of the API and print the raw response.

    A resource that this release does not know may cost money, so its requests are never retried.

    Args:
        resource: Name in the API document, e.g. getSummary.
        data: Parameter as name=value; may be repeated.
    """
    params = dict(name_and_value("--data", pair) for pair in data)
    effect = EFFECTS.get(resource, Effect.SPEND)
    response = carry_out(lambda callsavvy: callsavvy.request(resource, params, effect=effect))
    text = _as_text(response.raw)
    if effect is Effect.READ:
        print(text)
    else:
        current_activity().receipt = text


def _as_text(body: bytes) -> str:
    try:
        return as_json(json.loads(body))
    except ValueError:  # a retried deleteContact that a gateway answers with "not found"
        return body.decode(errors="replace")
