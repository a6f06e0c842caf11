"""A range of days, read month by month and day by day."""

from __future__ import annotations

import calendar
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import anyio
import pytest
from hypothesis import given, strategies as st

from callsavvy_async.errors import InvalidRequestError, Outcome, ResponseTooLargeError
from callsavvy_async.resources.periods import PERIODS_AT_ONCE, Days, days_between, iterate

Fetch: TypeAlias = Callable[[str], Awaitable[tuple[str, ...]]]
Moment: TypeAlias = Callable[[str], datetime | None]

DAYS = st.dates(date(2000, 1, 1), date(2040, 12, 31))


def periods(start: date, end: date) -> list[str]:
    """The periods of a range."""
    return list(days_between(start, end, None).periods())


def rows_of(start: date, end: date, fetch: Fetch, moment: Moment = lambda _: None) -> AsyncIterator[str]:
    """Iterate over rows that are their own ids."""
    return iterate(days_between(start, end, None), fetch, key=str, moment=moment)


def too_large() -> ResponseTooLargeError:
    """What a client raises when an answer passes its bound."""
    return ResponseTooLargeError("it is too large", endpoint="getTickets", outcome=Outcome.UNKNOWN)


def days_of(period: str) -> list[date]:
    """Every day that a period names."""
    if len(period) == 10:
        return [date.fromisoformat(period)]
    year, month = map(int, period.split("-"))
    return [date(year, month, day + 1) for day in range(calendar.monthrange(year, month)[1])]


@given(start=DAYS, length=st.integers(0, 800))
def test_every_day_once_in_order(start: date, length: int) -> None:
    """The periods name each day of the range once, in order, and no other; whole months are asked for as months."""
    end = start + timedelta(days=length)
    periods = list(days_between(start, end, None).periods())
    assert [day for period in periods for day in days_of(period)] == [
        start + timedelta(days=i) for i in range(length + 1)
    ]
    months = {(day.year, day.month) for day in (start + timedelta(days=i) for i in range(length + 1))}
    whole = sum(start <= date(y, m, 1) and date(y, m, calendar.monthrange(y, m)[1]) <= end for y, m in months)
    assert sum(len(period) == 7 for period in periods) == whole


def test_edges() -> None:
    """Single days at the edges, months between; the end of time is no error; times of day do not matter."""
    assert periods(date(2026, 1, 31), date(2026, 3, 1)) == ["2026-01-31", "2026-02", "2026-03-01"]
    assert periods(date(9999, 12, 30), date.max) == ["9999-12-30", "9999-12-31"]
    assert periods(date(9999, 12, 1), date.max) == ["9999-12"]
    moment = datetime(2026, 5, 1, 23, 59)  # noqa: DTZ001 - in the account's zone
    assert periods(moment, moment) == ["2026-05-01"]


def test_aware_ends_are_days_of_the_account() -> None:
    """An aware end is the day that it is on the account's clock; without that zone it is refused by its name."""
    moment, lagos = datetime(2026, 5, 1, 23, 59, tzinfo=UTC), ZoneInfo("Africa/Lagos")
    assert days_between(moment, moment, lagos) == Days(date(2026, 5, 2), date(2026, 5, 2))
    for ends in ((moment, date(2026, 6, 1)), (date(2026, 1, 1), moment)):
        with pytest.raises(InvalidRequestError, match=r"(start|end) is 2026-05-01T23:59:00\+00:00, but .*timezone="):
            days_between(*ends, None)


def test_backwards() -> None:
    """A range that runs backwards is refused, with both ends."""
    with pytest.raises(InvalidRequestError, match="end is 2026-01-01, before start=2026-02-01"):
        days_between(date(2026, 2, 1), date(2026, 1, 1), None)


