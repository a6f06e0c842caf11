"""The ledger: the true outcome of every send that the server read.

Tests check a client's report against it, so only the server writes it. One thread may read the ledger while a server
writes it in another. It fits some hundred thousand sends in memory, because an entry keeps its recipients as one text.
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
    """Recipient parameter: numbers joined by commas. Empty if the request was invalid."""
    status: int
    """HTTP status of the API, before any fault."""
    reason: str
    """Reason for the charge or its absence: "charged", "fault", or the error message."""
    charged: bool
    cost: Decimal
    message_id: str
    fault: str
    """Name of the applied fault, or empty."""
    message: str = ""
    """Text of the message, or URL of its recording. Empty if the request was invalid."""

    @property
    def recipients(self) -> tuple[str, ...]:
        """The recipients' numbers."""
        return tuple(self.recipient.split(",")) if self.recipient else ()

    def __repr__(self) -> str:
        """Return the entry without its recipients' numbers and its message."""
        count = len(self.recipients)
        return (
            f"LedgerEntry({self.resource}, {count} recipient{'' if count == 1 else 's'}, status={self.status}, "
            f"reason={self.reason.partition(':')[0]!r}, cost={self.cost}, fault={self.fault!r})"
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of a ledger."""

    requests: int
    """Number of sends that were read."""
    charged_requests: int
    charged_recipients: int
    """Number of charged recipients. A recipient charged twice counts twice."""
    cost: Decimal


class Ledger:
    """Every send that was read, and the number of requests to each resource."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[LedgerEntry] = []
        self._charged: Counter[str] = Counter()
        self._posts: Counter[str] = Counter()

    def __repr__(self) -> str:
        totals = self.totals
        return f"Ledger({totals.requests} sends, {totals.charged_requests} charged, cost {totals.cost})"

    def count_post(self, resource: str) -> None:
        """Count one request that was read to its end, whatever its response is."""
        with self._lock:
            self._posts[resource] += 1

    def record(self, entry: LedgerEntry) -> None:
        """Record the outcome of one send."""
        with self._lock:
            self._entries.append(entry)
            if entry.charged:
                self._charged.update(entry.recipients)

    @property
    def requests(self) -> tuple[LedgerEntry, ...]:
        """All sends so far, in the order of their processing."""
        with self._lock:
            return tuple(self._entries)

    @property
    def charged(self) -> Counter[str]:
        """Number of charges for each recipient, as a copy."""
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
        """Return the number of charges for one recipient."""
        with self._lock:
            return self._charged[number]

    def messages(self, number: str) -> tuple[str, ...]:
        """Return the messages for which one recipient was charged, in the order of their processing."""
        return tuple(entry.message for entry in self.requests if entry.charged and number in entry.recipients)

    def posts(self, resource: str) -> int:
        """Return the number of requests to a resource that were read to their end."""
        with self._lock:
            return self._posts[resource]
