"""Phone calls (API document: "List Calls")."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Annotated, Unpack

import attrs

from callsavvy_async.resources.periods import days_between, iterate
from callsavvy_async.tracebacks import private_arguments
from callsavvy_async.transport.options import RequestOptions
from callsavvy_async.transport.transport import Transport
from callsavvy_async.values import CallDirection, Period, format_period, format_word
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.model import Model, Wire, private

__all__ = ["Call"]


@attrs.frozen(kw_only=True)
class Call(Model):
    """A phone call of the business.

    Attributes:
        call_id: its id.
        started_at: start of the call, in the account's time.
        direction: incoming or outgoing.
        category: name or id; the API document does not say which.
        duration: length of the call.
        other_party: the other party's number in either direction, although the API names it ``caller``.
        recording_url: URL of its recording.
        department_id: its department.
    """

    call_id: str = ""
    started_at: Annotated[datetime | None, Wire("datetime")] = None
    direction: CallDirection | None = None
    category: str | None = None
    duration: timedelta | None = None
    other_party: Annotated[str | None, Wire("caller")] = private()
    recording_url: str | None = private()
    department_id: str | None = None


LIST_CALLS = Endpoint("getCalls", tuple[Call, ...], Effect.READ)


@private_arguments
class Calls:
    """Read the business's calls."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(
        self,
        *,
        department_id: str | None = None,
        category_id: str | None = None,
        direction: CallDirection | str | None = None,
        period: Period | None = None,
        **options: Unpack[RequestOptions],
    ) -> tuple[Call, ...]:
        """List calls. The API has no paging; narrow the list by `period`, or use `iter`.

        Args:
            department_id: only calls of this department.
            category_id: only calls of this category.
            direction: only incoming or outgoing calls.
            period: a month, day or time; see `Period`.
            **options: see `RequestOptions`.
        """
        return await self._transport.send(
            LIST_CALLS,
            options,
            department_id=department_id,
            category=category_id,
            call_direction=None if direction is None else format_word(CallDirection, direction, "direction"),
            datetime=None if period is None else format_period(period, zone=self._transport.config.timezone),
        )

    def iter(
        self,
        *,
        start: date,
        end: date,
        department_id: str | None = None,
        category_id: str | None = None,
        direction: CallDirection | str | None = None,
        **options: Unpack[RequestOptions],
    ) -> AsyncIterator[Call]:
        """Iterate over the calls from `start` to `end`, both days included.

        Args:
            start: first day.
            end: last day.
            department_id: only calls of this department.
            category_id: only calls of this category.
            direction: only incoming or outgoing calls.
            **options: see `RequestOptions`.
        """

        async def fetch(period: str) -> tuple[Call, ...]:
            return await self.list(
                department_id=department_id, category_id=category_id, direction=direction, period=period, **options
            )

        days = days_between(start, end, self._transport.config.timezone)
        return iterate(days, fetch, key=lambda call: call.call_id, moment=lambda call: call.started_at)
