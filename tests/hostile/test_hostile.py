"""Whatever a server does with a request, what is said of it is what the server knows, on every backend alike."""

from __future__ import annotations

import pytest

from tests.profiles import mostly_long

from .play import COMBINATIONS, Combination, Tls, cut_cases, play
from .tricks import CASES

pytestmark = pytest.mark.sockets

FEW = (
    "a second response",
    "a second response in a packet, in a record of its own",
    "a second response a moment later",
    "64 KiB, and a second response",
    "b'X' behind",
    "408",
    "429, HTML",
    "413 before the request was read, and a reset",
)
"""One of each kind."""

OURS_FIRST = sorted(
    COMBINATIONS,
    key=lambda one: (one.loop != "asyncio", not one.secure, one.carrier not in {"native", "httpx", "aiohttp"}),
)
"""All of them; the first three, each backend of ours over TLS, are the quick suite's."""


@pytest.fixture(scope="module")
def tls() -> Tls:
    """Make the settings of both sides."""
    return Tls()


@pytest.mark.parametrize("combination", mostly_long(OURS_FIRST, quick=1), ids=str)
def test_one_of_each_kind(combination: Combination, tls: Tls) -> None:
    """A response is the response to its request; a connection behind whose response anything lies is not used again."""
    assert play(combination, {name: CASES[name] for name in FEW}, tls) == []


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("combination", COMBINATIONS, ids=str)
def test_all(combination: Combination, tls: Tls) -> None:
    """Nothing is ACCEPTED that was not charged, REJECTED that was, NOT_SENT that was read, or sent twice."""
    assert play(combination, CASES, tls) == []


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("combination", COMBINATIONS, ids=str)
def test_cut_at_any_byte(combination: Combination, tls: Tls) -> None:
    """The same where the connection breaks at any byte of the request or of the response.

    Each combination takes every fourteenth byte, and each begins at another one: together they try every byte.
    `python -m tests.hostile.play` tries all on each.
    """
    first = COMBINATIONS.index(combination)
    assert play(combination, cut_cases(first, step=len(COMBINATIONS)), tls) == []
