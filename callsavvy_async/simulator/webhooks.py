"""Post events to a business's callback URL (API document: "Callsavvy Webhooks").

chatbotCallback is a form, the other events are JSON. A background thread posts each event, so that the receiver may run
in the caller's thread, on any event loop.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

EVENTS: Mapping[str, Mapping[str, str]] = {
    "callerInformation": {
        "call_department": "ZGVwdC0x",
        "caller_number": "+2348012345678",
        "call_status": "routing",
    },
    "callSummary": {
        "call_direction": "Incoming",
        "call_department": "ZGVwdC0x",
        "caller_number": "+2348012345678",
        "recording_url": "https://recordings.example/2026/11/call-17.mp3",
        "call_duration": "94",
        "call_status": "finished",
    },
    "newTicketOpened": {
        "ticket_id": "dGlja2V0LTE=",
        "ticket_department": "ZGVwdC0x",
        "ticket_subject": "My parcel has not come",
        "sender_email": "ada@example.com",
        "ticket_status": "New",
    },
    "ticketEscalated": {
        "ticket_id": "dGlja2V0LTE=",
        "ticket_department": "ZGVwdC0x",
        "last_ticket_reply": "2026-11-22 08:15:00",
        "ticket_subject": "My parcel has not come",
        "sender_email": "ada@example.com",
        "ticket_status": "Awaiting Agent Reply",
    },
    "newChat": {
        "chat_department": "ZGVwdC0x",
        "visitor_name": "Ada Obi",
        "visitor_email": "ada@example.com",
        "visitor_phone": "+2348012345678",
    },
    "chatbotCallback": {
        "original_message": "What are your opening hours? Är ni öppna & lediga?",
        "sender_name": "Ada Obi",
        "bot_name": "Opening hours",
        "department": "Sales",
        "business_name": "Example Ltd",
    },
}
"""Sample fields of each event, under the API's names."""
FORM_ENCODED = frozenset({"chatbotCallback"})
"""The form-encoded events."""


@dataclass(frozen=True, slots=True)
class CallbackResponse:
    """The response of the business's server to an event."""

    status: int
    content_type: str
    body: bytes


def encode_event(event: str, fields: Mapping[str, str] | None = None) -> tuple[str, bytes]:
    """Return an event's content type and body.

    Args:
        event: Name of the event. An undocumented event consists of the fields alone.
        fields: Fields under the API's names, which replace those of `EVENTS`.
    """
    values = {"event": event, **EVENTS.get(event, {}), **(fields or {})}
    if event in FORM_ENCODED:
        return "application/x-www-form-urlencoded", urlencode(values).encode()
    return "application/json", json.dumps(values).encode()


def new_ticket_fields(ticket: Mapping[str, str]) -> Mapping[str, str]:
    """Turn a row of getTickets into the fields of newTicketOpened."""
    return {
        "ticket_id": ticket["ticket_id"],
        "ticket_department": ticket["department_id"],
        "ticket_subject": ticket["subject"],
        "sender_email": ticket["sender_email"],
        "ticket_status": ticket["ticket_status"],
    }


def post_event(
    url: str, event: str, fields: Mapping[str, str] | None = None, *, timeout: float = 10.0
) -> Future[CallbackResponse]:
    """Post an event in the background.

    Args:
        url: Callback URL.
        event: See `encode_event`.
        fields: See `encode_event`.
        timeout: Seconds for connecting, and for each read.

    Returns:
        A future of the response, or of an OSError or HTTPException. Wait for it with ``.result()`` in synchronous code,
        and with ``await asyncio.wrap_future(...)`` in asyncio.
    """
    answer: Future[CallbackResponse] = Future()

    def run() -> None:
        try:
            answer.set_result(_post(url, *encode_event(event, fields), timeout=timeout))
        except (OSError, http.client.HTTPException) as error:
            answer.set_exception(error)

    threading.Thread(target=run, name=f"callsavvy-simulator-{event}", daemon=True).start()
    return answer


def _post(url: str, content_type: str, body: bytes, *, timeout: float) -> CallbackResponse:
    target = urlsplit(url)
    connect = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = connect(target.hostname or "", target.port, timeout=timeout)
    try:
        path = f"{target.path or '/'}{f'?{target.query}' if target.query else ''}"
        connection.request("POST", path, body, {"content-type": content_type})
        response = connection.getresponse()
        return CallbackResponse(response.status, response.getheader("content-type", ""), response.read())
    finally:
        connection.close()
