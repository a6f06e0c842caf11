"""The specification of a campaign, as the journal stores it: message, request sizes and send times."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Literal, TypeAlias, TypedDict, Unpack, get_args

import attrs

from callsavvy_async.bulk.arrow_rows import SupportsArrowStream
from callsavvy_async.bulk.chunks import Chunker
from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.options import RecipientOptions, SendSettings, recipient_settings, refuse_unknown_options
from callsavvy_async.bulk.plan import Plan
from callsavvy_async.bulk.planning import make_plan
from callsavvy_async.bulk.recipients import RecipientInput, Skipped
from callsavvy_async.campaigns.errors import JournalDamagedError
from callsavvy_async.campaigns.journal.leaving_out import skipped_as_recent
from callsavvy_async.campaigns.windows import SendWindow
from callsavvy_async.errors import ConfigurationError, InvalidRequestError
from callsavvy_async.messages import Message
from callsavvy_async.policy.pacer import at_least_one

DISTINCT_SUMS = (84, 83, 82, 80, 77, 71, 60, 40)
"""Sizes of which any two selections have different sums (the Conway-Guy sequence). The units missing from a balance thus
identify the charged chunks among those in flight together."""


AfterCanary: TypeAlias = Literal["pause", "stop", "continue"]
"""What a campaign does after its canary."""
MAX_FAILURES = 0.2
"""Default share of a canary's responses that may be failures."""


class CampaignOptions(TypedDict, total=False):
    """Request sizes and send times of a campaign.

    Attributes:
        chunk_size: recipients per request; by default 100, and 30 for WhatsApp.
        reconcilable: use request sizes that the balance can distinguish, instead of `chunk_size`. SMS only.
        send_window: daily window, such as ``"09:00-18:00"``.
        time_zone: zone of the window: an IANA name, or ``"recipient"`` for each number's zones (extra ``phone``).
        start_at: earliest time of the first request, as an aware datetime.
        canary: number of people, the first of the list, who get the message before everybody else.
        after_canary: what follows them: "pause" until `Journal.go_on`, "stop", or "continue".
        max_failures: share of the canary's responses, from 0 to 1, of which failed and rejected recipients may be at most.
            Above it the campaign stops.
        not_within: skip people to whom another campaign of the journal sent on the same channel within this period, or may
            have sent. Each run checks it just before every request.
    """

    chunk_size: int | None
    reconcilable: bool
    send_window: str | None
    time_zone: str | None
    start_at: datetime | None
    canary: int | None
    after_canary: AfterCanary
    max_failures: float
    not_within: timedelta | None


def _share(_: object, field: attrs.Attribute[float], value: object) -> None:
    if not (isinstance(value, int | float) and 0 <= value <= 1):
        raise ConfigurationError(f"{field.name} is {value!r}; it must be a share from 0 to 1, such as 0.2.")


def _aware(_: object, field: attrs.Attribute[datetime | None], value: object) -> None:
    if value is not None and (not isinstance(value, datetime) or value.tzinfo is None):
        raise InvalidRequestError(f"{field.name} is {value!r}, which has no time zone; give an aware datetime.")


def _period(_: object, field: attrs.Attribute[timedelta | None], value: object) -> None:
    if value is not None and not (isinstance(value, timedelta) and value > timedelta()):
        raise ConfigurationError(f"{field.name} is {value!s}; it must be a period longer than 0, such as 7 days.")


@attrs.frozen(kw_only=True)
class CampaignSettings:
    """See `CampaignOptions`."""

    chunk_size: int | None = None
    reconcilable: bool = False
    send_window: str | None = None
    time_zone: str | None = None
    start_at: datetime | None = attrs.field(default=None, validator=_aware)
    canary: int | None = attrs.field(default=None, validator=attrs.validators.optional(at_least_one))
    after_canary: AfterCanary = "pause"
    max_failures: float = attrs.field(default=MAX_FAILURES, validator=_share)
    not_within: timedelta | None = attrs.field(default=None, validator=_period)

    def __attrs_post_init__(self) -> None:
        if self.time_zone is not None and self.send_window is None:
            raise ConfigurationError(
                f"time_zone is {self.time_zone!r} without a send_window=; add one, or leave it out."
            )
        if self.after_canary not in get_args(AfterCanary):
            raise ConfigurationError(
                f"after_canary is {self.after_canary!r}; it must be 'pause', 'stop' or 'continue'."
            )
        self.window  # noqa: B018 - validates

    @property
    def window(self) -> SendWindow | None:
        """Daily window in which requests may start; None for any time."""
        return None if self.send_window is None else SendWindow.parse(self.send_window, self.time_zone)


def campaign_settings(**options: Unpack[CampaignOptions]) -> CampaignSettings:
    """Validate the options of a campaign.

    Raises:
        ConfigurationError: an option does not exist or is invalid.
        InvalidRequestError: an option is invalid.
    """
    refuse_unknown_options(options, CampaignSettings, "a campaign")
    return CampaignSettings(**options)


