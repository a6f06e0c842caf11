"""Cut a range of days into the API's periods, and read a list period by period.

The lists have no paging (quirk Q20) and filter by one month or one day, so a range is read as whole months where it
holds them and as single days at its edges: every day once, with the fewest calls.
"""

from __future__ import annotations

import calendar
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import date, datetime, timedelta
from typing import TypeVar

import anyio

from callsavvy_async.errors import InvalidRequestError

T = TypeVar("T")

PERIODS_AT_ONCE = 4
"""Periods that are read side by side, ahead of the one that is being handed out."""


def cut_range(start: date, end: date) -> Iterator[str]:
    """Yield the periods, in order, that cover `start` to `end`, both included.

    Raises:
        InvalidRequestError: when the range runs backwards.
    """
    first, last = _day(start), _day(end)
    if last < first:
        raise InvalidRequestError(
            f"the range runs backwards: start={first}, end={last}; end is the last day, included."
        )
    day = first
    while day <= last:
        month_end = day.replace(day=calendar.monthrange(day.year, day.month)[1])
        if day.day == 1 and month_end <= last:
            yield f"{day:%Y-%m}"
            day = month_end
        else:
            yield day.isoformat()
        if day == date.max:
            return
        day += timedelta(days=1)


def _day(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


async def iterate(
    start: date, end: date, fetch: Callable[[str], Awaitable[tuple[T, ...]]], key: Callable[[T], str]
) -> AsyncIterator[T]:
    """Yield the rows of a range in the order of its periods, a few periods read side by side, each id once.

    Args:
        start: first day.
        end: last day, included.
        fetch: reads one period.
        key: a row's id; rows without one are all yielded.
    """
    periods = list(cut_range(start, end))
    seen: set[str] = set()
    for offset in range(0, len(periods), PERIODS_AT_ONCE):
        batch = periods[offset : offset + PERIODS_AT_ONCE]
        for rows in await _side_by_side(batch, fetch):
            for row in rows:
                name = key(row)
                if name and name in seen:
                    continue
                seen.add(name)
                yield row


async def _side_by_side(periods: list[str], fetch: Callable[[str], Awaitable[tuple[T, ...]]]) -> list[tuple[T, ...]]:
    """Read periods concurrently. The first error cancels the others and is raised as it is, not as a group."""
    answers: dict[str, tuple[T, ...]] = {}
    failures: list[Exception] = []

    async with anyio.create_task_group() as group:

        async def read(period: str) -> None:
            try:
                answers[period] = await fetch(period)
            except Exception as error:  # noqa: BLE001 - handed on below
                failures.append(error)
                group.cancel_scope.cancel()

        for period in periods:
            group.start_soon(read, period)
    if failures:
        raise failures[0]
    return [answers[period] for period in periods]
