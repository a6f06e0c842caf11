"""A person is one number: whatever is written, there is one form of it, and what cannot be told is refused with its reason."""

from __future__ import annotations

import sys
from contextlib import suppress

import phonenumbers
import pytest
from hypothesis import assume, given, strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.phone_numbers import lacks_country_code, normalise_number

E164 = st.from_regex(r"\+[1-9][0-9]{5,14}", fullmatch=True)
CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
FILLERS = st.text(alphabet=" \t\u00a0\u202f\u2009\u200b\u200e\u2066\ufeff-\u2011\u2212", max_size=3)
EXAMPLES = [
    number
    for regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.values()
    if (number := phonenumbers.example_number_for_type(regions[0], PhoneNumberType.MOBILE)) is not None
]


@pytest.fixture
def no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the numbering plans away."""
    monkeypatch.setitem(sys.modules, "phonenumbers", None)


def e164(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def by_plan(text: str) -> str:
    return e164(phonenumbers.parse(text))


def number_or_none(text: str) -> str | None:
    try:
        return normalise_number(text)
    except InvalidRequestError:
        return None


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+2348012345678", "+2348012345678"),
        ("2348012345678", "+2348012345678"),
        ("002348012345678", "+2348012345678"),
        (" +234 801-234 5678 ", "+2348012345678"),
        ("+234.801.234.5678", "+2348012345678"),
        ("+234\u00a0801\u20112345678", "+2348012345678"),
        ("\u202a+2348012345678\u202c", "+2348012345678"),
        ("\u2066+2348012345678\u2069", "+2348012345678"),
        ("\ufeff+234\u200b8012345678", "+2348012345678"),
        ("\uff0b\uff12\uff13\uff14 8012345678", "+2348012345678"),
        ("+\u0662\u0663\u0664 8012345678", "+2348012345678"),
        ("'+2348012345678", "+2348012345678"),
        ('="+2348012345678"', "+2348012345678"),
        ("tel:+234-801-234-5678", "+2348012345678"),
        ("(+234) 801 234 5678", "+2348012345678"),
        ("(+2348012345678)", "+2348012345678"),
        ("+(234) [801] 2345678", "+2348012345678"),
        ("+49 30/1234567", "+49301234567"),
        ("+1 (212) 555-1234", "+12125551234"),
        ("+123456", "+123456"),
        ("+2026-11-30", "+20261130"),
        ("2026-13-30", "+20261330"),
        ("+123456789012345", "+123456789012345"),
        ("+2240099887", "+2240099887"),
        ("+447989987", "+447989987"),
        ("+999123456", "+999123456"),
        ("+9990123456", "+9990123456"),
    ],
)
def test_q43_accepted_forms(written: str, number: str) -> None:
    """Fillers, marks, other digits, a leading 00 are only ways of writing a number, the document's samples included."""
    assert normalise_number(written) == number


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "it is blank"),
        (" \u200b", "it is blank"),
        ("-", "no digits"),
        ("(--)", "no digits"),
        ("2026-11-30", "is a date"),
        ("2026/1/3", "is a date"),
        ("30.11.2026", "is a date"),
        (" 11-30-2026", "is a date"),
        ("2.34801E+12", "scientific notation"),
        ("2,34E12", "scientific notation"),
        ("2348012345678.0", "decimal number"),
        ("+2348012345678.00", "decimal number"),
        ("234 801 2345678.0", "decimal number"),
        ("2348012345678.5", "decimal number"),
        ("+2348012345678,+2348012345679", "may be two numbers"),
        ("+2348012345678;1", "may be two numbers"),
        ("+23480\n12345678", "may be two numbers"),
        ("tel:+2348012345678;ext=12", "extension"),
        ("+2348012345678 ext. 12", "letters"),
        ("+2348012345678x12", "letters"),
        ("+2348012345678#12", "holds '#'"),
        ("+2348012345678 (12)", "brackets"),
        ("+2348012345678 (12", "brackets"),
        ("+2348012345678)", "brackets"),
        ("+234 801 234 5678/9", "slash"),
        ("+234 801 234 5678/79", "slash"),
        ("5551234/5555678", "slash"),
        ("+49/30/1234567", "slash"),
        ("+234 801 234 5678 +234 802 345 6789", "may be two numbers"),
        ("+23480CALLME", "letters"),
        ("jane@example.com", "letters"),
        ("+234\u00b28012345", r"holds '\\xb2'"),
        ("+12345", "5 digits"),
        ("+1234567890123456", "16 digits"),
        ("08012345678", "country code"),
        ("(0)8012345678", "country code"),
        ("+0801234567", "country code"),
        ("000123456", "country code"),
    ],
)
def test_refused_forms(written: str, reason: str) -> None:
    """What is no number, or holds more than one, is refused, and the reason tells the fix. Nothing is glued on."""
    with pytest.raises(InvalidRequestError, match=reason):
        normalise_number(written)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+234 (0)801 234 5678", "+2348012345678"),
        ("00234(0)8012345678", "+2348012345678"),
        ("234 (0) 8012345678", "+2348012345678"),
        ("+49 (0)30/1234567", "+49301234567"),
        ("+39 (0)6 12345678", "+390612345678"),
        ("+225 (07) 08091011", "+2250708091011"),
        ("+225 07 08 09 10 11", "+2250708091011"),
        ("+241 06 03 12 34", "+24106031234"),
        ("+2240099887", "+2240099887"),
    ],
)
@pytest.mark.parametrize("extra", [True, False])
def test_zero_behind_the_country_code(written: str, number: str, extra: bool, request: pytest.FixtureRequest) -> None:
    """A bracketed zero goes where the country dials one, and stays where it belongs to the number, with the plans or not."""
    if not extra:
        request.getfixturevalue("no_extra")
    assert normalise_number(written) == number


