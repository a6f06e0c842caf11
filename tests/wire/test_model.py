"""Models as mappings, for whatever writes them as JSON."""

from __future__ import annotations

import typing
from datetime import datetime

from callsavvy_async.models import SendReceipt, SendStatus, Ticket
from callsavvy_async.webhooks import CallSummary


def test_a_model_is_a_mapping_of_its_fields() -> None:
    """Each field by our name, with its value; without `raw`, which repeats them as bytes."""
    receipt = SendReceipt(raw=b"\xff", message_id="m", status=SendStatus.SENT)
    assert receipt.as_dict() == {"extra": {}, "message_id": "m", "cost": None, "status": SendStatus.SENT}
    assert vars(receipt) == receipt.as_dict()


def test_the_types_of_a_model_match_its_mapping() -> None:
    """Who describes a model finds a type for each key, without the notes of the wire."""
    types = Ticket.field_types()
    assert types.keys() == Ticket().as_dict().keys()
    assert types["created_at"] == typing.Optional[datetime]  # noqa: UP045 - what the hints resolve to
    assert "raw" not in CallSummary.field_types()
