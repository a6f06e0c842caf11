"""The owner of a campaign: an account at a server, or the simulator.

The first run binds a campaign permanently. Accounts do not share a campaign, because each has its own costs and balance. A
rehearsal does not become a real campaign, because its accepted requests reached no recipient.
"""

from __future__ import annotations

import json

import attrs

from callsavvy_async.campaigns.errors import OtherAccountError
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.config import Destination


@attrs.frozen
class Owner:
    """The owner of a campaign."""

    account: str
    """Hash of the account's public key."""
    server: str
    """Base URL of the API; blank for the simulator, whose address varies."""
    simulated: bool

    @classmethod
    def of(cls, to: Destination, *, simulated: bool) -> Owner:
        """Return the owner of what a client of this destination sends."""
        return cls(to.account, "" if simulated else to.server, simulated)

    def __str__(self) -> str:
        return "the simulator" if self.simulated else f"account {self.account} at {self.server}"


def bind(cursor: Cursor, campaign: int, owner: Owner) -> None:
    """Bind a campaign to its owner, unless it is bound.

    Raises:
        OtherAccountError: the campaign belongs to another owner.
    """
    written = json.dumps(attrs.asdict(owner))
    cursor.execute("UPDATE campaign SET owner = ? WHERE id = ? AND owner IS NULL", (written, campaign))
    kept = owner_of(cursor, campaign)
    if kept is not None and kept != owner:
        raise OtherAccountError(
            f"this campaign belongs to {kept}, not to {owner}; create a campaign of another name, or use the keys, base URL"
            " and simulator of its first run."
        )


def owner_of(cursor: Cursor, campaign: int) -> Owner | None:
    """Return the owner of a campaign; None before its first run."""
    (written,) = cursor.execute("SELECT owner FROM campaign WHERE id = ?", (campaign,)).fetchone()
    return None if written is None else Owner(**json.loads(written))
