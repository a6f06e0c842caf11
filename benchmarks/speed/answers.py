"""The servers' responses: a fixed one for each API."""

from __future__ import annotations

import json
from typing import NamedTuple


class Answer(NamedTuple):
    """A status and a JSON document."""

    status: int
    document: object

    @property
    def body(self) -> str:
        """The document as compact JSON."""
        return json.dumps(self.document, separators=(",", ":"))


NUMBER = "+2348012345678"
TEXT = "We open again on Monday at nine."
TICKETS = 10_000

SEND_SMS = Answer(
    200,
    {
        "resource": "sendSMS",
        "status": "success",
        "data": {"message_id": "f3be6388667597f9", "cost": "1", "status": "sent"},
    },
)

ANSWERS = {
    "/v1/sendSMS": SEND_SMS,
    "/v2/messages": Answer(
        200,
        {
            "data": {
                "id": "40385f64-5717-4562-b3fc-2c963f66afa6",
                "record_type": "message",
                "direction": "outbound",
                "type": "SMS",
                "text": TEXT,
                "to": [{"phone_number": NUMBER, "status": "queued", "carrier": "", "line_type": ""}],
            }
        },
    ),
    "/2010-04-01/": Answer(
        201,
        {
            "sid": "SM00000000000000000000000000000000",
            "account_sid": "AC00000000000000000000000000000000",
            "body": TEXT,
            "direction": "outbound-api",
            "from": "+15005550006",
            "to": NUMBER,
            "status": "queued",
            "num_segments": "1",
            "num_media": "0",
            "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
            "date_updated": "Thu, 24 Aug 2023 05:01:45 +0000",
        },
    ),
    "/v1/Account/": Answer(
        202, {"message": "message(s) queued", "message_uuid": ["db3ce55a-7f1d-11e1-8ea7-1231380bc196"], "api_id": "1"}
    ),
    "/sms/json": Answer(
        200,
        {
            "message-count": "1",
            "messages": [
                {
                    "to": NUMBER,
                    "message-id": "0A0000000123ABCD1",
                    "status": "0",
                    "remaining-balance": "3.14",
                    "message-price": "0.03",
                    "network": "62130",
                }
            ],
        },
    ),
    "/xms/v1/": Answer(
        201,
        {
            "id": "01FC66621XXXXX119Z8PMV1QPQ",
            "to": [NUMBER],
            "from": "+15005550006",
            "canceled": False,
            "body": TEXT,
            "type": "mt_text",
            "created_at": "2023-08-24T05:01:45.123Z",
            "modified_at": "2023-08-24T05:01:45.123Z",
            "delivery_report": "none",
            "expire_at": "2023-08-27T05:01:45.123Z",
            "flash_message": False,
        },
    ),
}
"""Responses by the prefixes of their paths."""


def tickets(count: int = TICKETS) -> Answer:
    """Make the response to getTickets: a long list of different tickets."""
    return Answer(200, {"resource": "getTickets", "status": "success", "data": [_ticket(n) for n in range(count)]})


def _ticket(number: int) -> dict[str, str]:
    day, minute = divmod(number, 600)
    opened = f"2026-{day // 28 + 1:02}-{day % 28 + 1:02} {minute // 60 + 8:02}:{minute % 60:02}:44"
    return {
        "ticket_id": f"8y6Q8IsFg2{number:06}==",
        "datetime": opened,
        "ticket_status": "Closed" if number % 3 else "Awaiting Customer Reply",
        "last_reply": opened if number % 5 else "",
        "subject": f"Invoice {number} is wrong",
        "sender_name": "Réka Liu-Wei",
        "sender_email": f"reka{number}@example.com",
        "department_id": "dDgEV7dnZnvHaw==",
    }
