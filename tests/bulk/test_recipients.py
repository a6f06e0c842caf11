"""Recipients are admitted once each; bad rows are skipped with their reason, misuse raises."""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import Any, NoReturn

import pytest
from hypothesis import example, given, strategies as st

from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.recipients import Recipient, RecipientFilter, RecipientInput, Skipped, SkipReason
from callsavvy_async.bulk.row_block import RowBlock
from callsavvy_async.bulk.suppression import suppression
from callsavvy_async.encodable import encodable
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages.templates import Template
from callsavvy_async.resources.contacts import Contact

NUMBER = "+2348012345678"


@pytest.mark.parametrize(
    "item",
    [
        "0023 4801 2345678",
        Recipient("234 8012345678"),
        {"phone": "2348012345678"},
        {"phone": 2348012345678},
        {"phone": 2348012345678.0},
    ],
)
def test_every_form_is_normalised(item: RecipientInput) -> None:
    """A text, a Recipient and a mapping (also of numbers, as data frames give them) make the same recipient."""
    admitted = RecipientFilter().admit(item, 7)
    assert isinstance(admitted, Recipient)
    assert (admitted.number, admitted.row) == (NUMBER, 7)


def test_fields_are_text() -> None:
    """Values of a row become text: whole floats as integers, None and NaN as blanks."""
    row = {"phone": NUMBER, "name": "Ada", "points": 12.0, "rate": 1.5, "city": None, "age": math.nan, "vip": True}
    admitted = RecipientFilter().admit(row, 1)
    assert isinstance(admitted, Recipient)
    assert admitted.fields == {
        "phone": NUMBER, "name": "Ada", "points": "12", "rate": "1.5", "city": "", "age": "", "vip": "True",
    }  # fmt: skip


def test_q44_second_writing_is_a_duplicate() -> None:
    """A number is admitted once, however it is written the second time."""
    recipient_filter = RecipientFilter()
    assert isinstance(recipient_filter.admit(NUMBER, 1), Recipient)
    skipped = recipient_filter.admit("00234-801-234-5678", 2)
    assert skipped == Skipped(2, "00234-801-234-5678", SkipReason.DUPLICATE, "an earlier row has the same number.")


@pytest.mark.parametrize("suppress", [["00234 801 234 5678"], iter([NUMBER]), NumberSet([NUMBER])])
def test_suppressed_number_gets_nothing(suppress: list[str] | NumberSet) -> None:
    """Who is suppressed is skipped each time, in any writing."""
    recipient_filter = RecipientFilter(suppress=suppress)
    for row in (1, 2):
        skipped = recipient_filter.admit("2348012345678", row)
        assert isinstance(skipped, Skipped)
        assert skipped.reason is SkipReason.SUPPRESSED


def test_suppressed_national_number_is_met() -> None:
    """Suppressed numbers are read with the region of the recipients."""
    skipped = RecipientFilter(suppress=["0803 123 4567"], region="NG").admit("+2348031234567", 1)
    assert isinstance(skipped, Skipped)
    assert skipped.reason is SkipReason.SUPPRESSED


def test_national_number_is_known_again() -> None:
    """A number is one number, whether it is written nationally or internationally."""
    recipient_filter = RecipientFilter(region="NG")
    admitted = recipient_filter.admit("0803 123 4567", 1)
    assert isinstance(admitted, Recipient)
    assert admitted.number == "+2348031234567"
    skipped = recipient_filter.admit("+234 803 123 4567", 2)
    assert isinstance(skipped, Skipped)
    assert skipped.reason is SkipReason.DUPLICATE


def test_bad_suppressed_number_raises() -> None:
    """A suppress list that cannot be read wholly is refused, with the position: nobody is sent to by a typing error."""
    with pytest.raises(InvalidRequestError, match="entry 2 of the suppress list"):
        RecipientFilter(suppress=[NUMBER, "0801"])


def test_suppress_is_not_one_text() -> None:
    """A text instead of a list would be read character by character."""
    with pytest.raises(InvalidRequestError, match=r"read_suppressed\(path\)"):
        suppression(NUMBER)


def test_invalid_row_is_skipped_with_the_reason() -> None:
    """Bad data never raises; the detail is the reason, without the number."""
    skipped = RecipientFilter().admit("+234801234567890123", 3)
    assert isinstance(skipped, Skipped)
    assert (skipped.row, skipped.reason) == (3, SkipReason.INVALID)
    assert "18 digits" in skipped.detail
    assert "234801234567890123" not in skipped.detail


