"""Strategies of hypothesis for what the SDK returns, posts and reports, and for the faults of the simulator.

    @given(event=events(), script=fault_scripts())
    def test_whatever_comes(event: Event, script: list[Fault | None]) -> None: ...

Only this module imports hypothesis.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar, cast, get_args, get_origin

import attrs
from hypothesis import strategies as st

from callsavvy_async import hooks, models as responses
from callsavvy_async.models import Model, OpenEnum, Receipt
from callsavvy_async.simulator import FAULTS, Fault
from callsavvy_async.webhooks.events import EVENT_TYPES, Event, UnknownEvent

__all__ = ["events", "fault_scripts", "faults", "hook_events", "models", "phone_numbers"]

M = TypeVar("M", bound=Model)

_MOST = 10**9
_NUMBERS = (("+23480", 8), ("+44770090", 4), ("+1415555", 4))
"""First digits of numbers that need no numbering plan, and how many follow."""


def models(kind: type[M]) -> st.SearchStrategy[M]:
    """Draw a response or an event, with any value that the API may send in each field.

    Args:
        kind: Its type. A base, such as `Model` or `Receipt`, stands for every type of the package below it.
    """
    return st.one_of([_instances(one) for one in _kinds(kind)])


def events() -> st.SearchStrategy[Event]:
    """Draw an event of a webhook, documented or not."""
    return models(Event)


def hook_events() -> st.SearchStrategy[hooks.HookEvent]:
    """Draw an event that a hook gets."""
    kinds: tuple[type[hooks.HookEvent], ...] = get_args(hooks.HookEvent)
    return st.one_of([_instances(kind) for kind in kinds])


def faults() -> st.SearchStrategy[Fault]:
    """Draw a fault of the simulator: each with a name, and any status of an error.

    Faults of the kind `FaultKind.HANG` last as long as the client's timeout: pass a short one, or filter them.
    """
    statuses = st.integers(400, 599)
    bodies = st.sampled_from(("envelope", "html", "empty"))
    waits = st.none() | st.integers(0, 3).map(str)
    return st.sampled_from([*FAULTS.values()]) | st.builds(
        Fault.with_status, statuses, body=bodies, retry_after=waits, processed=st.booleans()
    )


def fault_scripts(*, max_size: int = 5) -> st.SearchStrategy[list[Fault | None]]:
    """Draw the steps of `FaultPlan.script`.

    Args:
        max_size: Most steps.
    """
    return st.lists(st.none() | faults(), max_size=max_size)


def phone_numbers() -> st.SearchStrategy[str]:
    """Draw a phone number in the form in which it is sent (E.164)."""
    numbers = [st.integers(0, 10**digits - 1).map(f"{first}{{:0{digits}d}}".format) for first, digits in _NUMBERS]
    return st.one_of(numbers)


_BASES = (Model, Receipt)
_MODELS: list[type[Model]] = [
    *(
        one
        for one in vars(responses).values()
        if isinstance(one, type) and issubclass(one, Model) and one not in _BASES
    ),
    *EVENT_TYPES.values(),
    UnknownEvent,
]


def _kinds(kind: type[M]) -> list[type[M]]:
    """Return the type itself if values have it, and else those that derive from it."""
    return [kind] if kind in _MODELS else [one for one in _MODELS if issubclass(one, kind)] or [kind]


def _instances(kind: type[Any]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    fields = {field.name: _values(hints[field.name]) for field in attrs.fields(kind)}
    if issubclass(kind, Event):
        unknown = st.text().filter(lambda name: name not in EVENT_TYPES)
        fields["name"] = st.just(kind().name) if kind().name else unknown
    return st.builds(kind, **fields)


_PLAIN: Mapping[object, st.SearchStrategy[Any]] = {
    types.NoneType: st.none(),
    object: st.none() | st.text() | st.lists(st.text(), max_size=2),
    str: st.text(),
    bytes: st.binary(),
    bool: st.booleans(),
    int: st.integers(0, _MOST),
    float: st.floats(0, _MOST),
    Decimal: st.decimals(0, _MOST, places=2),
    datetime: st.datetimes(),
    timedelta: st.timedeltas(timedelta(0), timedelta(days=1)),
}


def _values(hint: object) -> st.SearchStrategy[Any]:
    """Draw what a field of this type may hold."""
    inner = get_args(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if get_origin(hint) in {types.UnionType, typing.Union}:
        return st.one_of(*map(_values, inner))
    if get_origin(hint) is tuple:
        return st.lists(_values(inner[0]), max_size=3).map(tuple)
    if inner:  # a mapping
        return st.dictionaries(_values(inner[0]), _values(inner[1]), max_size=2)
    kind = cast("type[Any]", hint)
    return _words(kind) if issubclass(kind, Enum) else _instances(kind)


def _words(kind: type[Enum]) -> st.SearchStrategy[Enum]:
    """Draw a member; of a list that the API may extend also a word that this release does not know."""
    known = st.sampled_from(kind)
    return known | st.text(min_size=1).filter(str.strip).map(kind) if issubclass(kind, OpenEnum) else known
