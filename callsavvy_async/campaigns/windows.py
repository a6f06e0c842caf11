"""Daily send windows, on a fixed clock or on each recipient's clock.

The phone number determines a recipient's time zone (extra ``phone``). A number may belong to several zones, such as a
mobile number of a large country: the window must then be open in all of them. Recipients of the same zones share chunks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from functools import lru_cache
from itertools import chain
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.errors import ConfigurationError, InvalidRequestError

RECIPIENT = "recipient"
"""Value of `time_zone` that selects each recipient's own zone."""

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24:00))")
_LOOK_AHEAD_DAYS = 3
_UNKNOWN_ZONE = "Etc/Unknown"


@attrs.frozen
class SendWindow:
    """A daily window. It spans midnight if `closes` is before `opens`."""

    opens: time
    closes: time
    zone: str

    @classmethod
    def parse(cls, text: str, zone: str | None) -> SendWindow:
        """Parse a window.

        Args:
            text: the window, such as ``"09:00-18:00"``.
            zone: an IANA zone, such as ``"Africa/Lagos"``, or ``"recipient"``.

        Raises:
            InvalidRequestError: the window or the zone is invalid.
            ConfigurationError: ``"recipient"`` needs an extra or a zone that is not installed.
        """
        found = _WINDOW.fullmatch(text)
        if found is None:
            raise InvalidRequestError(f"send_window is {text!r}; write a daily window such as '09:00-18:00'.")
        opens = time(int(found[1]), int(found[2]))
        closes = time(0) if found[5] else time(int(found[3]), int(found[4]))
        if opens == closes and not found[5]:
            raise InvalidRequestError(f"send_window is {text!r}, which never opens; make its start and end differ.")
        if zone is None:
            raise InvalidRequestError("send_window needs time_zone=: a zone such as 'Africa/Lagos', or 'recipient'.")
        if zone == RECIPIENT:
            _check_zones_of_numbers()
        else:
            zone_named(zone)
        return cls(opens, closes, zone)

    def zone_of(self, recipient: Recipient) -> str:
        """Return the zones in which the window must be open for a recipient, joined by commas."""
        return _zones_of_number(recipient.number) if self.zone == RECIPIENT else self.zone

    def is_open(self, zones: str, at: datetime) -> bool:
        """Return True if the window is open in all of these zones."""
        return all(self._is_open(at.astimezone(zone_named(name)).time()) for name in zones.split(","))

    def seconds_until_open(self, zones: str, at: datetime) -> float | None:
        """Return the seconds until the window is open in all of these zones, or None if it never is."""
        moments = [at, *(moment for name in zones.split(",") for moment in self._openings(zone_named(name), at))]
        waits = [(moment - at).total_seconds() for moment in moments if moment >= at and self.is_open(zones, moment)]
        return min(waits, default=None)

    def _openings(self, zone: ZoneInfo, at: datetime) -> Iterator[datetime]:
        """Yield the next opening times in a zone. The window opens in all zones at an opening time of one of them."""
        today = at.astimezone(zone).date()
        for day in range(_LOOK_AHEAD_DAYS):
            yield datetime.combine(today + timedelta(days=day), self.opens, zone)

    def _is_open(self, clock: time) -> bool:
        if self.closes == time(0):
            return clock >= self.opens
        if self.opens < self.closes:
            return self.opens <= clock < self.closes
        return clock >= self.opens or clock < self.closes


@lru_cache(maxsize=512)
def zone_named(name: str) -> ZoneInfo:
    """Return an IANA zone.

    Raises:
        InvalidRequestError: the system's database lacks the zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidRequestError(
            f"time_zone is {name!r}, which this system does not know; write an IANA zone such as 'Africa/Lagos'"
            " (on a system without a zone database: pip install tzdata)."
        ) from None


@lru_cache(maxsize=1)
def _check_zones_of_numbers() -> None:
    """Look up every zone of the numbering plans when a campaign is created: a missing zone would end its run later."""
    _zones_of_number("+2348012345678")
    from phonenumbers.tzdata import TIMEZONE_DATA  # noqa: PLC0415 - an extra

    for name in sorted({"UTC", *chain.from_iterable(TIMEZONE_DATA.values())} - {_UNKNOWN_ZONE}):
        try:
            zone_named(name)
        except InvalidRequestError:
            raise ConfigurationError(
                f"time_zone='recipient' needs the zone {name}, which this system does not know: pip install tzdata"
            ) from None


@lru_cache(maxsize=4096)
def _zones_of_number(number: str) -> str:
    try:
        from phonenumbers import NumberParseException, parse  # noqa: PLC0415 - an extra
        from phonenumbers.timezone import time_zones_for_number  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigurationError("time_zone='recipient' needs an extra: pip install 'callsavvy-async[phone]'") from None
    try:
        zones = set(time_zones_for_number(parse(number))) - {_UNKNOWN_ZONE}
    except NumberParseException:
        zones = set[str]()
    return ",".join(sorted(zones)) or "UTC"
