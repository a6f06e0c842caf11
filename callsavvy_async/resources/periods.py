"""Read the API's lists over a range of days.

The lists have no paging, and filter by one month or one day. A range is read as whole months, and as single days at its edges,
which takes the fewest requests. A month whose response is too large is read day by day. The API document does not say
whether a period means "in" or "since", so rows after the last day are dropped.
"""

from __future__ import annotations

import calendar
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import date, datetime, timedelta, tzinfo
from typing import TypeVar

import anyio
import attrs

from callsavvy_async.errors import InvalidRequestError, ResponseTooLargeError
from callsavvy_async.values import in_zone

T = TypeVar("T")

PERIODS_AT_ONCE = 4
"""Number of periods to read concurrently."""

_LENGTH_OF_A_MONTH = len("2026-11")


@attrs.frozen
class Days:
    """A range of days, both ends included."""

    first: date
    last: date

    def periods(self) -> Iterator[str]:
        """Yield the periods of the range, in order."""
        day = self.first
        while day <= self.last:
            month_end = _end_of_month(day)
            if day.day == 1 and month_end <= self.last:
                yield f"{day:%Y-%m}"
                day = month_end
            else:
                yield day.isoformat()
            if day == date.max:
                return
            day += timedelta(days=1)


def days_between(start: date, end: date, zone: tzinfo | None) -> Days:
    """Return the days from `start` to `end`, both included. An aware time counts as its day in the account's zone.

    Raises:
        InvalidRequestError: `end` is before `start`, or one of them is aware and the account's zone is unknown.
    """
    days = Days(_day(start, zone, "start"), _day(end, zone, "end"))
    if days.last < days.first:
        raise InvalidRequestError(f"end is {days.last}, before start={days.first}; give the last day of the range.")
    return days


def _day(moment: date, zone: tzinfo | None, name: str) -> date:
    return in_zone(moment, zone, name).date() if isinstance(moment, datetime) else moment


def _end_of_month(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


async def iterate(
    days: Days,
    fetch: Callable[[str], Awaitable[tuple[T, ...]]],
    *,
    key: Callable[[T], str],
    moment: Callable[[T], datetime | None],
) -> AsyncIterator[T]:
    """Yield the rows of a range in the order of its periods, each id once.

    Args:
        days: the range.
        fetch: reads one period.
        key: returns the id of a row. All rows with a blank id are yielded.
        moment: returns the time of a row in the account's zone, or None.

    Raises:
        ResponseTooLargeError: the response for a single day is too large.
        Exception: `fetch` failed.
    """
    seen: set[str] = set()
    async for row in _rows(list(days.periods()), fetch):
        name, at = key(row), moment(row)
        if (name and name in seen) or (at is not None and at.date() > days.last):
            continue
        seen.add(name)
        yield row


async def _rows(periods: list[str], fetch: Callable[[str], Awaitable[tuple[T, ...]]]) -> AsyncIterator[T]:
    for offset in range(0, len(periods), PERIODS_AT_ONCE):
        batch = periods[offset : offset + PERIODS_AT_ONCE]
        for period, rows in zip(batch, await _read_concurrently(batch, fetch), strict=True):
            if rows is None:
                first = date.fromisoformat(f"{period}-01")
                days = [first.replace(day=number + 1).isoformat() for number in range(_end_of_month(first).day)]
                async for row in _rows(days, fetch):
                    yield row
            else:
                for row in rows:
                    yield row


async def _read_concurrently(
    periods: list[str], fetch: Callable[[str], Awaitable[tuple[T, ...]]]
) -> list[tuple[T, ...] | None]:
    """Read periods concurrently; None for a month whose response is too large.

    The first error cancels the other reads. It is raised without an ExceptionGroup.
    """
    responses: dict[str, tuple[T, ...] | None] = {}
    failures: list[Exception] = []

    async with anyio.create_task_group() as group:

        async def read(period: str) -> None:
            try:
                responses[period] = await fetch(period)
            except Exception as error:  # noqa: BLE001 - raised below
                if isinstance(error, ResponseTooLargeError) and len(period) == _LENGTH_OF_A_MONTH:
                    responses[period] = None
                    return
                failures.append(error)
                group.cancel_scope.cancel()

        for period in periods:
            group.start_soon(read, period)
    if failures:
        raise failures[0]
    return [responses[period] for period in periods]
