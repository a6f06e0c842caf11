"""Build the HTTP request of a call (API document: "URL Format", "Authentication", "Request Method")."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.wire.endpoint import Endpoint
from callsavvy_async.wire.json_bytes import dumps
from callsavvy_async.wire.request_template import RequestTemplate


@attrs.frozen
class HttpRequest:
    """A request ready to be sent. Always POST with a JSON body, also for reads (quirks Q02, Q03)."""

    template: RequestTemplate
    body: bytes = attrs.field(repr=False)


def build_request(
    endpoint: Endpoint[object],
    params: Mapping[str, str | None],
    extra: Mapping[str, object],
    *,
    template: RequestTemplate,
) -> HttpRequest:
    """Write a call as a POST of a JSON object.

    Args:
        endpoint: what is called.
        params: the documented parameters under their wire names; those that are None are left out.
        extra: undocumented parameters, sent as they are. They may not override documented ones.
        template: of the endpoint.

    Raises:
        InvalidRequestError: when `extra` overrides a parameter, a parameter is no text (quirk Q13), or something is not JSON
            or not valid Unicode.
    """
    fields: dict[str, object] = {}
    for name, value in params.items():
        if value is not None:
            if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance] # from untyped code, a database
                raise InvalidRequestError(
                    f"{endpoint.resource}: {name} is of the type {type(value).__name__}; the API takes text. Give str(...) of it."
                )
            fields[name] = value
    for name in extra:
        if name in params:
            raise InvalidRequestError(
                f"extra[{name!r}] would override a documented parameter; pass it by its own name."
            )
        fields[name] = extra[name]
    try:
        body = dumps(fields)
    except (TypeError, ValueError) as error:  # UnicodeEncodeError (a lone surrogate) is a ValueError
        why = "holds a lone surrogate, which is not text" if isinstance(error, UnicodeEncodeError) else str(error)
        raise InvalidRequestError(f"{endpoint.resource}: a parameter cannot be written as JSON: {why}.") from None
    return HttpRequest(template, body)
