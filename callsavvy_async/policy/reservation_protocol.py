"""The requests and the state of the row through which processes share a limit.

Theory. All times in the row are on the clock of its server. Two requests change the row, each atomically:

    Reserve    Reserves slots. GCRA: a reservation begins where the last one ended, and moves that end on. Any number of
               processes may reserve at once, and each succeeds at the first try.
    Replace    Replaces the *controller*, a text that the row only stores, if its version is still the expected one (compare
               and set). The controller takes a new version, and slots reserved under the old one become invalid.

So the arithmetic of the limit stays in one place, in Python, and any store that adds two numbers can keep the row.

    slot        s           start of the next reservation
    taken       requests    reserved since the last replacement, minus released slots
    after_idle  requests    part of `taken` that was reserved after an idle time
    idle        s           idle time since the last replacement
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias, cast

import attrs

from callsavvy_async.policy.gate import Gate
from callsavvy_async.policy.rate_controller import RateController

NO_ROW = ""
"""The version of a missing row."""
_FARTHEST = 1e12
"""Maximum plausible seconds or requests."""


@attrs.frozen
class Reserve:
    """Request slots.

    Attributes:
        version: Version of this process's controller. If the row has another version, it reserves no slots and returns its
            controller.
        count: Number of slots; 0 only reads the row.
        interval: Seconds between two slots.
        credit: Maximum seconds by which the first slot may lie in the past, after an idle time.
        counted: True if the slots count as `taken`; False for probes.
        released: Number of unused slots to return. Negative if slots were used after their controller was replaced.
        throttled_for: Seconds to count as idle, because headers or missing processes held the controller's rate down.
    """

    version: str
    count: int = 0
    interval: float = 0.0
    credit: float = 0.0
    counted: bool = True
    released: int = 0
    throttled_for: float = 0.0


@attrs.frozen
class Replace:
    """Replace the controller.

    Attributes:
        expected: Version to replace.
        version: Version of the new controller.
        controller: Text of the new controller.
        slot: Start of the next reservation, on the row's clock.
    """

    expected: str
    version: str
    controller: str = attrs.field(repr=False)
    slot: float


RowRequest: TypeAlias = Reserve | Replace


@attrs.frozen
class RowState:
    """The row after a request.

    Attributes:
        now: Time on the row's clock.
        version: Version of the controller.
        controller: Text of the controller; may be empty after a reservation under the current version.
        slot: Start of the next reservation.
        taken: Number of requests, see the module.
        after_idle: Number of requests, see the module.
        idle: Seconds, see the module.
        processes: Number of processes that have sent requests to the row lately.
    """

    now: float
    version: str
    controller: str = attrs.field(repr=False)
    slot: float
    taken: int
    after_idle: int
    idle: float
    processes: int


def write_controller(rate: RateController, gate: Gate) -> str:
    """Serialise a controller."""
    return json.dumps({"rate": attrs.asdict(rate), "gate": attrs.asdict(gate)})


def read_controller(text: str) -> tuple[RateController, Gate] | None:
    """Deserialise another process's controller; return None if the text is not a valid controller."""
    try:
        state = json.loads(text)
        rate, gate = _remake(RateController, state["rate"]), _remake(Gate, state["gate"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (rate, gate) if rate.is_sound else None


def _remake(kind: type[Any], state: object) -> Any:
    """Rebuild a controller from serialised state; reject fields of the wrong type."""
    known, like = cast("dict[str, object]", state), attrs.asdict(kind())
    values = {field.alias: known[field.name] for field in attrs.fields(kind)}
    for field in attrs.fields(kind):
        if not _is_plausible(values[field.alias], like[field.name]):
            raise TypeError(field.name)
    return kind(**values)


def _is_plausible(value: object, right: object) -> bool:
    if isinstance(value, bool) != isinstance(right, bool):
        return False
    if isinstance(value, int | float):
        return abs(value) < _FARTHEST or value == right
    return value is right is None