@pytest.mark.parametrize(
    "name", ["phone", "Phone", " NUMBER ", "Phone Number", "msisdn", "tel", "WhatsApp", "phone_number", "mobile"]
)
def test_column_is_guessed(name: str) -> None:
    """The usual names of the number's column are known, whatever their case."""
    admitted = RecipientFilter().admit({"name": "Ada", name: NUMBER}, 1)
    assert isinstance(admitted, Recipient)


def test_only_column_needs_no_name() -> None:
    """A single column holds the numbers, whatever its name."""
    assert isinstance(RecipientFilter().admit({"Kontakt": NUMBER}, 1), Recipient)


def test_named_column_wins_over_usual_names() -> None:
    """column= is taken at its word."""
    admitted = RecipientFilter(column="second").admit({"phone": "+111111111", "second": NUMBER}, 1)
    assert isinstance(admitted, Recipient)
    assert admitted.number == NUMBER


@pytest.mark.parametrize(
    ("column", "row", "text"),
    [
        ("cell", {"phone": NUMBER, "name": "x"}, "column 'cell' does not exist; the columns are 'phone', 'name'"),
        (None, {"a": NUMBER, "b": "x"}, r"the columns are 'a', 'b'\. Name it: column="),
        (None, {}, "the row is empty"),
        (None, {"+2348012345678": "1", "x": "2"}, r"'\+234\*+78', 'x'"),
    ],
)
def test_misuse_names_the_columns(column: str | None, row: dict[str, object], text: str) -> None:
    """Where the number stands must be clear from the first row; the error lists the columns, numbers masked."""
    with pytest.raises(InvalidRequestError, match=text):
        RecipientFilter(column=column).admit(row, 1)


def test_later_row_without_the_column_is_skipped() -> None:
    """Once the column is settled, a row without it is bad data of that row, and does not stop a send under way."""
    recipient_filter = RecipientFilter()
    recipient_filter.admit({"phone": NUMBER, "name": "Ada"}, 1)
    skipped = recipient_filter.admit({"mobile": "+111111111", "name": "Bob"}, 2)
    assert isinstance(skipped, Skipped)
    assert skipped.reason is SkipReason.INVALID
    assert "blank" in skipped.detail


@pytest.mark.parametrize("item", [2348012345678, b"+2348012345678", (NUMBER, "Ada"), [NUMBER], object()])
@pytest.mark.parametrize("before", [[], [None, math.nan]])
def test_a_list_that_begins_with_another_type_is_misuse(item: object, before: list[object]) -> None:
    """The first row that holds anything is a recipient, or the list is none; the error names the type, not the value."""
    recipient_filter = RecipientFilter()
    for row, missing in enumerate(before, 1):
        assert isinstance(recipient_filter.admit(missing, row), Skipped)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match=f"row 4 is of type {type(item).__name__}") as caught:
        recipient_filter.admit(item, 4)  # type: ignore[arg-type]
    assert "2348012345678" not in str(caught.value)


class Unspeakable:
    """Nothing can be done with it."""

    def __str__(self) -> str:
        raise RuntimeError

    def __ne__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]


class NAType:
    """Behaves as pandas' NA: neither equal nor unequal to itself."""

    def __ne__(self, other: object) -> NAType:  # type: ignore[override]
        return self

    def __bool__(self) -> bool:
        raise TypeError

    __hash__ = None  # type: ignore[assignment]


class BrokenRow(dict[str, str]):
    """A row that cannot be read."""

    def values(self) -> NoReturn:
        raise RuntimeError


HALF = "\ud83d"


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (None, "blank"),
        (math.nan, "blank"),
        (NAType(), "blank"),
        (2348012345678, "is of type int"),
        (b"+2348012345678", "is of type bytes"),
        ((NUMBER,), "is of type tuple"),
        (Unspeakable(), "is of type Unspeakable"),
        (NUMBER + HALF, "not part of a number"),
        ("+" * 100_000, "not a phone number"),
        ({"phone": None, "name": "x"}, "blank"),
        ({"phone": NAType(), "name": "x"}, "blank"),
        ({"phone": b"+2348012345678", "name": "x"}, "the field 'phone' holds bytes"),
        ({"phone": Unspeakable(), "name": "x"}, "the field 'phone' is of type Unspeakable"),
        ({"phone": NUMBER, "name": object()}, "the field 'name' is of type object, which is not text"),
        ({"phone": NUMBER, "name": ["Ada"]}, "the field 'name' is of type list, which is not text"),
        ({"phone": NUMBER, "name": HALF}, "the field 'name' holds a lone surrogate"),
        ({"phone": NUMBER, "name": "a\0b"}, "the field 'name' holds a lone surrogate"),
        ({"phone": NUMBER, "name": "x" * 70_000}, "the field 'name' has 70,000 characters"),
        ({"phone": NUMBER, "name": NAType()}, "'name' is blank"),
        ({"phone": NUMBER, HALF: "x"}, "needs the field 'name'"),
        (BrokenRow(phone=NUMBER, name="x"), "cannot be read"),
        (Recipient(NUMBER, {"name": HALF}), "the field 'name' holds a lone surrogate"),
        (Recipient(None, {"name": "x"}), "blank"),  # type: ignore[arg-type]
        (Contact(contact_id="c", name="Ada"), "blank"),
    ],
    ids=range(24),
)
def test_one_odd_row_is_skipped_and_ends_nothing(item: object, why: str) -> None:
    """Whatever stands in a row: it is left out with the reason, in words that can be written down, and the next is taken."""
    recipient_filter = RecipientFilter(template=Template("Hi {name}"))
    assert isinstance(recipient_filter.admit({"phone": "+2348000000001", "name": "Ada"}, 1), Recipient)
    skipped = recipient_filter.admit(item, 2)  # type: ignore[arg-type]
    assert isinstance(skipped, Skipped)
    assert skipped.reason is SkipReason.INVALID
    assert why in skipped.detail
    assert len(skipped.given) <= 200
    json.dumps([skipped.given, skipped.detail], ensure_ascii=False).encode()
    assert isinstance(recipient_filter.admit({"phone": "+2348000000002", "name": "Ada"}, 3), Recipient)


