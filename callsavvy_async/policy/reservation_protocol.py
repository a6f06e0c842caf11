"""The row that processes share a limit by: what they ask of it, and what it answers.

Theory. All times in the row are of the clock of the server that keeps it. Two requests change it, each atomically:

    Reserve    "I need so many slots." GCRA: they begin where the last reservation ended, and move that end on. Any number
               of processes may reserve at once, and nobody has to try twice.
    Replace     "I have learned this." The *controller*, a text that the row only keeps, is replaced if it is still the one that
               the learner knows (compare and set). It takes a new version, and slots reserved under the old one are void.

So the arithmetic of the limit stays in one place, in Python; the row can be kept by anything that adds two numbers.

    slot     s           where the next reservation begins
    taken    requests    reserved since the last change, less those that were handed back
    after_idle  requests    those of them that were reserved after an idle time
    idle     s           since the last change: for how long nobody wanted to send
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias, cast

import attrs

from callsavvy_async.policy.gate import Gate
from callsavvy_async.policy.rate_controller import RateController

NO_ROW = ""
"""The version of a row that is not there."""
_FARTHEST = 1e12
"""Seconds, or requests: more is no time, and no count."""


@attrs.frozen
class Reserve:
    """Ask for slots.

    Attributes:
        version: of the controller that this process has. Under any other version nothing is reserved, and the row's
            controller is returned.
        count: slots wanted; 0 only looks.
        interval: seconds between them.
        credit: seconds by which the first may lie in the past, after an idle time.
        counted: whether they count as `taken`; probes do not.
        released: unused slots to return. Negative when slots were used after their controller was replaced.
        throttled_for: seconds to count as idle: the controller would have gone faster, but was not allowed to.
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
        expected: the version that is replaced.
        version: of the new controller.
        controller: the text.
        slot: where reservations go on, on the clock of the row.
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
        now: by the clock of the row.
        version: of the controller.
        controller: the text; a reservation under the right version need not be told it.
        slot: where the next reservation begins.
        taken: requests, as above.
        after_idle: requests, as above.
        idle: seconds, as above.
        processes: how many have lately asked for slots.
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
    """Write down what is known of a limit."""
    return json.dumps({"rate": _state(rate), "gate": _state(gate)})


def read_controller(text: str, like: type[RateController]) -> tuple[RateController, Gate] | None:
    """Read what another process wrote; None if it cannot be read, or never was a controller."""
    try:
        state = json.loads(text)
        rate, gate = _remake(like, state["rate"]), _remake(Gate, state["gate"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (rate, gate) if rate.is_sound else None


def _state(controller: RateController | Gate) -> dict[str, object]:
    return attrs.asdict(controller)


def _remake(kind: type[Any], state: object) -> Any:
    """Make a controller again whose every field has a number of its kind, as in the state of a new one."""
    known, like = cast("dict[str, object]", state), _state(kind())
    values = {field.alias: known[field.name] for field in attrs.fields(kind)}
    for field in attrs.fields(kind):
        value, right = values[field.alias], like[field.name]
        number = isinstance(value, int | float) and (abs(value) < _FARTHEST or value == right)
        if isinstance(value, bool) != isinstance(right, bool) or not (number or value is right is None):
            raise TypeError(field.name)
    return kind(**values)
