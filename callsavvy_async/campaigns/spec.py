"""What a campaign sends, as it is kept in the journal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from callsavvy_async.bulk.chunks import Chunk, Content
from callsavvy_async.bulk.plan import Channel
from callsavvy_async.bulk.sender import (
    Sender,
    checked_chunk_size,
    estimated_units,
    one_content,
    robocall_sender,
    sms_sender,
    whatsapp_sender,
)
from callsavvy_async.campaigns.errors import JournalDamagedError
from callsavvy_async.campaigns.windows import SendWindow
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.redaction import mask_text
from callsavvy_async.resources.messaging import Messaging

DISTINCT_SUMS = (84, 83, 82, 80, 77, 71, 60, 40)
"""Sizes of which no two selections add up to the same (the Conway-Guy sequence): what is missing from a balance tells
which of the chunks in flight together were charged."""


@attrs.frozen(kw_only=True)
class Spec:
    """What a campaign sends. Made by `Campaign.sms`, `Campaign.whatsapp` or `Campaign.robocall`."""

    channel: Channel
    message: str | None = attrs.field(default=None, repr=mask_text)
    template: str | None = attrs.field(default=None, repr=mask_text)
    audio_url: str | None = attrs.field(default=None, repr=mask_text)
    sender_id: str | None = None
    channel_uid: str | None = attrs.field(default=None, repr=mask_text)
    minutes: str | None = None
    chunk_size: int | None = None
    reconcilable: bool = False
    send_window: str | None = None
    time_zone: str | None = None
    start_at: str | None = None

    def __attrs_post_init__(self) -> None:
        given = self.audio_url if self.message is None else self.message
        one_content(given, self.template)
        if self.audio_url is not None and self.message is not None:
            raise InvalidRequestError("a robocall plays either audio_url= or a text; give exactly one of the two.")
        if self.reconcilable and (self.chunk_size is not None or self.channel != "sms"):
            raise InvalidRequestError(
                "reconcilable=True chooses the sizes of chunks itself, and works for SMS only, whose cost is documented."
            )
        checked_chunk_size(self.channel, self.chunk_size)
        if self.start_at is not None and datetime.fromisoformat(self.start_at).tzinfo is None:
            raise InvalidRequestError("start_at has no time zone; give an aware datetime.")
        self.window  # noqa: B018 - raises when it is wrong

    @property
    def content(self) -> Content:
        """A text for all, or a template; of a recording its URL."""
        return one_content(self.audio_url if self.message is None else self.message, self.template)

    @property
    def window(self) -> SendWindow | None:
        """When chunks may be sent; None for always."""
        if self.send_window is None:
            return None
        return SendWindow.parse(self.send_window, self.time_zone)

    @property
    def chunk_sizes(self) -> tuple[int, ...]:
        """Recipients per call, used in turn."""
        return DISTINCT_SUMS if self.reconcilable else (checked_chunk_size(self.channel, self.chunk_size),)

    def sender(self, messaging: Messaging) -> Sender:
        """Return what sends its chunks."""
        match self.channel:
            case "sms":
                return sms_sender(messaging, self.sender_id)
            case "whatsapp":
                return whatsapp_sender(messaging, self.channel_uid or "")
            case _:
                return robocall_sender(messaging, Decimal(self.minutes or 0), recorded=self.audio_url is not None)

    def estimate(self, chunk: Chunk) -> Decimal:
        """Units that a chunk will cost by the document's rules; 0 where they give none."""
        return estimated_units(self.channel, chunk, None if self.minutes is None else Decimal(self.minutes))

    def differences(self, other: Spec) -> tuple[str, ...]:
        """Name the fields in which another spec differs."""
        fields = (field.name for field in attrs.fields(Spec))
        return tuple(name for name in fields if getattr(self, name) != getattr(other, name))

    def to_json(self) -> str:
        """Write it down, with a checksum: nobody may get a text that nobody wrote."""
        return _signed(json.dumps(attrs.asdict(self)))

    @classmethod
    def from_json(cls, text: str) -> Spec:
        """Read back what `to_json` wrote.

        Raises:
            JournalDamagedError: it is not what was written.
        """
        _, _, content = text.partition(" ")
        if _signed(content) != text:
            raise JournalDamagedError("what the campaign sends is damaged; nothing is sent.")
        fields: Mapping[str, Any] = json.loads(content)
        return cls(**fields)

    def without_texts(self) -> str:
        """Write down what is left after a purge."""
        private = ("message", "template", "audio_url")
        kept = attrs.asdict(self)
        return _signed(json.dumps(kept | {name: "(purged)" for name in private if kept[name] is not None}))


def _signed(content: str) -> str:
    return f"{hashlib.sha256(content.encode()).hexdigest()[:16]} {content}"
