"""When messages may be sent: a daily window on the clock of the sender or of the recipient, and a first moment.

A recipient's clock is told by the number (extra ``phone``). A number may belong to several zones, as that of a mobile
phone in a large country does: then the window must be open in all of them. Recipients of the same zones share chunks.
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
"""The time zone of a window on the recipients' clocks."""

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24:00))")
_LOOK_AHEAD = 3
"""Days."""
_UNKNOWN_ZONE = "Etc/Unknown"


@attrs.frozen
class SendWindow:
    """From when to when, every day; over midnight when the end is before the beginning."""

    opens: time
    closes: time
    zone: str

    @classmethod
    def parse(cls, text: str, zone: str | None) -> SendWindow:
        """Read ``"09:00-18:00"``.

        Args:
            text: the window.
            zone: an IANA name, as ``"Africa/Lagos"``, or ``"recipient"``.

        Raises:
            InvalidRequestError: naming the rule.
            ConfigurationError: the recipients' zones need an extra, or a zone that this system does not know.
        """
        found = _WINDOW.fullmatch(text)
        if found is None:
            raise InvalidRequestError(f"send_window is {text!r}; write it as '09:00-18:00'.")
        opens = time(int(found[1]), int(found[2]))
        closes = time(0) if found[5] else time(int(found[3]), int(found[4]))
        if opens == closes and not found[5]:
            raise InvalidRequestError(f"send_window is {text!r}, which never opens; its two ends must differ.")
        if zone is None:
            raise InvalidRequestError("send_window needs time_zone=: a name such as 'Africa/Lagos', or 'recipient'.")
        if zone == RECIPIENT:
            _check_zones_of_numbers()
        else:
            zone_named(zone)
        return cls(opens, closes, zone)

    def zone_of(self, recipient: Recipient) -> str:
        """Return the zones that a recipient's chunk waits for, joined by commas."""
        return _zones_of_number(recipient.number) if self.zone == RECIPIENT else self.zone

    def is_open(self, zones: str, at: datetime) -> bool:
        """Whether it is open in all of these zones."""
        return all(self._is_open(at.astimezone(zone_named(name)).time()) for name in zones.split(","))

    def seconds_until_open(self, zones: str, at: datetime) -> float | None:
        """Return how long it takes until it is open in all of these zones; None when they never are at once."""
        moments = [at, *(moment for name in zones.split(",") for moment in self._openings(zone_named(name), at))]
        waits = [(moment - at).total_seconds() for moment in moments if moment >= at and self.is_open(zones, moment)]
        return min(waits, default=None)

    def _openings(self, zone: ZoneInfo, at: datetime) -> Iterator[datetime]:
        """Yield when it opens in a zone in the next days; all zones together can only open when one of them does."""
        today = at.astimezone(zone).date()
        for day in range(_LOOK_AHEAD):
            yield datetime.combine(today + timedelta(days=day), self.opens, zone)

    def _is_open(self, clock: time) -> bool:
        if self.closes == time(0):
            return clock >= self.opens
        if self.opens < self.closes:
            return self.opens <= clock < self.closes
        return clock >= self.opens or clock < self.closes


@lru_cache(maxsize=512)
def zone_named(name: str) -> ZoneInfo:
    """Return a zone.

    Raises:
        InvalidRequestError: the system does not know it.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidRequestError(
            f"time_zone is {name!r}, which this system does not know; write an IANA name such as 'Africa/Lagos'"
            " (without a system's database: pip install tzdata)."
        ) from None


@lru_cache(maxsize=1)
def _check_zones_of_numbers() -> None:
    """Look every zone of the numbering plans up before a campaign is made: one that is missing would end its run."""
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
        raise ConfigurationError(
            "time_zone='recipient' needs the zones of numbers: pip install 'callsavvy-async[phone]'"
        ) from None
    try:
        zones = set(time_zones_for_number(parse(number))) - {_UNKNOWN_ZONE}
    except NumberParseException:
        zones = set[str]()
    return ",".join(sorted(zones)) or "UTC"
