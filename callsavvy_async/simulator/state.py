"""What the stand-in knows: one business, its balances and its records.

Records are kept as they go over the wire, a mapping of text to text, and are replaced, never changed in place: a
shallow copy of the tables is therefore a whole second world, on which a request can be rehearsed.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import TypeAlias

from callsavvy_async.simulator.responses import RequestRefused

Row: TypeAlias = Mapping[str, str]
"""One record in the API's own words."""

Table: TypeAlias = dict[str, Row]
"""Records by their id, oldest first."""


@dataclass(frozen=True, slots=True)
class Balances:
    """What is left this month: SMS in units, calls in minutes."""

    sms: Decimal
    local: Decimal
    international: Decimal
    inbound: Decimal

    def less(
        self, *, sms: Decimal = Decimal(0), local: Decimal = Decimal(0), international: Decimal = Decimal(0)
    ) -> Balances:
        """Take costs off, all of them or, with 402, none."""
        if sms > self.sms:
            raise RequestRefused(402, "Insufficient SMS balance")
        if local > self.local:
            raise RequestRefused(402, "Insufficient local call balance")
        if international > self.international:
            raise RequestRefused(402, "Insufficient international call balance")
        return replace(
            self, sms=self.sms - sms, local=self.local - local, international=self.international - international
        )


@dataclass(slots=True)
class World:
    """Everything one simulated account owns."""

    now: Callable[[], datetime]
    """The business's wall clock; naive, as all times of the API are."""
    seed: int
    balances: Balances
    home_prefix: str
    """Numbers that begin with it are local calls, all others international."""
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
        """Make a second world, on which every call of the API can be made without touching this one."""
        return replace(
            self,
            tickets=self.tickets.copy(),
            conversations=self.conversations.copy(),
            meetings=self.meetings.copy(),
            contacts=self.contacts.copy(),
        )

    def timestamp(self) -> str:
        """Write the present moment as the API does."""
        return stamp(self.now())

    def record_id(self) -> str:
        """Give out an opaque id with the "==" that the document's ids end in."""
        return base64.b64encode(self._digest(10)).decode()

    def message_id(self) -> str:
        """Give out an id of sixteen small letters and digits, as the sends answer with."""
        return self._digest(8).hex()

    def _digest(self, size: int) -> bytes:
        self.ids_given += 1
        return blake2b(f"{self.seed}/{self.ids_given}".encode(), digest_size=size).digest()


def stamp(moment: datetime) -> str:
    """Write a moment as YYYY-MM-DD HH:MM:SS."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")
