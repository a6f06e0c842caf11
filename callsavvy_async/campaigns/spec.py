"""What a campaign sends and when, as it is kept in the journal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypedDict, Unpack

import attrs

from callsavvy_async.bulk.chunks import Chunker
from callsavvy_async.bulk.options import RecipientOptions, SendSettings, recipient_settings, refuse_unknown_options
from callsavvy_async.bulk.plan import Plan, make_plan
from callsavvy_async.bulk.recipients import RecipientInput
from callsavvy_async.campaigns.errors import JournalDamagedError
from callsavvy_async.campaigns.windows import SendWindow
from callsavvy_async.errors import ConfigurationError, InvalidRequestError
from callsavvy_async.messages import Message

DISTINCT_SUMS = (84, 83, 82, 80, 77, 71, 60, 40)
"""Sizes of which no two selections add up to the same (the Conway-Guy sequence): what is missing from a balance tells
which of the chunks in flight together were charged."""


class CampaignOptions(TypedDict, total=False):
    """How the recipients of a campaign are cut into requests, and when these may start.

    Attributes:
        chunk_size: recipients per request; 100 unless given, 30 for WhatsApp.
        reconcilable: cut requests of sizes that the balance can tell apart, instead of `chunk_size`. SMS only.
        send_window: every day: ``"09:00-18:00"``.
        time_zone: of the window: an IANA name, or ``"recipient"`` for the zones of each number (extra ``phone``).
        start_at: the first moment, aware.
    """

    chunk_size: int | None
    reconcilable: bool
    send_window: str | None
    time_zone: str | None
    start_at: datetime | None


def _aware(_: object, field: attrs.Attribute[datetime | None], value: object) -> None:
    if value is not None and (not isinstance(value, datetime) or value.tzinfo is None):
        raise InvalidRequestError(f"{field.name} is {value!r}, which has no time zone; give an aware datetime.")


@attrs.frozen(kw_only=True)
class CampaignSettings:
    """See `CampaignOptions`."""

    chunk_size: int | None = None
    reconcilable: bool = False
    send_window: str | None = None
    time_zone: str | None = None
    start_at: datetime | None = attrs.field(default=None, validator=_aware)

    def __attrs_post_init__(self) -> None:
        if self.time_zone is not None and self.send_window is None:
            raise ConfigurationError("time_zone is that of a send_window=, and there is none.")
        self.window  # noqa: B018 - raises when it is wrong

    @property
    def window(self) -> SendWindow | None:
        """When chunks may be sent; None for always."""
        return None if self.send_window is None else SendWindow.parse(self.send_window, self.time_zone)


def campaign_settings(**options: Unpack[CampaignOptions]) -> CampaignSettings:
    """Take in the options of a campaign.

    Raises:
        ConfigurationError: one does not exist, or breaks a rule.
        InvalidRequestError: one breaks a rule.
    """
    refuse_unknown_options(options, CampaignSettings, "a campaign")
    return CampaignSettings(**options)


@attrs.frozen
class Spec:
    """What a campaign sends, and when."""

    message: Message
    settings: CampaignSettings = attrs.field(factory=CampaignSettings)

    def __attrs_post_init__(self) -> None:
        if self.settings.reconcilable and (self.settings.chunk_size is not None or not self.message.is_reconcilable):
            raise InvalidRequestError(
                "reconcilable=True chooses the sizes of requests itself, and works for SMS only, whose cost is documented."
            )
        self.chunk_sizes  # noqa: B018 - raises when they are wrong

    @property
    def chunk_sizes(self) -> tuple[int, ...]:
        """Recipients per request, used in turn."""
        return DISTINCT_SUMS if self.settings.reconcilable else (self.message.chunk_size(self.settings.chunk_size),)

    def chunker(self) -> Chunker:
        """Return what cuts the recipients."""
        window = self.settings.window
        zone_of = None if window is None else window.zone_of
        return Chunker(size=self.chunk_sizes, message=self.message, with_fields=False, zone_of=zone_of)

    def differences(self, other: Spec) -> tuple[str, ...]:
        """Name the arguments in which another spec differs."""
        own, others = self._arguments(), other._arguments()
        return tuple(name for name in {**own, **others} if own.get(name) != others.get(name))

    def to_json(self) -> str:
        """Write it down, with a checksum: nobody may get a text that nobody wrote."""
        return _signed(json.dumps({"message": self.message.to_json(), "settings": self._settings()}))

    @classmethod
    def from_json(cls, text: str) -> Spec:
        """Read back what `to_json` wrote.

        Raises:
            JournalDamagedError: it is not what was written.
            InvalidRequestError: it is of a channel that does not exist here.
        """
        _, _, content = text.partition(" ")
        if _signed(content) != text:
            raise JournalDamagedError("what the campaign sends is damaged; nothing is sent.")
        kept: Mapping[str, dict[str, object]] = json.loads(content)
        settings = kept["settings"]
        start = settings.pop("start_at")
        at = None if start is None else datetime.fromisoformat(str(start))
        return cls(Message.from_json(kept["message"]), CampaignSettings(**settings, start_at=at))  # type: ignore[arg-type] # as they were written

    def without_texts(self) -> Spec:
        """Return what is left after a purge."""
        return attrs.evolve(self, message=self.message.without_texts())

    def _settings(self) -> Mapping[str, object]:
        start = self.settings.start_at
        return {**attrs.asdict(self.settings), "start_at": None if start is None else start.isoformat()}

    def _arguments(self) -> Mapping[str, object]:
        return {**self.message.to_json(), **self._settings()}


def plan_campaign(
    rows: Iterable[RecipientInput],
    message: Message,
    options: CampaignOptions,
    recipients: RecipientOptions,
    *,
    balance: Decimal | None = None,
    max_cost: Decimal | None = None,
) -> Plan:
    """Work out offline what a campaign would do; see `Bulk.plan`. Its requests are cut when the list is loaded.

    Args:
        rows: the recipients; read once.
        message: what they get.
        options: of the campaign.
        recipients: the options of the load.
        balance: units at hand, to compare with.
        max_cost: units that may be spent.

    Raises:
        ConfigurationError: an option does not exist, or breaks a rule.
        InvalidRequestError: an argument breaks a rule.
    """
    SendSettings(max_cost=max_cost).check_for(message)
    return make_plan(
        rows,
        message,
        recipient_filter=recipient_settings(**recipients).recipient_filter(message),
        chunkers=[Spec(message, campaign_settings(**options)).chunker()],
        balance=balance,
        max_cost=max_cost,
    )


def _signed(content: str) -> str:
    return f"{hashlib.sha256(content.encode()).hexdigest()[:16]} {content}"