@pytest.mark.anyio
class TestIterate:
    """Reading a range through a fetcher of one period, in virtual time."""

    @pytest.fixture
    def anyio_backend(self, virtual_time: object) -> object:
        return virtual_time

    async def test_side_by_side_and_in_order(self) -> None:
        """A few periods are read at once, the first to ask for the slowest to answer, and the order is kept."""
        now = most = 0

        async def fetch(period: str) -> tuple[str, ...]:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await anyio.sleep(12 - int(period[-2:]) if len(period) == 7 else 0)
            now -= 1
            return (f"{period}/a", f"{period}/b")

        rows = [row async for row in rows_of(date(2026, 1, 1), date(2026, 12, 31), fetch)]
        assert rows == [f"2026-{month:02}/{letter}" for month in range(1, 13) for letter in "ab"]
        assert most == PERIODS_AT_ONCE

    async def test_each_id_once(self) -> None:
        """A row that two periods answer is handed out once; rows without an id are all handed out."""

        async def fetch(period: str) -> tuple[str, ...]:
            return ("same", "", period)

        rows = [row async for row in rows_of(date(2026, 1, 1), date(2026, 1, 3), fetch)]
        assert rows == ["same", "", "2026-01-01", "", "2026-01-02", "", "2026-01-03"]

    async def test_the_first_error_is_raised_as_it_is(self) -> None:
        """Not as a group, and the other periods are not waited for."""

        async def fetch(period: str) -> tuple[str, ...]:
            if period == "2026-02":
                raise InvalidRequestError("this one")
            await anyio.sleep(1000)
            return ()

        with pytest.raises(InvalidRequestError, match="this one"):
            [row async for row in rows_of(date(2026, 1, 1), date(2026, 4, 30), fetch)]
        assert anyio.current_time() == 0

    async def test_a_month_that_is_too_large_is_read_by_days(self) -> None:
        """Nothing of it is lost, the order is kept, and no other month is read twice."""
        asked: list[str] = []

        async def fetch(period: str) -> tuple[str, ...]:
            asked.append(period)
            if period == "2026-02":
                raise too_large()
            return (f"{period}/a",)

        rows = [row async for row in rows_of(date(2026, 1, 1), date(2026, 3, 31), fetch)]
        days = [f"2026-02-{day:02}" for day in range(1, 29)]
        assert rows == ["2026-01/a", *(f"{day}/a" for day in days), "2026-03/a"]
        assert sorted(asked) == sorted(["2026-01", "2026-02", "2026-03", *days])

    async def test_a_day_that_is_too_large_is_an_error(self) -> None:
        """There is nothing shorter to ask for that holds all of it."""

        async def fetch(period: str) -> tuple[str, ...]:
            raise too_large()

        with pytest.raises(ResponseTooLargeError):
            [row async for row in rows_of(date(2026, 2, 1), date(2026, 2, 28), fetch)]

    async def test_rows_from_after_the_end_are_left_out(self) -> None:
        """A server that reads a period as "since" answers later rows too (quirk Q21); a row without a time is kept."""

        async def fetch(period: str) -> tuple[str, ...]:
            return ("2026-01-02 23:59:59", "2026-01-03 00:00:00", "no time")

        def moment(row: str) -> datetime | None:
            return datetime.fromisoformat(row) if row[0] == "2" else None

        rows = [row async for row in rows_of(date(2026, 1, 1), date(2026, 1, 2), fetch, moment)]
        assert rows == ["2026-01-02 23:59:59", "no time"]

    @pytest.mark.parametrize("group", ["tickets", "calls", "chats", "meetings"])
    async def test_every_list_iterates(self, group: str, scripted: Any, ok: Any) -> None:
        """tickets, calls, chats and meetings have it, and pass their filters and options on."""
        name = {"tickets": "ticket_id", "calls": "call_id", "chats": "chat_id", "meetings": "meeting_id"}[group]
        client = scripted(ok([{name: "1"}]))
        options = {"extra": {"beta": "1"}}
        rows = [
            row async for row in getattr(client, group).iter(start=date(2026, 1, 1), end=date(2026, 2, 1), **options)
        ]
        assert [getattr(row, name) for row in rows] == ["1"]
        bodies = sorted(request.content for request in scripted.requests)
        assert bodies == [b'{"datetime":"2026-01","beta":"1"}', b'{"datetime":"2026-02-01","beta":"1"}']
