"""Numbers are brought into one shape, and what cannot be a number is refused with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.phone_numbers import normalise_number, strip_fillers

E164 = st.from_regex(r"\+[1-9][0-9]{5,14}", fullmatch=True)
FILLERS = st.text(alphabet=" \t\u00a0\u202f\u200e-\u2011()./", max_size=3)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+2348012345678", "+2348012345678"),
        ("2348012345678", "+2348012345678"),
        ("002348012345678", "+2348012345678"),
        (" +234 801-234 (5678) ", "+2348012345678"),
        ("+234.801.234.5678", "+2348012345678"),
        ("+234\u00a0801\u20112345678", "+2348012345678"),
        ("\u202a+2348012345678\u202c", "+2348012345678"),
        ("+123456", "+123456"),
        ("+123456789012345", "+123456789012345"),
        ("+2240099887", "+2240099887"),
        ("+447989987", "+447989987"),
    ],
)
def test_q43_accepted_forms(written: str, number: str) -> None:
    """Blanks, dashes, brackets and a leading 00 are only ways of writing a number, the document's samples included."""
    assert normalise_number(written) == number


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "it is blank"),
        ("  ", "it is blank"),
        ("2.34801E+12", "scientific notation"),
        ("2,34E12", "scientific notation"),
        ("2348012345678.0", "ends in '.0'"),
        ("+2348012345678.00", "ends in '.0'"),
        ("+2348012345678,+2348012345679", "two recipients"),
        ("+2348012345678;1", "two recipients"),
        ("+23480CALLME", "letters"),
        ("jane@example.com", "letters"),
        ("+12345", "5 digits"),
        ("+1234567890123456", "16 digits"),
        ("08012345678", "country code"),
        ("+0801234567", "country code"),
        ("000123456", "country code"),
        ("+23480\n12345678", "country code"),
        ("٢٣٤٨٠١٢٣٤٥٦٧٨", "country code"),  # Arabic-Indic digits
    ],
)
def test_refused_forms(written: str, reason: str) -> None:
    """What is no number is refused, and the reason tells the fix."""
    with pytest.raises(InvalidRequestError, match=reason):
        normalise_number(written)


def test_error_masks_the_number() -> None:
    """An error never shows a whole number."""
    with pytest.raises(InvalidRequestError) as caught:
        normalise_number("+1234567890123456")
    assert "+1234567890123456" not in str(caught.value)
    assert "+123***********56" in str(caught.value)


@given(E164)
def test_clean_number_is_unchanged(number: str) -> None:
    """A number in its final shape is returned as it is."""
    assert normalise_number(number) is number


@given(st.data(), E164)
def test_fillers_change_nothing(data: st.DataObject, number: str) -> None:
    """Whatever fillers stand between the digits, the number is the same, or is refused as a decimal number."""
    written = "".join(char + data.draw(FILLERS) for char in number)
    if strip_fillers(written) == number:
        assert normalise_number(written) == number
    else:
        with pytest.raises(InvalidRequestError, match="ends in"):
            normalise_number(written)


@given(st.text())
def test_any_text_is_a_number_or_an_error(text: str) -> None:
    """No text makes anything but a number in shape, or InvalidRequestError; normalising again changes nothing."""
    try:
        number = normalise_number(text)
    except InvalidRequestError:
        return
    assert number[0] == "+"
    assert number[1:].isascii()
    assert number[1:].isdecimal()
    assert 6 <= len(number) - 1 <= 15
    assert normalise_number(number) == number
