"""With the extra ``phone``, national numbers are read and numbering plans are asked."""

from __future__ import annotations

import sys

import pytest

from callsavvy_async.bulk.phone_parsing import NumberCheck, number_reader
from callsavvy_async.errors import ConfigurationError, InvalidRequestError


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0803 123 4567", "+2348031234567"),
        ("803-123-4567", "+2348031234567"),
        ("2348031234567", "+2348031234567"),
        ("0700 000 0012", "+2347000000012"),
        ("+44 7911 123456", "+447911123456"),
        ("0044 7911 123456", "+447911123456"),
        ("009 44 7911 123456", "+447911123456"),
        ("00 999 123 456", "+999123456"),
        ("(0803) 123 4567", "+2348031234567"),
        ("234 (0)803 123 4567", "+2348031234567"),
        ("+234 0803 123 4567", "+2348031234567"),
    ],
)
def test_region_reads_national_numbers(written: str, number: str) -> None:
    """National numbers get the region's country code; international ones keep theirs."""
    assert number_reader(region="ng")(written) == number


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("12", "not a phone number of region NG"),
        ("7", "not a phone number of region NG"),
        ("0123456", "not a phone number of region NG"),
        ("447911123456", "not a phone number of region NG"),
        ("8031234567.0", "decimal number"),
        ("0803 123 4567, 0803 123 4568", "may be two numbers"),
        ("0803CALL", "letters"),
        ("", "it is blank"),
    ],
)
def test_region_refuses_what_does_not_fit(written: str, reason: str) -> None:
    """A region never guesses: what is not of its plan is refused, and so is all that is refused without it."""
    with pytest.raises(InvalidRequestError, match=reason):
        number_reader(region="NG")(written)


def test_what_may_be_dialled_as_either_of_two_numbers_is_refused() -> None:
    """Behind 00 and behind the region's own prefix (Nigeria's 009) may stand two valid numbers: neither is guessed."""
    with pytest.raises(InvalidRequestError, match="either of two numbers"):
        number_reader(region="NG")("0094 771 234 567")


def test_unknown_region_is_refused() -> None:
    """A region is an ISO 3166 code that the numbering plans know."""
    with pytest.raises(InvalidRequestError, match=r"region is 'Nigeria'.*two letters"):
        number_reader(region="Nigeria")


@pytest.mark.parametrize(
    ("validate", "number", "accepted"),
    [
        ("shape", "+2341000000000", True),
        ("shape", "+999123456", True),
        ("possible", "+2348031234567", True),
        ("possible", "+23412345", False),
        ("possible", "+999123456", False),
        ("valid", "+2348031234567", True),
        ("valid", "+2341000000000", False),
    ],
)
def test_validate_asks_the_numbering_plan(validate: NumberCheck, number: str, accepted: bool) -> None:
    """The further the check, the fewer numbers pass it."""
    read = number_reader(validate=validate)
    if accepted:
        assert read(number) == number
    else:
        with pytest.raises(InvalidRequestError, match=f"is not {validate}"):
            read(number)


def test_unknown_check_is_refused() -> None:
    """A check that does not exist is not taken for "shape"."""
    with pytest.raises(InvalidRequestError, match="validate is 'strict'"):
        number_reader(validate="strict")  # type: ignore[arg-type]


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the options that need it say how to get it; the shape check works."""
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(ConfigurationError, match=r"region='NG' .*pip install 'callsavvy-async\[phone\]'"):
        number_reader(region="NG")
    with pytest.raises(ConfigurationError, match="validate='valid'"):
        number_reader(validate="valid")
    assert number_reader()("+234 8031234567") == "+2348031234567"
