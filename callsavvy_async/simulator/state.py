"""The state of one business: its balances and its records.

A record is a mapping of text to text, as in a response. Records are replaced and never modified, so a shallow copy of
the tables is an independent second world, on which a request can run without effect.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import TypeAlias

from callsavvy_async.simulator.responses import RequestRejected

Row: TypeAlias = Mapping[str, str]
"""One record under the API's names."""

Table: TypeAlias = dict[str, Row]
"""Records by id, oldest first."""


@dataclass(frozen=True, slots=True)
class Balances:
    """Balances of the month: SMS in units, calls in minutes."""

    sms: Decimal
    local: Decimal
    international: Decimal
    inbound: Decimal

    def less(
        self, *, sms: Decimal = Decimal(0), local: Decimal = Decimal(0), international: Decimal = Decimal(0)
    ) -> Balances:
        """Subtract all costs, or raise 402 if a balance is too low.

        Args:
            sms: SMS units.
            local: Local minutes.
            international: International minutes.

        Raises:
            RequestRejected: A balance is too low (402).
        """
        if sms > self.sms:
            raise RequestRejected(402, "Insufficient SMS balance")
        if local > self.local:
            raise RequestRejected(402, "Insufficient local call balance")
        if international > self.international:
            raise RequestRejected(402, "Insufficient international call balance")
        return replace(
            self, sms=self.sms - sms, local=self.local - local, international=self.international - international
        )


@dataclass(slots=True)
class World:
    """All state of one simulated account."""

    now: Callable[[], datetime]
    """Wall clock of the business, naive like all times of the API."""
    seed: int
    balances: Balances
    home_prefix: str
    """Prefix of local numbers. All others are international."""
    whatsapp_uids: frozenset[str]
    assigned_number: str = "+2342013300000"
    account_status: str = "Active"
    business_id: str = "ab9363nd8o3h"
    departments: Table = field(default_factory=dict)
    categories: Table = field(default_factory=dict)
    agents: Table = field(default_factory=dict)
    tickets: Table = field(default_factory=dict)
    conversations: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    """Messages by ticket id, oldest first."""
    calls: Table = field(default_factory=dict)
    chats: Table = field(default_factory=dict)
    messengers: Table = field(default_factory=dict)
    meetings: Table = field(default_factory=dict)
    contacts: Table = field(default_factory=dict)
    groups: Table = field(default_factory=dict)
    ids_given: int = 0

    def copy(self) -> World:
        """Return a second world, on which every request can run without effect on this one."""
        return replace(
            self,
            tickets=self.tickets.copy(),
            conversations=self.conversations.copy(),
            meetings=self.meetings.copy(),
            contacts=self.contacts.copy(),
        )

    def timestamp(self) -> str:
        """Return the current time in the API's format."""
        return stamp(self.now())

    def record_id(self) -> str:
        """Return a new opaque id that ends in "==", as in the document."""
        return base64.b64encode(self._digest(10)).decode()

    def message_id(self) -> str:
        """Return a new id of sixteen lower-case letters and digits, as in the responses to sends."""
        return self._digest(8).hex()

    def _digest(self, size: int) -> bytes:
        self.ids_given += 1
        return blake2b(f"{self.seed}/{self.ids_given}".encode(), digest_size=size).digest()


def stamp(moment: datetime) -> str:
    """Format a time as YYYY-MM-DD HH:MM:SS."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")
