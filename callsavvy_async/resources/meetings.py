"""Virtual meetings (API document: "List Virtual Meetings", "Get Virtual Meeting", "Create Virtual Meeting")."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Annotated, Unpack

import attrs

from callsavvy_async.resources.periods import days_between, iterate
from callsavvy_async.resources.text import require_text
from callsavvy_async.tracebacks import private_arguments
from callsavvy_async.transport.options import RequestOptions
from callsavvy_async.transport.transport import Transport
from callsavvy_async.values import MeetingStatus, Period, format_period
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.model import Model, Receipt, Wire, private

__all__ = ["CreatedMeeting", "Meeting", "MeetingDetails"]


@attrs.frozen(kw_only=True)
class Meeting(Model):
    """A virtual meeting in a list.

    Attributes:
        meeting_id: its id.
        title: its title.
        held_at: time of its creation or of its start; the API document does not say which.
        status: not started, started or ended.
    """

    meeting_id: str = ""
    title: str | None = None
    held_at: Annotated[datetime | None, Wire("datetime")] = None
    status: MeetingStatus | None = None


@attrs.frozen(kw_only=True)
class MeetingDetails(Meeting):
    """A virtual meeting with its links.

    Attributes:
        host_agent_id: id of the host.
        start_link: link with the host's secret, which gives the host's rights.
        join_link: link for guests.
    """

    host_agent_id: str | None = None
    start_link: str | None = private()
    join_link: str | None = None


@attrs.frozen(kw_only=True)
class CreatedMeeting(Receipt):
    """Response of createMeeting. It does not include a time.

    Attributes:
        meeting_id: id of the new meeting.
        title: its title.
        host_agent_id: id of the host.
        start_link: link with the host's secret, which gives the host's rights.
        join_link: link for guests.
        status: not started, started or ended.
    """

    meeting_id: str | None = None
    title: str | None = None
    host_agent_id: str | None = None
    start_link: str | None = private()
    join_link: str | None = None
    status: MeetingStatus | None = None


LIST_MEETINGS = Endpoint("listMeetings", tuple[Meeting, ...], Effect.READ)
GET_MEETING = Endpoint("getMeeting", MeetingDetails, Effect.READ)
CREATE_MEETING = Endpoint("createMeeting", CreatedMeeting, Effect.WRITE)


@private_arguments
class Meetings:
    """Read and create virtual meetings. The API cannot change, end or delete meetings."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, *, period: Period | None = None, **options: Unpack[RequestOptions]) -> tuple[Meeting, ...]:
        """List meetings. `period` is a month or a day; the API does not accept a time of day here.

        Args:
            period: a month or a day.
            **options: see `RequestOptions`.
        """
        return await self._transport.send(
            LIST_MEETINGS,
            options,
            datetime=None
            if period is None
            else format_period(period, zone=self._transport.config.timezone, time_of_day=False),
        )

    def iter(self, *, start: date, end: date, **options: Unpack[RequestOptions]) -> AsyncIterator[Meeting]:
        """Iterate over the meetings from `start` to `end`, both days included.

        Args:
            start: first day.
            end: last day.
            **options: see `RequestOptions`.
        """

        async def fetch(period: str) -> tuple[Meeting, ...]:
            return await self.list(period=period, **options)

        days = days_between(start, end, self._transport.config.timezone)
        return iterate(days, fetch, key=lambda meeting: meeting.meeting_id, moment=lambda _: None)  # see `held_at`

    async def get(self, meeting_id: str, **options: Unpack[RequestOptions]) -> MeetingDetails:
        """Read one meeting with its links.

        Args:
            meeting_id: id of the meeting.
            **options: see `RequestOptions`.
        """
        return await self._transport.send(GET_MEETING, options, meeting_id=require_text(meeting_id, "meeting_id"))

    async def create(
        self, title: str, *, host_agent_id: str | None = None, **options: Unpack[RequestOptions]
    ) -> CreatedMeeting:
        """Create a meeting. The request is not idempotent: a lost response raises `OutcomeUnknownError`.

        Args:
            title: title of the meeting.
            host_agent_id: id of the host.
            **options: see `RequestOptions`.
        """
        return await self._transport.send(
            CREATE_MEETING, options, title=require_text(title, "title"), host_agent_id=host_agent_id
        )
