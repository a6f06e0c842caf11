"""Words that several resources share: open enumerations, and the periods by which lists are filtered."""

from __future__ import annotations

import enum
from datetime import date, datetime, tzinfo
from typing import Self, TypeAlias, TypeVar

from callsavvy_async.errors import InvalidRequestError

__all__ = [
    "CallDirection",
    "CallType",
    "ChatStatus",
    "MeetingStatus",
    "OpenEnum",
    "Period",
    "SendStatus",
    "TicketStatus",
    "format_period",
    "format_timestamp",
    "format_word",
    "in_zone",
]


class OpenEnum(enum.StrEnum):
    """A set of words that the API may extend.

    Looking a word up ignores case and outer blanks; a word that this release does not know becomes a member of its
    own, equal to its text, with ``known`` False. (Quirks Q22, Q32, Q40.)
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str) or not value.strip():
            return None
        word = value.strip()
        for member in cls:
            if member.value.lower() == word.lower():
                return member
        unknown = str.__new__(cls, word)
        unknown._name_ = word
        unknown._value_ = word
        return unknown

    @property
    def known(self) -> bool:
        """Whether this release of the SDK lists the word."""
        return self._value_ in type(self)._value2member_map_


class TicketStatus(OpenEnum):
    """Status of a support ticket ("List Support Tickets")."""

    NEW = "New"
    CLOSED = "Closed"
    AWAITING_AGENT_REPLY = "Awaiting Agent Reply"
    AWAITING_CUSTOMER_REPLY = "Awaiting Customer Reply"


class CallDirection(OpenEnum):
    """Direction of a call, seen from the business ("List Calls")."""

    INCOMING = "Incoming"
    OUTGOING = "Outgoing"


class CallType(OpenEnum):
    """What a robocall plays ("Send Voice Message")."""

    PRE_RECORDED_AUDIO = "Pre-recorded-Audio"
    TEXT_2_SPEECH = "Text-2-Speech"


class ChatStatus(OpenEnum):
    """Status of a chat or messenger request ("List Chats", "List Socials")."""

    ENGAGED = "Engaged"
    WAITING = "Waiting"


class MeetingStatus(OpenEnum):
    """Status of a virtual meeting ("List Virtual Meetings")."""

    NOT_STARTED = "Not Started"
    STARTED = "Started"
    ENDED = "Ended"


class SendStatus(OpenEnum):
    """What the API says of one send call as a whole, whatever its number of recipients ("Send SMS Message")."""

    SENT = "sent"
    QUEUED = "queued"
    FAILED = "failed"


W = TypeVar("W", bound=OpenEnum)


def format_word(kind: type[W], word: str, name: str) -> str:
    """Write a word of an enumeration as the API does; one that this release does not know is written as it is.

    Raises:
        InvalidRequestError: it is blank, or no text.
    """
    try:
        return str(kind(word))
    except ValueError:
        known = ", ".join(repr(member.value) for member in kind)
        raise InvalidRequestError(f"{name} is {word!r}; it must be a word such as {known}, or left out.") from None


Period: TypeAlias = str | date | datetime
"""A month ``"2026-11"``, a day ``"2026-11-22"`` or `date`, a second ``"2026-11-22 08:15:00"`` or `datetime`."""


def in_zone(moment: datetime, zone: tzinfo | None, name: str) -> datetime:
    """Express a time in the zone of the API's times, which have none themselves (quirk Q16).

    Args:
        moment: an aware time is converted; a naive one is taken to be in that zone.
        zone: of the account; None when it is not known.
        name: the parameter's name, for the error.

    Raises:
        InvalidRequestError: the time is aware, and the zone is not known or the result has no date.
    """
    if moment.tzinfo is None:
        return moment
    if zone is None:
        raise InvalidRequestError(
            f"{name} is {moment.isoformat()}, but the client does not know the account's zone; give the client"
            " timezone=ZoneInfo(...), or pass a naive time in the account's zone."
        )
    try:
        return moment.astimezone(zone)
    except OverflowError:
        raise InvalidRequestError(f"{name} is {moment.isoformat()}, which has no date in the account's zone.") from None


def format_timestamp(moment: datetime) -> str:
    """Write a time as the API does, ``YYYY-MM-DD HH:MM:SS``; microseconds are cut off (quirk Q30)."""
    return moment.replace(tzinfo=None).isoformat(" ", "seconds")


def format_period(period: Period, *, zone: tzinfo | None = None, name: str = "period", time_of_day: bool = True) -> str:
    """Validate a period and write it as the API's ``datetime`` filter.

    Args:
        period: what to filter by; an aware time is turned into the zone of the account.
        zone: of the account; None when it is not known.
        name: the parameter's name, for the error.
        time_of_day: False for listMeetings, which takes months and days only (quirk Q33).

    Raises:
        InvalidRequestError: for anything else than the document's forms, a day that does not exist, or an aware time without
            a zone to turn it into.
    """
    forms = "'YYYY-MM', 'YYYY-MM-DD', a date" + (", 'YYYY-MM-DD HH:MM:SS' or a datetime" if time_of_day else "")
    if isinstance(period, datetime) and time_of_day:
        return format_timestamp(in_zone(period, zone, name))
    if isinstance(period, date) and not isinstance(period, datetime):
        return period.isoformat()
    text = str(period).strip()
    for shape, allowed in (("%Y-%m", True), ("%Y-%m-%d", True), ("%Y-%m-%d %H:%M:%S", time_of_day)):
        try:
            parsed = datetime.strptime(text, shape)  # noqa: DTZ007 - the API's times have no zone
        except ValueError:
            continue
        if allowed and parsed.strftime(shape) == text:
            return text
    raise InvalidRequestError(f"{name} is {period!r}; it must be {forms}. Example: {name}='2026-11'.")
