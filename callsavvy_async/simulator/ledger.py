"""The ledger: what truly became of every send that the server read.

A client's report is checked against it, so it is written by the server alone and says only what happened here.
It is safe to read from one thread while a server writes to it in another, and small enough for some hundred
thousand sends: recipients are kept as the one text that came over the wire.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One request to a resource that costs money, read to its end."""

    at: datetime
    resource: str
    recipient: str
    """The parameter as it came: numbers joined by commas; empty where the request could not be read."""
    status: int
    """The HTTP status that the API itself gave, before any fault."""
    reason: str
    """Why it was or was not charged: "charged", "fault", or the words of the refusal."""
    charged: bool
    cost: Decimal
    message_id: str
    fault: str
    """The fault that was applied, or empty."""

    @property
    def recipients(self) -> tuple[str, ...]:
        """The numbers one by one."""
        return tuple(self.recipient.split(",")) if self.recipient else ()

    def __repr__(self) -> str:
        """Show what happened, not to whom."""
        return (
            f"LedgerEntry({self.resource}, {len(self.recipients)} recipients, status={self.status}, "
            f"reason={self.reason.partition(':')[0]!r}, cost={self.cost}, fault={self.fault!r})"
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a ledger."""

    requests: int
    """Sends that were read."""
    charged_requests: int
    charged_recipients: int
    """A number that was charged twice counts twice."""
    cost: Decimal


class Ledger:
    """Every send that was read, and how often each resource was posted to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[LedgerEntry] = []
        self._charged: Counter[str] = Counter()
        self._posts: Counter[str] = Counter()

    def __repr__(self) -> str:
        totals = self.totals
        return f"Ledger({totals.requests} sends, {totals.charged_requests} charged, cost {totals.cost})"

    def count_post(self, resource: str) -> None:
        """Count one request that was read to its end, whatever is answered."""
        with self._lock:
            self._posts[resource] += 1

    def record(self, entry: LedgerEntry) -> None:
        """Write down what became of one send."""
        with self._lock:
            self._entries.append(entry)
            if entry.charged:
                self._charged.update(entry.recipients)

    @property
    def requests(self) -> tuple[LedgerEntry, ...]:
        """All sends so far, in the order in which they were decided."""
        with self._lock:
            return tuple(self._entries)

    @property
    def charged(self) -> Counter[str]:
        """How often each number was charged for; a copy."""
        with self._lock:
            return self._charged.copy()

    @property
    def totals(self) -> Totals:
        """The sums so far."""
        with self._lock:
            charged = [entry for entry in self._entries if entry.charged]
            return Totals(
                requests=len(self._entries),
                charged_requests=len(charged),
                charged_recipients=self._charged.total(),
                cost=sum((entry.cost for entry in charged), Decimal(0)),
            )

    def charged_count(self, number: str) -> int:
        """Tell how often one number was charged for."""
        with self._lock:
            return self._charged[number]

    def posts(self, resource: str) -> int:
        """Tell how many requests to a resource were read to their end."""
        with self._lock:
            return self._posts[resource]
