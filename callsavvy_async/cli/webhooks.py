"""``callsavvy webhooks``: create a secret, print incoming events, post sample events to a server."""

from __future__ import annotations

import http.client
import json
from datetime import UTC, datetime
from functools import partial
from typing import Annotated
from urllib.parse import urlsplit

import anyio
import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from callsavvy_async.cli.activity import Activity, current_activity, refuse, show
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.http_thread import Handler, serving
from callsavvy_async.cli.interrupts import until_interrupted
from callsavvy_async.cli.journals import DEFAULT_JOURNAL, is_missing, with_journal
from callsavvy_async.cli.options import JournalName, Port, name_and_value
from callsavvy_async.cli.output import Result
from callsavvy_async.cli.stderr import tell
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.simulator.webhooks import post_event
from callsavvy_async.webhooks import (
    CallerInformation,
    ChatbotCallback,
    Event,
    Notification,
    Reply,
    UnknownEvent,
    Webhooks,
    new_secret,
)
from callsavvy_async.webhooks.events import EVENT_TYPES
from callsavvy_async.webhooks.parsing import MAX_BODY_BYTES
from callsavvy_async.wording import quantity


def secret() -> None:
    """Print a new random secret for a callback URL."""
    created = new_secret()
    show(Result({"secret": created}, created))


def dead(*, journal: JournalName = DEFAULT_JOURNAL) -> ExitCode:
    """List the events whose handler failed too often. Exit code 1 if there are any."""
    found = with_journal(journal, lambda opened: opened.inbox.dead())
    columns = ("key", "received", "detail")
    rows = [
        {
            "key": one.key,
            "received": f"{datetime.fromtimestamp(one.received, UTC):%Y-%m-%d %H:%M:%S}Z",
            "detail": one.detail,
        }
        for one in found
    ]
    show(Result(rows, columns=columns))
    return ExitCode.FAILED if found else ExitCode.DONE


def replay(key: str | None = None, /, *, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Let the server handle the events once more whose handler failed too often.

    Args:
        key: Key of one event, as `webhooks dead` shows it; by default all.
        journal: Journal file or URL.
    """
    count = with_journal(journal, lambda opened: opened.inbox.replay(key), read_only=is_missing(journal))
    show(Result({"events": count}, f"{quantity(count, 'event')} to be handled again"))


def serve_events(
    *,
    port: Port = 0,
    secret: Annotated[str | None, Parameter(name="--secret")] = None,
    bot_text: str = "",
) -> None:
    """Listen on loopback and print each event as a line of JSON until Ctrl-C. Events contain personal data.

    Args:
        port: Port (default: any free port).
        secret: Secret of the callback URL (default: a new one).
        bot_text: Text that replies to chatbotCallback events.
    """
    valid = secret or new_secret()
    handler = partial(_WebhookHandler, _printing(valid, bot_text, current_activity()))
    with serving(handler, host="127.0.0.1", port=port) as address, until_interrupted() as wait:
        tell(f"callback URL: http://{address}/{valid}")
        tell("Press Ctrl-C to stop.")
        wait()


def _check_event(_type: object, event: str) -> None:
    if event not in EVENT_TYPES:
        raise ValueError(f"unknown event {event!r}; use one of {', '.join(EVENT_TYPES)}.")


def trigger(
    event: Annotated[str, Parameter(validator=_check_event)],
    /,
    *,
    url: str,
    field: tuple[str, ...] = (),
    timeout: Annotated[float, Parameter(validator=Number(gt=0))] = 10.0,
) -> ExitCode:
    """Post a sample event as Callsavvy does (chatbotCallback as a form, others as JSON), and print the response.

    Args:
        event: Name of the event, e.g. callSummary.
        url: Callback URL with its secret.
        field: Field to replace in the sample, e.g. caller_number=+2348012345678; may be repeated.
        timeout: Seconds to wait for the response.
    """
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise InvalidRequestError("--url is not an http or https URL; write it as http://127.0.0.1:8000/hooks/SECRET.")
    try:
        response = post_event(
            url, event, dict(name_and_value("--field", pair) for pair in field), timeout=timeout
        ).result()
    except http.client.HTTPException as error:
        return refuse(f"the server at --url does not speak HTTP ({type(error).__name__}).", ExitCode.FAILED)
    tell(f"{response.status} {response.content_type or '(no content)'}")
    body = response.body.decode(errors="replace")
    show(Result({"status": response.status, "content_type": response.content_type, "body": body}, body))
    return ExitCode.DONE if response.status == http.client.OK else ExitCode.FAILED


class _WebhookHandler(Handler):
    def __init__(self, hooks: Webhooks, *arguments: object) -> None:
        self._hooks = hooks
        super().__init__(*arguments)  # type: ignore[arg-type] # socketserver's arguments

    def do_GET(self) -> None:  # noqa: N802 - the base class looks it up
        """Respond to a GET without reading its body."""
        self._respond(b"")

    def do_POST(self) -> None:  # noqa: N802 - the base class looks it up
        """Respond to a POST."""
        length = self.headers.get("content-length", "0")
        self._respond(self.rfile.read(min(int(length), MAX_BODY_BYTES + 1)) if length.isdecimal() else b"")

    def _respond(self, body: bytes) -> None:
        reply = anyio.run(self._handle_event, body)
        self.reply(reply.status, reply.headers, reply.body)

    async def _handle_event(self, body: bytes) -> Reply:
        return await self._hooks.handle(
            token=self.path.removeprefix("/"), body=body, method=self.command, headers=dict(self.headers.items())
        )


def _printing(secret: str, bot_text: str, activity: Activity) -> Webhooks:
    hooks = Webhooks(secrets=[secret])

    def show_event(event: Event) -> None:
        fields = attrs.asdict(event, filter=lambda field, value: field.name != "raw" and value is not None)
        activity.emit(Result(fields, json.dumps(fields, ensure_ascii=False, default=str)))

    async def show_notification(event: Notification) -> None:
        show_event(event)

    for event_type in (*EVENT_TYPES.values(), UnknownEvent):
        if issubclass(event_type, Notification):
            hooks.on(event_type)(show_notification)

    @hooks.on(CallerInformation)
    async def show_caller(event: CallerInformation) -> None:
        show_event(event)

    @hooks.on(ChatbotCallback)
    async def answer_chatbot(event: ChatbotCallback) -> str:
        show_event(event)
        return bot_text

    return hooks
