"""What a webhook is answered: replies, and how a handler's value becomes one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import attrs

from callsavvy_async.webhooks.events import AnsweredEvent, CallerInformation, ChatbotCallback
from callsavvy_async.wire.model import private

_PLAIN = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"


@attrs.frozen(kw_only=True)
class CallerCard:
    """What the call screen shows of a caller (document: "Caller Information")."""

    name: str = private("")
    email: str = private("")
    info: str = private("")
    """Any text of yours; on the wire ``customer_info``."""


@runtime_checkable
class SupportsHtml(Protocol):
    """Something that renders itself as safe HTML, as `markupsafe.Markup` does."""

    def __html__(self) -> str:
        """Return HTML, escaped."""
        ...


@attrs.frozen(kw_only=True)
class Reply:
    """An HTTP answer, for any server to send."""

    status: int
    body: bytes = attrs.field(default=b"", repr=lambda body: f"<{len(body)} bytes>")
    content_type: str | None = None
    extra_headers: tuple[tuple[str, str], ...] = ()

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """All headers but those that a server adds itself; names in lower case."""
        kind = (("content-type", self.content_type),) if self.content_type else ()
        return (*kind, ("content-length", str(len(self.body))), ("cache-control", "no-store"), *self.extra_headers)


ACKNOWLEDGED = Reply(status=200)
MALFORMED = Reply(status=400)
NOT_FOUND = Reply(status=404, body=b"Not Found", content_type=_PLAIN)
NOT_POST = Reply(status=405, extra_headers=(("allow", "POST"),))
TOO_SLOW = Reply(status=408)
TOO_LARGE = Reply(status=413)
OVERLOADED = Reply(status=503, extra_headers=(("retry-after", "5"),))


def render_card(value: object) -> Reply:
    """Answer callerInformation.

    Raises:
        TypeError: when it is neither a `CallerCard` nor None.
    """
    card = CallerCard() if value is None else value
    if not isinstance(card, CallerCard):
        raise TypeError(f"it returned {type(card).__name__}; a CallerCard or None is wanted")
    fields = {
        "status": "success",
        "caller_name": card.name,
        "caller_email": card.email,
        "customer_info": card.info,
    }
    return Reply(status=200, body=json.dumps(fields).encode(), content_type="application/json")


def render_text(value: object) -> Reply:
    """Answer chatbotCallback: what has ``__html__`` as HTML, text as plain text.

    Raises:
        TypeError: when it is neither.
        UnicodeEncodeError: when the text holds lone surrogates.
    """
    if isinstance(value, SupportsHtml):
        return Reply(status=200, body=value.__html__().encode(), content_type=_HTML)
    if not isinstance(value, str):
        raise TypeError(f"it returned {type(value).__name__}; a str or an object with __html__ is wanted")
    return Reply(status=200, body=value.encode(), content_type=_PLAIN)


@attrs.frozen
class Answering:
    """How an event is answered: what makes a reply of a handler's value, and the reply when there is no such value."""

    render: Callable[[object], Reply]
    fallback: Reply


ANSWERING: Mapping[type[AnsweredEvent], Answering] = {
    CallerInformation: Answering(render_card, fallback=render_card(None)),
    ChatbotCallback: Answering(render_text, fallback=render_text("")),
}
"""The events that are answered. The fallback breaks no live call: an unrecognised caller, an empty text (quirk Q54)."""
