"""``callsavvy api``: a request to any resource, and the raw response."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, cast

from cyclopts import Parameter

from callsavvy_async.cli.activity import EFFECTS, show
from callsavvy_async.cli.client import carry_out
from callsavvy_async.cli.document import as_json
from callsavvy_async.cli.options import name_and_value
from callsavvy_async.cli.output import Result
from callsavvy_async.wire.endpoint import Effect


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
    show(_result(response.raw))


def _result(body: bytes) -> Result:
    try:
        value: object = json.loads(body)
    except ValueError:  # a retried deleteContact that a gateway answers with "not found"
        text = body.decode(errors="replace")
        return Result({"text": text}, text)
    text = as_json(value)
    return Result(cast("Mapping[str, object]", value) if isinstance(value, dict) else {"value": value}, text)
