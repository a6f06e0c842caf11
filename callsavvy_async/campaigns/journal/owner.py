"""Whose a campaign is: one account at one server, or nobody's, when it is a rehearsal with a simulator.

A campaign is bound when it is first run, for good. What was accepted in a rehearsal reached nobody, and what one account
was charged for another was not: neither says anything about the other, so they never share a campaign.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs

from callsavvy_async.campaigns.errors import OtherAccountError
from callsavvy_async.campaigns.journal.database import Cursor

if TYPE_CHECKING:
    from callsavvy_async.client import Callsavvy


@attrs.frozen
class Owner:
    """Whose a campaign is."""

    account: str
    """A hash of the account's public key."""
    server: str
    """The API's base URL; blank for a simulator, whose address is another one every time."""
    simulated: bool

    @classmethod
    def of(cls, callsavvy: Callsavvy, *, simulated: bool) -> Owner:
        """Return whose a campaign is that this client sends."""
        to = callsavvy.destination
        return cls(to.account, "" if simulated else to.server, simulated)

    @classmethod
    def from_json(cls, text: str) -> Owner:
        """Read back what `bind` wrote."""
        return cls(**json.loads(text))

    def __str__(self) -> str:
        return "the simulator" if self.simulated else f"account {self.account} at {self.server}"


def bind(cursor: Cursor, campaign: int, owner: Owner) -> None:
    """Bind a campaign that is nobody's yet.

    Raises:
        OtherAccountError: it is somebody else's.
    """
    written = json.dumps(attrs.asdict(owner))
    cursor.execute("UPDATE campaign SET owner = ? WHERE id = ? AND owner IS NULL", (written, campaign))
    kept = owner_of(cursor, campaign)
    if kept is not None and kept != owner:
        raise OtherAccountError(
            f"this campaign belongs to {kept}, not to {owner}; give this one a name of its own, or use the keys, the base URL"
            " and the simulator as it was begun with."
        )


def owner_of(cursor: Cursor, campaign: int) -> Owner | None:
    """Return whose a campaign is; None before it is first run."""
    (written,) = cursor.execute("SELECT owner FROM campaign WHERE id = ?", (campaign,)).fetchone()
    return None if written is None else Owner.from_json(written)
