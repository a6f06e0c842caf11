"""Cut a range of days into the API's periods, and read a list period by period.

The lists have no paging (quirk Q20) and filter by one month or one day, so a range is read as whole months where it
holds them and as single days at its edges: every day once, with the fewest requests. A month whose answer is too large is
read by its days. The document does not say whether a period is read as "in it" or as "since" (quirk Q21), so a row from
after the last day is left out.
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
"""Periods that are read side by side, ahead of the one that is being handed out."""

_LENGTH_OF_A_MONTH = len("2026-11")


@attrs.frozen
class Days:
    """A range of days, both ends included."""

    first: date
    last: date

    def periods(self) -> Iterator[str]:
        """Yield the periods, in order, that cover the range."""
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
    """Return the days from `start` to `end`, both included; of an aware time the day in the account's zone.

    Raises:
        InvalidRequestError: the range runs backwards, or one end is aware and the account's zone is not known.
    """
    days = Days(_day(start, zone, "start"), _day(end, zone, "end"))
    if days.last < days.first:
        raise InvalidRequestError(
            f"the range runs backwards: start={days.first}, end={days.last}; end is the last day, included."
        )
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
    """Yield the rows of a range in the order of its periods, a few periods read side by side, each id once.

    Args:
        days: the range.
        fetch: reads one period.
        key: a row's id; rows without one are all yielded.
        moment: when a row came to be, in the account's zone; None where it does not say.

    Raises:
        ResponseTooLargeError: the answer for a single day is too large.
        Exception: what `fetch` raised.
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
        for period, rows in zip(batch, await _side_by_side(batch, fetch), strict=True):
            if rows is None:
                first = date.fromisoformat(f"{period}-01")
                days = [first.replace(day=number + 1).isoformat() for number in range(_end_of_month(first).day)]
                async for row in _rows(days, fetch):
                    yield row
            else:
                for row in rows:
                    yield row


async def _side_by_side(
    periods: list[str], fetch: Callable[[str], Awaitable[tuple[T, ...]]]
) -> list[tuple[T, ...] | None]:
    """Read periods concurrently; None for a month whose answer is too large.

    The first error cancels the others and is raised as it is, not as a group.
    """
    answers: dict[str, tuple[T, ...] | None] = {}
    failures: list[Exception] = []

    async with anyio.create_task_group() as group:

        async def read(period: str) -> None:
            try:
                answers[period] = await fetch(period)
            except Exception as error:  # noqa: BLE001 - handed on below
                if isinstance(error, ResponseTooLargeError) and len(period) == _LENGTH_OF_A_MONTH:
                    answers[period] = None
                    return
                failures.append(error)
                group.cancel_scope.cancel()

        for period in periods:
            group.start_soon(read, period)
    if failures:
        raise failures[0]
    return [answers[period] for period in periods]