@attrs.frozen
class Spec:
    """The message and the settings of a campaign."""

    message: Message
    settings: CampaignSettings = attrs.field(factory=CampaignSettings)

    def __attrs_post_init__(self) -> None:
        if self.settings.reconcilable and (self.settings.chunk_size is not None or not self.message.is_reconcilable):
            raise InvalidRequestError(
                "reconcilable=True works for SMS only, and sets the request sizes itself; leave out it or chunk_size=."
            )
        self.chunk_sizes  # noqa: B018 - validates

    @property
    def chunk_sizes(self) -> tuple[int, ...]:
        """Numbers of recipients per request, used in turn."""
        return DISTINCT_SUMS if self.settings.reconcilable else (self.message.chunk_size(self.settings.chunk_size),)

    def chunker(self, loaded: int = 0) -> Chunker:
        """Return a chunker with these settings. The canary shares no chunk with others.

        Args:
            loaded: number of recipients loaded before.
        """
        window, canary = self.settings.window, self.settings.canary
        return Chunker(
            size=self.chunk_sizes,
            message=self.message,
            with_fields=False,
            zone_of=None if window is None else window.zone_of,
            cut_after=None if canary is None else canary - loaded,
        )

    def differences(self, other: Spec) -> tuple[str, ...]:
        """Return the names of the arguments in which another spec differs."""
        own, others = self._arguments(), other._arguments()
        return tuple(name for name in {**own, **others} if own.get(name) != others.get(name))

    def to_json(self) -> str:
        """Serialise the spec with a checksum, so that a damaged text is never sent."""
        return _signed(json.dumps({"message": self.message.to_json(), "settings": self._settings()}))

    @classmethod
    def from_json(cls, text: str) -> Spec:
        """Parse the output of `to_json`.

        Raises:
            JournalDamagedError: the checksum does not match.
            InvalidRequestError: this version does not support the channel.
        """
        _, _, content = text.partition(" ")
        if _signed(content) != text:
            raise JournalDamagedError("the campaign's message is damaged: its checksum is wrong; nothing is sent.")
        kept: Mapping[str, dict[str, object]] = json.loads(content)
        settings = kept["settings"]
        start, seconds = settings.pop("start_at"), settings.pop("not_within")
        at = None if start is None else datetime.fromisoformat(str(start))
        period = None if seconds is None else timedelta(seconds=float(str(seconds)))
        made = CampaignSettings(**settings, start_at=at, not_within=period)  # type: ignore[arg-type] # by the checksum
        return cls(Message.from_json(kept["message"]), made)

    def without_texts(self) -> Spec:
        """Return the spec without personal data, for a purge."""
        return attrs.evolve(self, message=self.message.without_texts())

    def _settings(self) -> Mapping[str, object]:
        start, period = self.settings.start_at, self.settings.not_within
        return {
            **attrs.asdict(self.settings),
            "start_at": None if start is None else start.isoformat(),
            "not_within": None if period is None else period.total_seconds(),
        }

    def _arguments(self) -> Mapping[str, object]:
        return {**self.message.to_json(), **self._settings()}


def plan_campaign(
    rows: Iterable[RecipientInput] | SupportsArrowStream,
    message: Message,
    options: CampaignOptions,
    recipients: RecipientOptions,
    *,
    balance: Decimal | None = None,
    max_cost: Decimal | None = None,
    on_skipped: Callable[[Skipped], object] | None = None,
    reached: NumberSet | None = None,
) -> Plan:
    """Plan a campaign offline; see `Bulk.plan`.

    Args:
        rows: the recipients; read once.
        message: the message to send.
        options: options of the campaign.
        recipients: options of the load.
        balance: units available, for comparison.
        max_cost: largest number of units to spend.
        on_skipped: gets each row that would be skipped.
        reached: for `not_within`, whom other campaigns reached, from `Journal.reached_within`.

    Raises:
        ConfigurationError: an option does not exist or is invalid.
        InvalidRequestError: an argument is invalid.
    """
    SendSettings(max_cost=max_cost).check_for(message)
    settings = campaign_settings(**options)
    period = settings.not_within or timedelta()
    if reached is not None and not period:
        raise InvalidRequestError("reached is given, but the options have no not_within; give both, or neither.")
    return make_plan(
        rows,
        message,
        recipient_filter=recipient_settings(**recipients).recipient_filter(message),
        chunkers=[Spec(message, settings).chunker()],
        balance=balance,
        max_cost=max_cost,
        on_skipped=on_skipped,
        leave_out=None if reached is None else partial(skipped_as_recent, reached, period),
    )


def _signed(content: str) -> str:
    return f"{hashlib.sha256(content.encode()).hexdigest()[:16]} {content}"