def test_what_is_odd_but_not_needed_does_not_matter() -> None:
    """A field that the template does not use may hold anything; of what can be kept, a text is kept."""
    row = {"phone": NUMBER, "name": "Ada", "photo": b"\xff", "note": f"cut {HALF}", HALF: "x", "thing": Unspeakable()}
    admitted = RecipientFilter(template=Template("Hi {name}")).admit(row, 1)
    assert isinstance(admitted, Recipient)
    assert admitted.fields == {"phone": NUMBER, "name": "Ada", "note": "cut \ufffd", "\ufffd": "x"}


def test_later_mapping_without_a_column_is_skipped() -> None:
    """Only the first row can show that the list is misused; a later one is bad data of that row."""
    recipient_filter = RecipientFilter()
    recipient_filter.admit(NUMBER, 1)
    skipped = recipient_filter.admit({"a": "x", "b": "y"}, 2)
    assert isinstance(skipped, Skipped)
    assert "the columns are 'a', 'b'" in skipped.detail


def test_contacts_of_the_address_book_are_recipients() -> None:
    """A contact is sent to by its phone number, and its fields may stand in a template."""
    contact = Contact(contact_id="c1", name="Ada", phone="+234 801 234 5678", group_id="g")
    admitted = RecipientFilter(template=Template("Hi {name}")).admit(contact, 1)
    assert admitted == Recipient(
        NUMBER,
        {"contact_id": "c1", "name": "Ada", "email": "", "phone": "+234 801 234 5678", "group_id": "g"},
        1,
    )


@pytest.mark.parametrize(
    ("options", "doubtful"), [({}, 2), ({"international": True}, 0), ({"region": "NG"}, 0)], ids=["", "said", "region"]
)
def test_numbers_that_may_not_be_international_are_counted(options: dict[str, Any], doubtful: int) -> None:
    """A number without plus that is sent to is counted, and the first is shown masked, unless its country is known."""
    recipient_filter = RecipientFilter(**options)
    people = ["+2348000000001", "002348000000002", "2348031234567", "2348031234567", "2348031234568"]
    for row, number in enumerate(people, 1):
        recipient_filter.admit(number, row)
    assert recipient_filter.doubtful.count == doubtful
    if doubtful:
        assert str(recipient_filter.doubtful) == (
            "2 without '+', assumed to begin with a country code, the first '2348*******67' in row 3"
        )


def test_reprs_hold_no_personal_data() -> None:
    """Numbers are masked, and of the fields only the names are shown."""
    assert repr(Recipient(NUMBER, {"name": "Ada"}, 2)) == "Recipient(number='+234********78', fields=<name>, row=2)"
    assert NUMBER not in repr(Skipped(1, NUMBER, SkipReason.DUPLICATE, "an earlier row."))


def test_recipients_are_values() -> None:
    """Recipients compare, hash, copy and pickle."""
    recipient = Recipient(NUMBER, {"name": "Ada"}, 2)
    assert copy.copy(recipient) == pickle.loads(pickle.dumps(recipient)) == recipient  # noqa: S301 - our own bytes
    assert len({recipient, Recipient(NUMBER, {"name": "Ada"}, 2)}) == 1


