"""Assertions about what a simulator charged: the questions that every test of paid messages asks.

    assert_charged_once(callsavvy_sim, "+2348012345678", text="Your order is ready.")
    assert_nobody_twice(callsavvy_sim)

A failure masks numbers, and never shows a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from callsavvy_async.phone_numbers import normalise_number
from callsavvy_async.redaction import mask_number
from callsavvy_async.simulator import Ledger, Simulator
from callsavvy_async.wording import quantity

__all__ = ["assert_charged_once", "assert_nobody_charged", "assert_nobody_twice"]

_SHOWN = 5
"""Recipients, and requests of one recipient, that a failure lists."""


def assert_charged_once(sim: Simulator, *numbers: str, text: str | None = None) -> None:
    """Assert that each of these recipients was charged exactly once.

    Args:
        sim: Simulator that was sent to.
        *numbers: Recipients, written as for a send.
        text: Message that each must have been sent; None for any.

    Raises:
        AssertionError: A recipient was charged never, several times, or for another text.
        TypeError: No number was given, so there is nothing to assert.
        InvalidRequestError: A number is not an international phone number.
    """
    __tracebackhide__ = True
    if not numbers:
        raise TypeError("assert_charged_once needs at least one number; assert_nobody_twice asks about all recipients.")
    for number in map(normalise_number, numbers):
        count = sim.ledger.charged_count(number)
        if count != 1:
            raise AssertionError(f"expected one charge for {_charges(sim.ledger, number, count)}")
        (found,) = sim.ledger.messages(number)
        if text is not None and found != text:
            raise AssertionError(f"{mask_number(number)} got another text: {_difference(found, text)}.")


def assert_nobody_twice(sim: Simulator) -> None:
    """Assert that no recipient was charged more than once.

    Args:
        sim: Simulator that was sent to.

    Raises:
        AssertionError: A recipient was charged more than once.
    """
    __tracebackhide__ = True
    if twice := {number: count for number, count in sim.ledger.charged.items() if count > 1}:
        raise AssertionError(f"expected no second charge for {_each_charged(sim.ledger, twice)}")


def assert_nobody_charged(sim: Simulator) -> None:
    """Assert that no recipient was charged.

    Args:
        sim: Simulator that was sent to.

    Raises:
        AssertionError: A recipient was charged.
    """
    __tracebackhide__ = True
    if charged := sim.ledger.charged:
        raise AssertionError(f"expected no charge for {_each_charged(sim.ledger, charged)}")


def _each_charged(ledger: Ledger, charged: Mapping[str, int]) -> str:
    shown = [_charges(ledger, number, count) for number, count in islice(charged.items(), _SHOWN)]
    return "\n".join([quantity(len(charged), "recipient"), *shown, *_rest(len(charged))])


def _charges(ledger: Ledger, number: str, count: int) -> str:
    """Return the number, its charges and its requests, without texts."""
    requests = [entry for entry in ledger.requests if number in entry.recipients]
    shown = [f"  {entry}" for entry in requests[:_SHOWN]]
    return "\n".join([f"{mask_number(number)}: found {count}", *shown, *_rest(len(requests))])


def _rest(count: int) -> tuple[str, ...]:
    return (f"  and {count - _SHOWN} more",) if count > _SHOWN else ()


def _difference(found: str, expected: str) -> str:
    """Say where two texts part, without a character of them."""
    pairs = zip(found, expected, strict=False)
    same = next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(found), len(expected)))
    return f"expected {len(expected)} characters, found {len(found)}, different from character {same + 1} on"
