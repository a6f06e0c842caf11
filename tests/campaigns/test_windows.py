"""When messages may be sent."""

from __future__ import annotations

import sys
import zoneinfo
from datetime import UTC, datetime, time

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.campaigns.spec import CampaignSettings
from callsavvy_async.campaigns.windows import SendWindow, _check_zones_of_numbers, _zones_of_number, zone_named
from callsavvy_async.errors import ConfigurationError, InvalidRequestError


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 22, hour, minute, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "open_at", "closed_at"),
    [
        ("09:00-18:00", (8, 16), (7, 17)),  # Lagos is an hour before UTC
        ("22:00-06:00", (21, 4), (5, 20)),
        ("20:00-24:00", (19, 22), (18, 23)),
    ],
)
def test_a_window_is_on_the_clock_of_its_zone(text, open_at, closed_at) -> None:
    """It opens at its first minute and closes before its last, over midnight too."""
    window = SendWindow.parse(text, "Africa/Lagos")
    assert all(window.is_open("Africa/Lagos", at(hour)) for hour in open_at)
    assert not any(window.is_open("Africa/Lagos", at(hour)) for hour in closed_at)


@given(st.integers(0, 23), st.integers(0, 59))
def test_it_is_open_when_the_wait_is_over(hour: int, minute: int) -> None:
    """The wait ends at the first minute in which it is open."""
    window = SendWindow.parse("09:00-18:00", "Asia/Kolkata")
    seconds = window.seconds_until_open("Asia/Kolkata", at(hour, minute))
    assert seconds is not None
    assert (seconds == 0) == window.is_open("Asia/Kolkata", at(hour, minute))
    assert 0 <= seconds <= 15 * 3600


def test_a_number_of_several_zones_waits_for_all_of_them() -> None:
    """A window that is never open in all zones at once never comes."""
    window = SendWindow(time(9), time(10), "recipient")
    both = "Africa/Lagos,Asia/Tokyo"
    assert window.seconds_until_open(both, at(8, 30)) is None
    wide = SendWindow(time(8), time(20), "recipient")
    assert wide.is_open(both, at(8))


def test_a_recipient_tells_its_zones() -> None:
    """A number's zones come from the numbering plan; one of no known zone goes by UTC."""
    window = SendWindow.parse("09:00-18:00", "recipient")
    assert window.zone_of(Recipient("+2348012345678")) == "Africa/Lagos"
    assert window.zone_of(Recipient("+8129912345678")) != ""
    assert _zones_of_number("+9990000000") == "UTC"
    assert SendWindow.parse("09:00-18:00", "UTC").zone_of(Recipient("+2348012345678")) == "UTC"


@pytest.mark.parametrize(
    ("text", "zone", "rule"),
    [
        ("9-18", "UTC", "09:00-18:00"),
        ("25:00-26:00", "UTC", "09:00-18:00"),
        ("09:00-09:00", "UTC", "never opens"),
        ("09:00-18:00", None, "time_zone"),
        ("09:00-18:00", "Mars/Olympus", "IANA"),
        ("09:00-18:00", "../etc/passwd", "IANA"),
    ],
)
def test_a_wrong_window_is_refused(text, zone, rule) -> None:
    """The error names the rule."""
    with pytest.raises(InvalidRequestError, match=rule):
        SendWindow.parse(text, zone)


def test_zones_of_recipients_need_an_extra(monkeypatch) -> None:
    """Without the phone extra the error says what to install."""
    monkeypatch.setitem(sys.modules, "phonenumbers.timezone", None)
    forget_zones()
    with pytest.raises(ConfigurationError, match=r"\[phone\]"):
        SendWindow.parse("09:00-18:00", "recipient")


@pytest.fixture
def no_zones(monkeypatch):
    """Take away the system's zones and the package tzdata, as on Windows and in slim containers."""
    for name in ["tzdata", *(name for name in sys.modules if name.startswith("tzdata."))]:
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.reset_tzpath([])
    zoneinfo.ZoneInfo.clear_cache()
    forget_zones()
    yield
    zoneinfo.reset_tzpath()
    forget_zones()


def forget_zones() -> None:
    for cached in (zone_named, _zones_of_number, _check_zones_of_numbers):
        cached.cache_clear()


@pytest.mark.parametrize("zone", ["recipient", "Africa/Lagos"])
@pytest.mark.usefixtures("no_zones")
def test_zones_that_the_system_lacks_are_noticed_when_a_campaign_is_made(zone) -> None:
    """Not when it runs: the error says what to install, for the recipients' zones too."""
    with pytest.raises((ConfigurationError, InvalidRequestError), match="pip install tzdata"):
        CampaignSettings(send_window="09:00-18:00", time_zone=zone)
