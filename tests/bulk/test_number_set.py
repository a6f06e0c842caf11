"""The compact set holds numbers like a set does, in a fraction of its memory."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.errors import InvalidRequestError

# Neighbours and strides, as real lists have them; and the ends of what E.164 allows. Behind +999 no plan changes anything.
NUMBERS = st.one_of(
    st.integers(999_100, 999_999),
    st.integers(999_100_000_000_000, 999_999_999_999_999),
    st.integers(0, 300).map(lambda step: 2348000000000 + step),
    st.integers(0, 300).map(lambda step: 2348000000000 + (step << 20)),
).map("+{}".format)


@given(st.lists(NUMBERS, max_size=400), st.lists(NUMBERS, max_size=50))
def test_behaves_like_a_set(added: list[str], asked: list[str]) -> None:
    """Adding, asking and counting give what a set[str] gives."""
    compact, plain = NumberSet(), set[str]()
    for number in added:
        assert compact.add(number) is (number not in plain)
        plain.add(number)
        assert len(compact) == len(plain)
    for number in added + asked:
        assert (number in compact) is (number in plain)


def test_numbers_of_different_length_differ() -> None:
    """A number that continues another is another number."""
    numbers = NumberSet(["+123456"])
    assert "+1234560" not in numbers
    assert numbers.add("+1234560")


def test_ways_of_writing_are_one_number() -> None:
    """What is added or asked for is normalised: a suppressed number is met in any writing."""
    numbers = NumberSet(["00234 801 234 5678"])
    assert "+2348012345678" in numbers
    assert not numbers.add("2348012345678")


@pytest.mark.parametrize("text", ["", "0801234567", "+0", "abc"])
def test_what_is_no_number_is_refused(text: str) -> None:
    """The set never takes, nor silently misses, what is no number."""
    numbers = NumberSet()
    with pytest.raises(InvalidRequestError):
        numbers.add(text)
    with pytest.raises(InvalidRequestError):
        assert text not in numbers
    assert len(numbers) == 0


def test_repr_shows_the_count_only() -> None:
    """Numbers never reach a repr."""
    assert repr(NumberSet(["+2348012345678"])) == "<NumberSet of 1>"


@pytest.mark.long
def test_a_quarter_of_the_memory_of_a_set() -> None:
    """100,000 numbers take at most 24 bytes each, and less than a quarter of what a set[str] takes."""
    count = 100_000
    source = random.Random(1)
    values = [source.randrange(9991 * 10**11, 10**15) for _ in range(count)]

    def measure(collect: type[NumberSet | set[str]]) -> int:
        tracemalloc.start()
        kept = collect(f"+{value}" for value in values)
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(kept) == len(set(values))
        return taken

    compact = measure(NumberSet)
    assert compact <= 24 * count
    assert compact * 4 < measure(set)