def test_bare_trunk_zero_takes_the_form_of_the_plan() -> None:
    """With the numbering plans a bare zero is read by its country's rule, as is any other prefix."""
    assert normalise_number("+234 0801 234 5678") == normalise_number("+23408012345678") == "+2348012345678"
    assert normalise_number("+7 8 912 345 67 89") == "+79123456789"
    assert normalise_number("+54 11 15 1234 5678") == "+5491112345678"


@pytest.mark.usefixtures("no_extra")
@pytest.mark.parametrize("written", ["+234 0801 234 5678", "+23408012345678", "23408012345678", "00234 0801 2345678"])
def test_bare_trunk_zero_is_refused_without_the_plans(written: str) -> None:
    """Without the plans it would be a second number of the same person, so it is refused."""
    with pytest.raises(InvalidRequestError, match="the 0 after its country code"):
        normalise_number(written)


@pytest.mark.parametrize(
    "written",
    ["+234 0000 801 2345", "+36 0 20 123 4567", "+57 0 321 123 4567"],
    ids=["twice", "06 is dialled", "carrier"],
)
def test_zero_that_the_plan_does_not_explain_is_refused(written: str) -> None:
    """With the plans too: what they leave behind the code of a country that dials a zero is no number of another person."""
    with pytest.raises(InvalidRequestError, match="the 0 after its country code"):
        normalise_number(written)


def test_number_that_the_plan_would_change_again_is_refused() -> None:
    """What has no form that is its own form would be a second number of somebody."""
    with pytest.raises(InvalidRequestError, match="not a number of that country"):
        normalise_number("+3708897313435")


def test_error_masks_the_number() -> None:
    """An error never shows a whole number, and no long text."""
    with pytest.raises(InvalidRequestError) as caught:
        normalise_number("+1234567890123456")
    assert "+1234567890123456" not in str(caught.value)
    assert "+123***********56" in str(caught.value)
    with pytest.raises(InvalidRequestError) as caught:
        normalise_number("1" * 100_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("written", "lacks"),
    [
        ("+2348012345678", False),
        ("(+234) 8012345678", False),
        ("='+2348012345678'", False),
        ("00234 8012345678", False),
        ("8012345678", True),
        ("234 801 234 5678", True),
    ],
)
def test_what_lacks_a_country_code(written: str, lacks: bool) -> None:
    """Neither plus nor 00: nothing says that the number is international."""
    assert lacks_country_code(written) is lacks


@given(E164)
def test_one_form_is_its_own_form(number: str) -> None:
    """Whatever a number is read as, that is read as itself, and is what the numbering plans make of it."""
    with suppress(InvalidRequestError):
        form = normalise_number(number)
        assert normalise_number(form) == form


@given(st.sampled_from(CODES), st.from_regex(r"[0-9]{5,12}", fullmatch=True))
def test_every_country_is_read_as_its_plan_reads_it(code: int, national: str) -> None:
    """The short cut for numbers in their form never differs from the numbering plans; test_one_form holds the rest."""
    number = f"+{code}{national}"
    assume(len(number) <= 16)
    try:
        assert normalise_number(number) == by_plan(number)
    except InvalidRequestError:
        assert not phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        assert normalise_number(number) == number


@pytest.mark.parametrize("extra", [True, False])
def test_equal_persons_have_one_number(extra: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All usual writings of an example number of each country are one number, with the plans or without them."""
    writings = {
        e164(number): (
            phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL),
            phonenumbers.format_number(number, PhoneNumberFormat.RFC3966),
            f"00 {number.country_code} {phonenumbers.national_significant_number(number)}",
        )
        for number in EXAMPLES
    }
    if not extra:
        monkeypatch.setitem(sys.modules, "phonenumbers", None)
    for form, texts in writings.items():
        assert [normalise_number(text) for text in texts] == [form] * len(texts)


@pytest.mark.parametrize("extra", [True, False])
@pytest.mark.parametrize("written", ["+{} (0){}", "+{} 0{}"])
def test_trunk_zero_of_every_country(extra: bool, written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zero behind a country code makes the person's number, or the one that the plans make of it; a bare one may be refused."""
    texts = {
        written.format(number.country_code, phonenumbers.national_significant_number(number)): e164(number)
        for number in EXAMPLES
    }
    forms = [by_plan(text) for text in texts]
    if not extra:
        monkeypatch.setitem(sys.modules, "phonenumbers", None)
    for (text, person), form in zip(texts.items(), forms, strict=True):
        allowed = {person, form} if "(0)" in text else {person, form, None}
        assert number_or_none(text) in allowed, text


@given(st.data(), st.sampled_from(EXAMPLES))
def test_fillers_change_nothing(data: st.DataObject, number: phonenumbers.PhoneNumber) -> None:
    """Whatever blanks, dashes and invisible marks stand between the digits, the number is the same."""
    form = e164(number)
    assert normalise_number("".join(char + data.draw(FILLERS) for char in form)) == form


@given(st.one_of(st.text(), st.text(alphabet="+0123456789 ()[]/.-'=\"\u200b\u0660te:", max_size=24)))
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
    assert isinstance(lacks_country_code(text), bool)


@given(st.text(alphabet="0123456789 ()-.\u200b\u0660", min_size=6, max_size=24).map("+".__add__))
def test_what_both_read_is_read_alike(text: str) -> None:
    """Of a text with a plus sign that the numbering plans read too, the same number is made."""
    with suppress(InvalidRequestError, phonenumbers.NumberParseException):
        assert normalise_number(text) == by_plan(text)
