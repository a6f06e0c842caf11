"""Hypothesis draws every type that users meet."""

from __future__ import annotations

from typing import TypeVar

import attrs
import pytest
from hypothesis import Phase, given, settings
from hypothesis.strategies import SearchStrategy

from callsavvy_async import models as responses
from callsavvy_async.models import Meeting, Model, Receipt, Ticket
from callsavvy_async.phone_numbers import normalise_number
from callsavvy_async.simulator import Fault, FaultKind, Simulator
from callsavvy_async.testing import strategies
from callsavvy_async.webhooks.events import EVENT_TYPES, Event, UnknownEvent

T = TypeVar("T")


def drawn(strategy: SearchStrategy[T]) -> list[T]:
    """Draw enough values that one of a few kinds is missing once in a billion runs."""
    values: list[T] = []

    @settings(max_examples=60, derandomize=True, phases=[Phase.generate])
    @given(strategy)
    def collect(value: T) -> None:
        values.append(value)

    collect()
    return values


def test_every_type_is_drawn() -> None:
    """A new response or event is drawn without a line here; a base stands for those below it, a type for itself."""
    declared = {getattr(responses, name) for name in responses.__all__}
    types = {one for one in declared if attrs.has(one)} - {Model, Receipt}
    assert {*strategies._kinds(Model)} == types | {*EVENT_TYPES.values(), UnknownEvent}
    assert {*strategies._kinds(Receipt)} == {one for one in types if issubclass(one, Receipt)}
    assert strategies._kinds(Meeting) == [Meeting]
    for kind in strategies._kinds(Model):
        strategies.models(kind).validate()


@given(strategies.models(Model), strategies.hook_events(), strategies.phone_numbers())
def test_what_is_drawn_is_what_the_package_makes(model: Model, hooked: object, number: str) -> None:
    """A drawn value has all fields of its type; a number is in the form in which it is sent."""
    assert {*model.as_dict()} == {field.name for field in attrs.fields(type(model))} - {"raw"}
    assert attrs.evolve(hooked) == hooked
    assert normalise_number(number) == number


@pytest.mark.long
def test_fields_hold_what_the_api_may_send() -> None:
    """Absent values, words that this release does not know, and undocumented fields are drawn."""
    tickets = drawn(strategies.models(Ticket))
    words = {ticket.status for ticket in tickets}
    assert None in words
    assert {word.known for word in words if word is not None} == {True, False}
    assert {bool(ticket.extra) for ticket in tickets} == {True, False}


@given(strategies.events())
def test_names_of_events(event: Event) -> None:
    """An event has its documented name, and an unknown one any other."""
    assert EVENT_TYPES.get(event.name, UnknownEvent) is type(event)


@pytest.mark.long
@given(strategies.fault_scripts())
def test_scripts_are_taken(script: list[Fault | None]) -> None:
    """The simulator takes every script that is drawn."""
    sim = Simulator()
    sim.faults.script("sendSMS", *script)
    assert sim.faults.waiting == len(script)


@pytest.mark.long
def test_faults_have_names_and_statuses() -> None:
    """Faults with a name are drawn, and responses with a status of an error, charged or not."""
    faults = drawn(strategies.faults())
    assert {fault.kind for fault in faults} > {FaultKind.STATUS}
    charged = {fault.processed for fault in faults if fault.kind is FaultKind.STATUS and fault.reads}
    assert charged == {True, False}
