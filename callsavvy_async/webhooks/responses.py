"""Replies to webhooks, made from the return values of handlers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import attrs

from callsavvy_async.webhooks.events import AnsweredEvent, CallerInformation, ChatbotCallback
from callsavvy_async.wire.model import private
from callsavvy_async.wording import quantity

_PLAIN = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"


@attrs.frozen(kw_only=True)
class CallerCard:
    """The caller's details on the agent's call screen (document: "Caller Information").

    Attributes:
        name: Name of the caller.
        email: E-mail address of the caller.
        info: Free text, in the API called ``customer_info``.
    """

    name: str = private("")
    email: str = private("")
    info: str = private("")


@runtime_checkable
class SupportsHtml(Protocol):
    """An object that renders itself as safe HTML, such as `markupsafe.Markup`."""

    def __html__(self) -> str:
        """Return escaped HTML."""
        ...


def _headers_of(reply: Reply) -> tuple[tuple[str, str], ...]:
    kind = (("content-type", reply.content_type),) if reply.content_type else ()
    return (*kind, ("content-length", str(len(reply.body))), ("cache-control", "no-store"), *reply.extra_headers)


@attrs.frozen(kw_only=True)
class Reply:
    """An HTTP response, independent of the server.

    Attributes:
        status: HTTP status.
        body: Body, at most what `Webhooks` allows.
        content_type: Media type of the body; None without a body.
        extra_headers: Further header fields, names in lower case.
    """

    status: int
    body: bytes = attrs.field(default=b"", repr=lambda body: f"<{quantity(len(body), 'byte')}>")
    content_type: str | None = None
    extra_headers: tuple[tuple[str, str], ...] = ()

    headers: tuple[tuple[str, str], ...] = attrs.field(
        init=False, repr=False, eq=False, default=attrs.Factory(_headers_of, takes_self=True)
    )
    """Header fields, names in lower case. The server adds its own, such as Date."""


ACKNOWLEDGED = Reply(status=200)
MALFORMED = Reply(status=400)
NOT_FOUND = Reply(status=404, body=b"Not Found", content_type=_PLAIN)
NOT_POST = Reply(status=405, extra_headers=(("allow", "POST"),))
TOO_SLOW = Reply(status=408)
TOO_LARGE = Reply(status=413)
OVERLOADED = Reply(status=503, extra_headers=(("retry-after", "5"),))


def render_card(value: object) -> Reply:
    """Render the answer to callerInformation.

    Raises:
        TypeError: The value is neither a `CallerCard` nor None.
    """
    card = CallerCard() if value is None else value
    if not isinstance(card, CallerCard):
        raise TypeError(f"the handler returned {type(card).__name__}; return a CallerCard or None")
    fields = {
        "status": "success",
        "caller_name": card.name,
        "caller_email": card.email,
        "customer_info": card.info,
    }
    return Reply(status=200, body=json.dumps(fields).encode(), content_type="application/json")


def render_text(value: object) -> Reply:
    """Render the answer to chatbotCallback: an object with ``__html__`` as HTML, a str as plain text.

    Raises:
        TypeError: The value is neither.
        UnicodeEncodeError: The text holds lone surrogates.
    """
    if isinstance(value, SupportsHtml):
        return Reply(status=200, body=value.__html__().encode(), content_type=_HTML)
    if not isinstance(value, str):
        raise TypeError(f"the handler returned {type(value).__name__}; return a str or an object with __html__")
    return Reply(status=200, body=value.encode(), content_type=_PLAIN)


@attrs.frozen
class Answering:
    """The way to answer an event: a function that renders the handler's value, and the reply without a value."""

    render: Callable[[object], Reply]
    fallback: Reply


ANSWERING: Mapping[type[AnsweredEvent], Answering] = {
    CallerInformation: Answering(render_card, fallback=render_card(None)),
    ChatbotCallback: Answering(render_text, fallback=render_text("")),
}
"""The answered events. The fallback keeps a live call intact: an unknown caller, or an empty text."""
