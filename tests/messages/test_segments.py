"""SMS are counted as 3GPP TS 23.038 and 23.040 say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.messages.segments import Encoding, Segments, count_segments, replace_ucs2

VECTORS: list[tuple[str, str, int, int, int]] = json.loads(
    Path(__file__).with_name("segment_vectors.json").read_text("utf-8")
)["vectors"]

GSM_TEXT = st.text(alphabet="abc XYZ@£€^{}[]~\\|Ωé\n\f", max_size=700)
ANY_TEXT = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("a€😀ж\u2019")), max_size=300)


def test_vectors_are_many() -> None:
    """The cross-check compares hundreds of texts, in both encodings."""
    assert len(VECTORS) >= 300
    assert {encoding for _, encoding, *_ in VECTORS} == {"GSM-7", "UCS-2"}


def test_q45_agrees_with_an_independent_calculator() -> None:
    """Every text is counted as split-sms counts it: encoding, units, segments, room left."""
    for text, *expected in VECTORS:
        counted = count_segments(text)
        assert [counted.encoding.value, counted.units, counted.segments, counted.left_in_last] == expected, ascii(text)


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments", "left"),
    [
        ("", Encoding.GSM_7, 0, 1, 160),
        ("a" * 160, Encoding.GSM_7, 160, 1, 0),
        ("a" * 161, Encoding.GSM_7, 161, 2, 145),
        ("a" * 306, Encoding.GSM_7, 306, 2, 0),
        ("a" * 307, Encoding.GSM_7, 307, 3, 152),
        ("€" * 80, Encoding.GSM_7, 160, 1, 0),
        ("a" * 152 + "€" + "a" * 8, Encoding.GSM_7, 162, 2, 143),
        ("ж" * 70, Encoding.UCS_2, 70, 1, 0),
        ("ж" * 71, Encoding.UCS_2, 71, 2, 63),
        ("ж" * 66 + "😀" + "ж" * 4, Encoding.UCS_2, 72, 2, 61),
        ("\x1b", Encoding.UCS_2, 1, 1, 69),
        ("\uff01" * 70, Encoding.UCS_2, 70, 1, 0),
    ],
)
def test_borders(text: str, encoding: Encoding, units: int, segments: int, left: int) -> None:
    """160/153 septets and 70/67 units; escape and surrogate pairs move whole to the next part."""
    counted = count_segments(text)
    assert (counted.encoding, counted.units, counted.segments, counted.left_in_last) == (
        encoding,
        units,
        segments,
        left,
    )


def test_what_forces_ucs2_is_named_once_in_order() -> None:
    """The distinct culprits stand in the order of the text, with a replacement where there is one."""
    counted = count_segments("“Hi” \u2013 ₦5… “ж”")
    assert counted.forced_by == ("“", "”", "\u2013", "₦", "…", "ж")
    assert counted.replacements == {"“": '"', "”": '"', "\u2013": "-", "₦": "NGN", "…": "..."}
    assert replace_ucs2("“Hi” \u2013 ₦5… “ж”\u200b") == '"Hi" - NGN5... "ж"'


def test_segments_are_values() -> None:
    """Counts compare and hash."""
    assert hash(count_segments("\u2019")) == hash(count_segments("\u2019"))
    assert count_segments("a") == Segments(Encoding.GSM_7, 1, 1, 159)


@given(ANY_TEXT)
def test_replacing_never_costs_a_character_outside_gsm7(text: str) -> None:
    """After replacing, what forces UCS-2 is what had no replacement."""
    before, after = count_segments(text), count_segments(replace_ucs2(text))
    assert set(after.forced_by) == set(before.forced_by) - set(before.replacements)
    assert replace_ucs2(replace_ucs2(text)) == replace_ucs2(text)


@given(ANY_TEXT | GSM_TEXT)
def test_encoding_and_units_follow_the_characters(text: str) -> None:
    """UCS-2 counts 16-bit code units, GSM-7 septets; the alphabet decides which."""
    counted = count_segments(text)
    if counted.encoding is Encoding.UCS_2:
        assert counted.forced_by
        assert counted.units == len(text.encode("utf-16-be", "surrogatepass")) // 2
    else:
        assert not counted.forced_by
        assert counted.units == len(text) + sum(map("^{}\\[~]|€\f".count, text))


@given(ANY_TEXT | GSM_TEXT)
def test_segments_hold_the_units(text: str) -> None:
    """The units fit the segments; what pairs waste is at most a unit a segment; left_in_last is what is truly free."""
    counted = count_segments(text)
    whole, part = (160, 153) if counted.encoding is Encoding.GSM_7 else (70, 67)
    if counted.segments == 1:
        assert counted.units + counted.left_in_last == whole
    else:
        assert counted.units > whole
        wasted = counted.segments * part - counted.units - counted.left_in_last
        assert 0 <= wasted < counted.segments
        assert 0 <= counted.left_in_last < part


@given(GSM_TEXT)
def test_filling_the_last_segment_adds_none(text: str) -> None:
    """As many plain characters as are left fit; one more makes another segment."""
    counted = count_segments(text)
    filled = text + "a" * counted.left_in_last
    assert count_segments(filled).segments == counted.segments
    assert count_segments(filled + "a").segments > counted.segments
