"""The states of a chunk in the journal, and the moves between them.

```
pending --claim--> claimed --write-ahead, before byte 1--> in_flight --answer--> accepted | failed | rejected | split
claimed --released--> pending                    nothing was on the wire
in_flight --proof that nothing was done--> pending | claimed   NOT_SENT, 429; claimed while it waits to be repeated
in_flight --no proof--> unknown                  also when its process died
unknown --a late answer--> accepted | failed | rejected | not_sent
unknown --a person, or the balance--> accepted | not_sent
unknown, not_sent --a person--> pending          to be sent again
pending, not_sent --a person--> cancelled
pending, claimed, in_flight, not_sent --the journal is an older copy--> unknown
```
A chunk whose recipients were rejected for one of them is split: its halves are chunks of their own, and it counts no
more.
"""

from __future__ import annotations

import enum


class State(enum.StrEnum):
    """Where a chunk stands."""

    PENDING = "pending"
    CLAIMED = "claimed"
    """A worker has it, and nothing left yet."""
    IN_FLIGHT = "in_flight"
    """Its request may have left."""
    ACCEPTED = "accepted"
    FAILED = "failed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"
    """It was unknown, and is proved or declared not to have been sent."""
    CANCELLED = "cancelled"
    """It will never be sent."""
    SPLIT = "split"
    """Its halves stand for it."""


class Actor(enum.Enum):
    """Who moves a chunk."""

    OWNER = "the run that claimed it"
    RECOVERY = "whoever notices that its process died"
    PERSON = "a person, or what the balance proves"
    RESTORER = "whoever notices that the journal is an older copy"


_ANSWERS = frozenset({State.ACCEPTED, State.FAILED, State.REJECTED})

MOVES: dict[Actor, dict[State, frozenset[State]]] = {
    Actor.OWNER: {
        State.CLAIMED: frozenset({State.PENDING, State.IN_FLIGHT}),
        State.IN_FLIGHT: frozenset({State.CLAIMED}),
        State.PENDING: frozenset({State.CLAIMED, State.IN_FLIGHT}),
        State.UNKNOWN: frozenset({State.IN_FLIGHT}),
        State.NOT_SENT: frozenset({State.UNKNOWN}),
        State.SPLIT: frozenset({State.IN_FLIGHT}),
        **{answer: frozenset({State.IN_FLIGHT, State.UNKNOWN}) for answer in _ANSWERS},
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
"""Who may move a chunk to which state, and from which."""


def sources(to: State, by: Actor) -> frozenset[State]:
    """Return the states from which a chunk may be moved; none when the move does not exist."""
    return MOVES[by].get(to, frozenset())
