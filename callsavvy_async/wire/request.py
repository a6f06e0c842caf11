"""Build an HTTP request (API document: "URL Format", "Authentication", "Request Method")."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.slim import slim
from callsavvy_async.wire.endpoint import Endpoint
from callsavvy_async.wire.json_bytes import dumps, dumps_texts
from callsavvy_async.wire.request_template import RequestTemplate


@slim
class HttpRequest:
    """A request ready to be sent: a POST with a JSON body, also for reads, as the API demands."""

    template: RequestTemplate
    body: bytes = attrs.field(repr=False)


def build_request(
    endpoint: Endpoint[object],
    params: Mapping[str, str | None],
    extra: Mapping[str, object],
    *,
    template: RequestTemplate,
) -> HttpRequest:
    """Build the request of an endpoint.

    Args:
        endpoint: Endpoint of the request.
        params: Documented parameters under their API names. Those that are None are omitted.
        extra: Undocumented parameters, sent unchanged. They must not override documented ones.
        template: Request template of the endpoint.

    Raises:
        InvalidRequestError: `extra` overrides a parameter, a parameter is not a text, or a value has no JSON form or is
            not valid Unicode.
    """
    fields: dict[str, object] = {}
    texts = not extra
    for name, value in params.items():
        if type(value) is str:
            fields[name] = value
        elif value is not None:
            if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance] # from untyped code, a database
                raise InvalidRequestError(
                    f"{endpoint.resource}: {name} is of the type {type(value).__name__}; the API takes text. Pass str(...)."
                )
            fields[name], texts = value, False  # a subclass, such as an enumeration
    for name in extra:
        if name in params:
            raise InvalidRequestError(
                f"extra[{name!r}] would override a documented parameter; pass it by its own name."
            )
        fields[name] = extra[name]
    try:
        body = dumps_texts(fields) if texts else dumps(fields)
    except (TypeError, ValueError) as error:  # UnicodeEncodeError (a lone surrogate) is a ValueError
        why = "a lone surrogate is not valid Unicode" if isinstance(error, UnicodeEncodeError) else str(error)
        raise InvalidRequestError(f"{endpoint.resource}: a parameter cannot be written as JSON: {why}.") from None
    return HttpRequest(template, body)
