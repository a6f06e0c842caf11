"""Open enumerations and periods."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.values import (
    CallDirection,
    CallType,
    ChatStatus,
    MeetingStatus,
    OpenEnum,
    SendStatus,
    TicketStatus,
    format_period,
    format_timestamp,
    format_word,
    in_zone,
)

ENUMS = [TicketStatus, CallDirection, CallType, ChatStatus, MeetingStatus, SendStatus]
MEMBERS = [member for enumeration in ENUMS for member in enumeration]


@pytest.mark.parametrize("member", MEMBERS)
def test_words_are_found_in_any_case(member: OpenEnum) -> None:
    """Case and outer blanks do not matter, and the member is equal to the document's word."""
    for text in (member.value, member.value.upper(), f"  {member.value.lower()} "):
        assert type(member)(text) is member
    assert member == member.value
    assert member.known


@given(st.sampled_from(ENUMS), st.text())
def test_every_text_is_a_member(enumeration: type[OpenEnum], text: str) -> None:
    """An unknown word becomes a member equal to its text; only a blank one is refused; the known ones stay as they are."""
    before = list(enumeration)
    if not text.strip():
        with pytest.raises(ValueError, match="not a valid"):
            enumeration(text)
        return
    word = enumeration(text)
    assert isinstance(word, enumeration)
    assert str(word).lower() == text.strip().lower()
    assert word == enumeration(text)
    assert hash(word) == hash(enumeration(text))
    assert word.known is (word in before)
    assert list(enumeration) == before
    for again in (pickle.loads(pickle.dumps(word)), copy.deepcopy(word)):  # noqa: S301
        assert again == word
        assert type(again) is enumeration


@pytest.mark.parametrize("value", [None, 7, True, [], {}, b"New"], ids=repr)
def test_only_text_is_a_word(value: object) -> None:
    """Anything but text is refused."""
    with pytest.raises(ValueError, match="not a valid"):
        TicketStatus(value)


@pytest.mark.parametrize(
    ("period", "text"),
    [
        ("2026-11", "2026-11"),
        (" 2026-11-22 ", "2026-11-22"),
        ("2026-11-22 08:15:00", "2026-11-22 08:15:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, 5, 678), "2026-01-02 03:04:05"),  # noqa: DTZ001 - in the account's zone
        (datetime(999, 1, 2, 3, 4, 5), "0999-01-02 03:04:05"),  # noqa: DTZ001
        (date(999, 1, 2), "0999-01-02"),
    ],
)
def test_periods(period: str | date, text: str) -> None:
    """A month, a day or a second, as text or as Python's own."""
    assert format_period(period) == text


@pytest.mark.parametrize(
    "period",
    [
        "",
        "2026",
        "2026-13",
        "2026-00",
        "2026-02-30",
        "2026-1",
        "2026-1-2",
        "22-11-2026",
        "2026/11",
        "2026-11-22T08:15:00",
        "2026-11-22 8:15:00",
        "2026-11-22 08:15",
        "2026-11-22 24:00:00",
        "\uff12026-11",
        "2026-11\n2026-12",
        202611,
        None,
    ],
)
def test_periods_that_are_none(period: Any) -> None:
    """Anything else is refused by its name, with the forms and an example."""
    with pytest.raises(InvalidRequestError, match=r"since is .*'YYYY-MM'.*Example: since='2026-11'"):
        format_period(period, name="since")


@pytest.mark.parametrize("period", ["2026-11-22 08:15:00", datetime(2026, 11, 22)])  # noqa: DTZ001
def test_no_time_of_day(period: str | datetime) -> None:
    """Where a time of day is not allowed its form is not offered either."""
    with pytest.raises(InvalidRequestError) as caught:
        format_period(period, time_of_day=False)
    assert "HH:MM" not in str(caught.value).split("it must be")[1]


@given(moment=st.datetimes(timezones=st.timezones()), zone=st.timezones())
def test_aware_times_are_the_accounts(moment: datetime, zone: ZoneInfo) -> None:
    """A moment is written on the account's clock, whatever clock it is given on; one that has no date there is refused."""
    try:
        there = moment.astimezone(zone)
    except OverflowError:
        with pytest.raises(InvalidRequestError, match="no date in the account's zone"):
            in_zone(moment, zone, "period")
        return
    assert format_period(moment, zone=zone) == format_timestamp(there.replace(tzinfo=None))
    assert in_zone(moment, zone, "period") == moment


def test_an_aware_time_needs_the_accounts_zone() -> None:
    """Without it no clock is guessed."""
    with pytest.raises(InvalidRequestError, match=r"since is 2026-11-22T23:30:00\+00:00, but .*timezone=ZoneInfo"):
        format_period(datetime(2026, 11, 22, 23, 30, tzinfo=UTC), name="since")


@pytest.mark.parametrize("word", ["", " ", "\n", 5, None])
def test_a_blank_word_is_refused_with_those_there_are(word: Any) -> None:
    """An empty field of a form, or a number, is no word; the known ones are named."""
    with pytest.raises(InvalidRequestError, match=r"direction is .*'Incoming', 'Outgoing'"):
        format_word(CallDirection, word, "direction")
    assert format_word(CallDirection, " incoming", "direction") == "Incoming"
    assert format_word(CallDirection, "Sideways", "direction") == "Sideways"


@given(st.datetimes(min_value=datetime(1000, 1, 1)))  # noqa: DTZ001 - the API's times have no zone
def test_timestamps_read_back(moment: datetime) -> None:
    """What is written is read back, to the second."""
    assert datetime.fromisoformat(format_timestamp(moment)) == moment.replace(microsecond=0)
    assert format_period(moment) == format_timestamp(moment)
