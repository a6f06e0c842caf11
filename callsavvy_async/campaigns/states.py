"""The states of a chunk in the journal, and the transitions between them.

```
pending --claim--> claimed --write-ahead, before byte 1--> in_flight --response--> accepted | failed | rejected | split
claimed --release--> pending                       nothing was sent
in_flight --proof of no effect--> pending | claimed   NOT_SENT, 429; claimed until its retry
in_flight --no proof--> unknown                    also when its process died
unknown --late response--> accepted | failed | rejected | not_sent
unknown --a person, or the balance--> accepted | not_sent
unknown, not_sent --a person--> pending            resend
pending, not_sent --a person--> cancelled
pending, claimed, in_flight, not_sent --the journal is an older copy--> unknown
```
When the API rejects a chunk because of one recipient, the chunk is split: two new chunks replace it in all sums.
"""

from __future__ import annotations

import enum


class State(enum.StrEnum):
    """The state of a chunk."""

    PENDING = "pending"
    CLAIMED = "claimed"
    """A run holds it and has sent nothing yet."""
    IN_FLIGHT = "in_flight"
    """Its request may have left."""
    ACCEPTED = "accepted"
    FAILED = "failed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"
    """Unknown before, then proved or declared not sent."""
    CANCELLED = "cancelled"
    """Will never be sent."""
    SPLIT = "split"
    """Replaced by its two halves."""


class Actor(enum.Enum):
    """The cause of a transition."""

    OWNER = "the run that claimed the chunk"
    RECOVERY = "the takeover of a dead run"
    PERSON = "a person, or proof by the balance"
    RESTORER = "the recovery of an older copy of the journal"


_RESPONSES = frozenset({State.ACCEPTED, State.FAILED, State.REJECTED})

MOVES: dict[Actor, dict[State, frozenset[State]]] = {
    Actor.OWNER: {
        State.CLAIMED: frozenset({State.PENDING, State.IN_FLIGHT}),
        State.IN_FLIGHT: frozenset({State.CLAIMED}),
        State.PENDING: frozenset({State.CLAIMED, State.IN_FLIGHT}),
        State.UNKNOWN: frozenset({State.IN_FLIGHT}),
        State.NOT_SENT: frozenset({State.UNKNOWN}),
        State.SPLIT: frozenset({State.IN_FLIGHT}),
        **{response: frozenset({State.IN_FLIGHT, State.UNKNOWN}) for response in _RESPONSES},
    },
    Actor.RECOVERY: {State.PENDING: frozenset({State.CLAIMED}), State.UNKNOWN: frozenset({State.IN_FLIGHT})},
    Actor.PERSON: {
        State.ACCEPTED: frozenset({State.UNKNOWN}),
        State.NOT_SENT: frozenset({State.UNKNOWN}),
        State.PENDING: frozenset({State.UNKNOWN, State.NOT_SENT}),
        State.CANCELLED: frozenset({State.PENDING, State.NOT_SENT}),
    },
    Actor.RESTORER: {State.UNKNOWN: frozenset({State.PENDING, State.CLAIMED, State.IN_FLIGHT, State.NOT_SENT})},
}
"""Allowed transitions: actor, target state, source states."""


def sources(to: State, by: Actor) -> frozenset[State]:
    """Return the source states from which an actor may move a chunk to `to`."""
    return MOVES[by].get(to, frozenset())
