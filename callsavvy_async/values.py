"""Enumerations, times and periods that several resources share."""

from __future__ import annotations

import enum
from datetime import date, datetime, tzinfo
from typing import Self, TypeAlias, TypeVar

from callsavvy_async.errors import InvalidRequestError


class OpenEnum(enum.StrEnum):
    """An enumeration that the API may extend.

    Looking up a word ignores case and surrounding blanks. A word that this release does not list becomes a new member, equal
    to its text, with ``known`` False.
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
    """Direction of a call, from the view of the business ("List Calls")."""

    INCOMING = "Incoming"
    OUTGOING = "Outgoing"


class CallType(OpenEnum):
    """Content of a robocall ("Send Voice Message")."""

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
    """Status of a send request as a whole, for all its recipients ("Send SMS Message")."""

    SENT = "sent"
    QUEUED = "queued"
    FAILED = "failed"


W = TypeVar("W", bound=OpenEnum)


def format_word(kind: type[W], word: str, name: str) -> str:
    """Format a word of an enumeration. A word that this release does not list stays unchanged.

    Raises:
        InvalidRequestError: the word is blank or not a str.
    """
    try:
        return str(kind(word))
    except ValueError:
        known = ", ".join(repr(member.value) for member in kind)
        raise InvalidRequestError(f"{name} is {word!r}; it must be a word such as {known}, or left out.") from None


Period: TypeAlias = str | date | datetime
"""A month ``"2026-11"``, a day ``"2026-11-22"`` or `date`, a second ``"2026-11-22 08:15:00"`` or `datetime`."""


def in_zone(moment: datetime, zone: tzinfo | None, name: str) -> datetime:
    """Convert a time to the account's zone. The API's times are naive.

    Args:
        moment: an aware time, which is converted, or a naive time, which is assumed to be in the account's zone.
        zone: time zone of the account; None if unknown.
        name: name of the parameter, for the error.

    Raises:
        InvalidRequestError: the time is aware and the zone is unknown, or the result is out of range.
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
        raise InvalidRequestError(
            f"{name} is {moment.isoformat()}, which is out of range in the account's zone; give a time between the years"
            " 1 and 9999."
        ) from None


def format_timestamp(moment: datetime) -> str:
    """Format a time as ``YYYY-MM-DD HH:MM:SS``, without microseconds."""
    return moment.replace(tzinfo=None).isoformat(" ", "seconds")


def format_period(period: Period, *, zone: tzinfo | None = None, name: str = "period", time_of_day: bool = True) -> str:
    """Validate a period and format it as the API's ``datetime`` filter.

    Args:
        period: the period; an aware time is converted to the account's zone.
        zone: time zone of the account; None if unknown.
        name: name of the parameter, for the error.
        time_of_day: False for listMeetings, which accepts months and days only.

    Raises:
        InvalidRequestError: the form is not one of the API document's, the day does not exist, or the time is aware and the
            zone unknown.
    """
    forms = "'YYYY-MM', 'YYYY-MM-DD', a date" + (", 'YYYY-MM-DD HH:MM:SS' or a datetime" if time_of_day else "")
    if isinstance(period, datetime) and time_of_day:
        return format_timestamp(in_zone(period, zone, name))
    if isinstance(period, date) and not isinstance(period, datetime):
        return period.isoformat()
    text = str(period).strip()
    shapes = ("%Y-%m", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S") if time_of_day else ("%Y-%m", "%Y-%m-%d")
    if any(_has_shape(text, shape) for shape in shapes):
        return text
    raise InvalidRequestError(f"{name} is {period!r}; it must be {forms}. Example: {name}='2026-11'.")


def _has_shape(text: str, shape: str) -> bool:
    try:
        return datetime.strptime(text, shape).strftime(shape) == text  # noqa: DTZ007 - the API's times have no zone
    except ValueError:
        return False
