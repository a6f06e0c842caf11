"""Text from outside can be written everywhere, or is changed until it can; what can be is left alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.encodable import encodable, encodable_json, is_encodable

ANY = st.text(st.characters(categories=["Lu", "Cs", "Cc", "So"]), max_size=6)
VALUES = st.recursive(ANY | st.none() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(ANY, inner))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Ada", "Ada"),
        ("Zo\u00eb \u674e \U0001f600", "Zo\u00eb \u674e \U0001f600"),
        ("cut \ud83d", "cut \ufffd"),
        ("\ude00 cut", "\ufffd cut"),
        ("a\0b", "a\ufffdb"),
        ("", ""),
    ],
)
def test_half_a_character_and_nul_are_replaced(text: str, written: str) -> None:
    """Only what nothing can store or send is replaced."""
    assert encodable(text) == written
    assert is_encodable(text) is (text == written)


@given(VALUES)
def test_any_json_can_be_written_afterwards(value: object) -> None:
    """Names and values, however deep: all can be encoded, and nothing else changes."""
    clean = is_encodable(json.dumps(value, ensure_ascii=False).replace("\\u0000", "\0"))
    before = json.dumps(value)
    after = encodable_json(value)
    text = json.dumps(after, ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text
    if clean:
        assert json.dumps(after) == before


def test_deep_nesting_is_no_recursion() -> None:
    """What a parser made, however deep, is walked without recursion."""
    value: list[object] = ["\ud83d"]
    for _ in range(100_000):
        value = [value]
    encodable_json(value)
