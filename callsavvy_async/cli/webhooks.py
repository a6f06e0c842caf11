"""``callsavvy webhooks``: make a secret, watch events come in, post events to a server under development."""

from __future__ import annotations

import http.client
import json
import sys
from typing import Annotated
from urllib.parse import urlsplit

import attrs
from cyclopts import App, Parameter
from cyclopts.validators import Number

from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.interrupts import until_interrupted
from callsavvy_async.cli.stderr import tell
from callsavvy_async.cli.webhooks_server import listening
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.simulator.webhooks import post_event
from callsavvy_async.webhooks import (
    CallerInformation,
    ChatbotCallback,
    Event,
    Notification,
    UnknownEvent,
    Webhooks,
    new_secret,
)
from callsavvy_async.webhooks.events import EVENT_TYPES

_commands = App(name="webhooks", help="Receive Callsavvy's events, and try out a server that does.")


def register(app: App) -> None:
    """Add the commands."""
    app.command(_commands)


@_commands.command
def secret() -> None:
    """Draw a secret for a callback URL."""
    print(new_secret())


@_commands.command(name="serve")
def serve_events(
    *,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65_535))] = 0,
    secret: Annotated[str | None, Parameter(name="--secret")] = None,
    bot_text: str = "",
) -> None:
    """Listen on loopback and print each event as a line of JSON until Ctrl-C. They hold personal data.

    Args:
        port: The port; any free one when 0.
        secret: The secret of the callback URL; a new one unless given.
        bot_text: What chatbots are answered.
    """
    valid = secret or new_secret()
    with listening(_printing(valid, bot_text), port=port) as address, until_interrupted() as wait:
        tell(f"callback URL: http://{address}/{valid}")
        tell("Ctrl-C ends it.")
        wait()


def _check_event(_type: object, event: str) -> None:
    if event not in EVENT_TYPES:
        raise ValueError(f"there is no event {event!r}; it is one of {', '.join(EVENT_TYPES)}.")


@_commands.command
def trigger(
    event: Annotated[str, Parameter(validator=_check_event)],
    /,
    *,
    url: str,
    field: tuple[str, ...] = (),
    timeout: Annotated[float, Parameter(validator=Number(gt=0))] = 10.0,
) -> ExitCode:
    """Post an event as Callsavvy does, chatbotCallback as a form and the others as JSON, and print the answer.

    Args:
        event: Its name, such as callSummary.
        url: The callback URL, with its secret.
        field: A field that is to differ from the built-in sample, as caller_number=+2348012345678; may be repeated.
        timeout: Seconds to wait for the answer.
    """
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise InvalidRequestError("--url is no http or https URL; write it as http://127.0.0.1:8000/hooks/SECRET.")
    try:
        answer = post_event(url, event, dict(map(_split, field)), timeout=timeout).result()
    except http.client.HTTPException as error:
        tell(f"callsavvy: what answered there is no web server ({type(error).__name__}).")
        return ExitCode.FAILED
    tell(f"{answer.status} {answer.content_type or '(no content)'}")
    sys.stdout.write(answer.body.decode(errors="replace") + ("\n" if answer.body else ""))
    return ExitCode.DONE if answer.status == http.client.OK else ExitCode.FAILED


def _split(field: str) -> tuple[str, str]:
    name, equals, value = field.partition("=")
    if not (name and equals):
        raise InvalidRequestError("a --field has no '='; write it as name=value.")
    return name, value


def _printing(secret: str, bot_text: str) -> Webhooks:
    hooks = Webhooks(secrets=[secret])

    def show(event: Event) -> None:
        fields = attrs.asdict(event, filter=lambda field, value: field.name != "raw" and value is not None)
        print(json.dumps(fields, ensure_ascii=False, default=str), flush=True)

    async def show_notification(event: Notification) -> None:
        show(event)

    for event_type in (*EVENT_TYPES.values(), UnknownEvent):
        if issubclass(event_type, Notification):
            hooks.on(event_type)(show_notification)

    @hooks.on(CallerInformation)
    async def show_caller(event: CallerInformation) -> None:
        show(event)

    @hooks.on(ChatbotCallback)
    async def answer_chatbot(event: ChatbotCallback) -> str:
        show(event)
        return bot_text

    return hooks
