"""What a campaign sends, said in the words of each channel; users call these as `Campaign.sms` and the like."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypedDict, Unpack

from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.resources.messaging import format_minutes


class Schedule(TypedDict, total=False):
    """When the calls of a campaign may start.

    Attributes:
        send_window: every day: ``"09:00-18:00"``.
        time_zone: of the window: an IANA name, or ``"recipient"`` for the zones of each number (extra ``phone``).
        start_at: the first moment, aware.
    """

    send_window: str | None
    time_zone: str | None
    start_at: datetime | None


class _Written(TypedDict):
    """A schedule as a spec keeps it."""

    send_window: str | None
    time_zone: str | None
    start_at: str | None


def _written(schedule: Schedule) -> _Written:
    start = schedule.get("start_at")
    return {
        "send_window": schedule.get("send_window"),
        "time_zone": schedule.get("time_zone"),
        "start_at": None if start is None else start.isoformat(),
    }


def sms(
    message: str | None = None,
    *,
    template: str | None = None,
    sender_id: str | None = None,
    chunk_size: int | None = None,
    reconcilable: bool = False,
    **schedule: Unpack[Schedule],
) -> Spec:
    """Describe a campaign of SMS.

    Args:
        message: the text for all; or
        template: text with ``{placeholders}`` for the fields of each recipient.
        sender_id: what the recipients see as sender.
        chunk_size: recipients per call; 100 unless given.
        reconcilable: cut chunks of sizes that the balance can tell apart, instead of `chunk_size`.
        **schedule: when calls may start; see `Schedule`.

    Raises:
        InvalidRequestError: an argument breaks a rule.
    """
    return Spec(
        channel="sms",
        message=message,
        template=template,
        sender_id=sender_id,
        chunk_size=chunk_size,
        reconcilable=reconcilable,
        **_written(schedule),
    )


def whatsapp(
    message: str | None = None,
    *,
    channel_uid: str,
    template: str | None = None,
    chunk_size: int | None = None,
    **schedule: Unpack[Schedule],
) -> Spec:
    """Describe a campaign of WhatsApp messages, at most 30 in a call. See `sms`; the API reports no cost."""
    return Spec(
        channel="whatsapp",
        message=message,
        template=template,
        channel_uid=channel_uid,
        chunk_size=chunk_size,
        **_written(schedule),
    )


def robocall(
    text: str | None = None,
    *,
    duration_minutes: int | Decimal | timedelta,
    audio_url: str | None = None,
    template: str | None = None,
    chunk_size: int | None = None,
    **schedule: Unpack[Schedule],
) -> Spec:
    """Describe a campaign of robocalls that read out a text, or play the recording at `audio_url`. See `sms`."""
    return Spec(
        channel="robocall",
        message=text,
        audio_url=audio_url,
        template=template,
        minutes=format_minutes(duration_minutes),
        chunk_size=chunk_size,
        **_written(schedule),
    )