@given(st.lists(st.one_of(st.text(max_size=16), st.sampled_from([NUMBER, "+123456", "123-456", "+7654321"]))))
def test_every_row_is_admitted_or_skipped(rows: list[str]) -> None:
    """Whatever texts come: no error, no number twice, and only suppressed ones count as suppressed."""
    recipient_filter = RecipientFilter(suppress=["+7654321"])
    admitted: list[str] = []
    for row, item in enumerate(rows, 1):
        result = recipient_filter.admit(item, row)
        assert result.row == row
        if isinstance(result, Recipient):
            admitted.append(result.number)
        else:
            assert result.given == encodable(item)
    assert len(admitted) == len(set(admitted))
    assert "+7654321" not in admitted
    if NUMBER in rows:
        assert NUMBER in admitted


def test_who_lacks_a_field_is_left_out_and_is_no_double() -> None:
    """A row without what the template needs is invalid; a complete row of the same number is sent to."""
    recipient_filter = RecipientFilter(template=Template("Hi {name}"))
    lacking = recipient_filter.admit({"phone": "+2348012345678", "name": " "}, 1)
    assert isinstance(lacking, Skipped)
    assert lacking.reason is SkipReason.INVALID
    assert "'name'" in lacking.detail
    assert isinstance(recipient_filter.admit({"phone": "+2348012345678", "name": "Ada"}, 2), Recipient)


def test_only_the_first_get_the_message() -> None:
    """`max_recipients` counts people, not rows; everybody behind is skipped and says so."""
    admit = RecipientFilter(max_recipients=2).admit
    rows = ["+2348000000001", "not a number", "+2348000000001", "+2348000000002", "+2348000000003"]
    admitted = [admit(given, row) for row, given in enumerate(rows, 1)]
    reasons = [one.reason if isinstance(one, Skipped) else None for one in admitted]
    assert reasons == [None, SkipReason.INVALID, SkipReason.DUPLICATE, None, SkipReason.LIMIT]


PLAIN = st.integers(0, 9).map(lambda n: f"+234801234567{n}")
ODD = st.sampled_from(["0801", "", "+2348012345670 ", "2348012345670", "+2250707", "+234\ud800", "+234(0)8012345671"])
BLOCK = st.lists(PLAIN, max_size=6) | st.lists(
    PLAIN | ODD | st.fixed_dictionaries({"phone": PLAIN | ODD, "name": st.sampled_from(["Ada", "\ud800", 7, None])}),
    max_size=6,
)
ROWS_OF_A_BLOCK = BLOCK | st.lists(st.fixed_dictionaries({"phone": PLAIN, "name": st.just("Ada")}), max_size=6)
OPTIONS = st.sampled_from([{}, {"suppress": ["+2348012345673"]}, {"max_recipients": 4}, {"international": True}])


def _whole(recipient_filter, block, row) -> object:
    try:
        numbers, rows, skipped = recipient_filter.admit_block(RowBlock.of(block), row)
    except InvalidRequestError as error:
        return str(error)
    return [f"+{number}" for number in numbers], list(rows), list(skipped)


def _singly(recipient_filter, block, row) -> object:
    try:
        admitted = [recipient_filter.admit(item, n) for n, item in enumerate(block, row)]
    except InvalidRequestError as error:
        return str(error)
    people = [one for one in admitted if isinstance(one, Recipient)]
    skipped = [one for one in admitted if isinstance(one, Skipped)]
    return [one.number for one in people], [one.row for one in people], skipped


@example([[{"phone": "+2348012345670", "name": "Ada"}], [{"phone": "+2348012345671", "name": "\ud800"}]], {})
@example([[{"phone": "+2348012345670"}, {"name": "Ada"}], [{"phone": "+2348012345671", "name": 7}]], {})
@given(st.lists(ROWS_OF_A_BLOCK, max_size=3), OPTIONS)
def test_a_block_is_admitted_as_its_rows_are(blocks, options):
    """A block gives the same numbers, reasons and doubts as its rows one by one; only the fields are left out."""
    whole, single = (RecipientFilter(**options, column="phone") for _ in range(2))
    for recipient_filter in (whole, single):
        recipient_filter.admit({"phone": "0"}, 1)  # the columns are known from now on
    row = 2
    for block in blocks:
        assert _whole(whole, block, row) == _singly(single, block, row)
        row += len(block)
    assert whole.doubtful == single.doubtful


@pytest.mark.parametrize("options", [{"template": Template("Hi {name|friend}")}, {"validate": "valid"}])
def test_a_block_with_a_template_or_a_stricter_check_is_read_row_by_row(options):
    """Both look at more than the shape of a number."""
    recipient_filter = RecipientFilter(**options)
    numbers, _, _ = recipient_filter.admit_block(RowBlock.of([{"phone": "+2348012345678", "nome": "Ada"}]), 1)
    assert list(numbers) == [2348012345678]
    assert recipient_filter.is_looking is ("template" in options)
