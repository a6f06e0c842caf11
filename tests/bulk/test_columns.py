"""Where the number of a row stands is found by its column's name, or asked; it is never guessed between several."""

from __future__ import annotations

from unicodedata import normalize

import attrs
import pytest

from callsavvy_async.bulk.column_detection import number_columns
from callsavvy_async.bulk.report_files import ReportRow
from callsavvy_async.errors import InvalidRequestError

A, B, C = "+2348012345678", "+2348023456789", "+2348034567890"


@pytest.mark.parametrize(
    ("names", "candidates"),
    [
        (("Number", "Name", "Mobile"), "'Number', 'Mobile'"),
        (("name", "phone", "whatsapp"), "'phone', 'whatsapp'"),
        (("Phone", "phone "), "'Phone', 'phone '"),
        (("Home-Phone", "work_phone", "x"), "'Home-Phone', 'work_phone'"),
        (("nome", "telefone", "celular"), "'telefone', 'celular'"),
        (("Prénom", "Tél. personnel", "Tél. mobile"), "'Tél. personnel', 'Tél. mobile'"),
        (("Vorname", "Telefon privat", "Mobiltelefon"), "'Telefon privat', 'Mobiltelefon'"),
        (("Vorname", "Telefon 1 - Label", "Telefon 1 - Wert"), "'Telefon 1 - Label', 'Telefon 1 - Wert'"),
    ],
)
def test_several_candidates_are_named_and_none_is_taken(names: tuple[str, ...], candidates: str) -> None:
    """Between several columns that may hold the numbers the user chooses."""
    with pytest.raises(InvalidRequestError, match=f"several columns may hold the phone numbers: {candidates}"):
        number_columns(names, None)


@pytest.mark.parametrize(
    "name",
    [
        "Telefonnummer",
        "Handynummer",
        "teléfono",
        normalize("NFD", "Téléphone"),
        "Número de teléfono",
        "CELULAR",
        "Móvil",
    ],
)
def test_usual_names_abroad(name: str) -> None:
    """The usual names of other languages are known too, with composed and decomposed accents."""
    assert number_columns((name, "x"), None).only == name


def test_no_usual_name() -> None:
    """Without a usual name the error lists the columns, which are data if a title stands above them."""
    with pytest.raises(InvalidRequestError, match=r"columns are 'Report', 'x'\. Name it.*remove the lines above"):
        number_columns(("Report", "x"), None)


def test_several_columns_are_read_in_their_order() -> None:
    """Of columns that are named, the first that is not blank holds the number."""
    columns = number_columns(("phone", "mobile", "name"), ["mobile", "phone"])
    assert columns.number_of({"phone": A, "mobile": B, "name": "x"}) == B
    assert columns.number_of({"phone": A, "mobile": " ", "name": "x"}) == A
    assert columns.number_of({"name": "x"}) == ""
    assert str(columns) == "'mobile', else 'phone'"


@pytest.mark.parametrize(
    ("asked", "error"),
    [("cell", "column 'cell' does not exist"), (["phone", "x"], "column 'x' does not exist"), ([], "column is empty")],
)
def test_columns_that_are_not_there(asked: str | list[str], error: str) -> None:
    """A column that is named must be there."""
    with pytest.raises(InvalidRequestError, match=error):
        number_columns(("phone", "name"), asked)


@pytest.mark.parametrize("kind", ["Label", "Type"])
def test_google_contacts(kind: str) -> None:
    """Google's export is known: the mobile number comes first, and of several in a cell the first."""
    names = ["First Name", f"Phone 1 - {kind}", "Phone 1 - Value", f"Phone 2 - {kind}", "Phone 2 - Value"]
    columns = number_columns(names, None)
    assert columns.number_of(dict(zip(names, ["Ada", "Home", A, "Mobile", f"{B} ::: {C}"], strict=True))).strip() == B
    assert columns.number_of(dict(zip(names, ["Ada", "Home", A, "Work", B], strict=True))) == A
    assert columns.number_of(dict(zip(names, ["Ada", "", "", "", ""], strict=True))) == ""
    assert (
        str(columns)
        == "'Phone 1 - Value', else 'Phone 2 - Value' (the first mobile number of each person, else the first)"
    )
    asked = number_columns(names, "Phone 1 - Value")
    assert asked.number_of({"Phone 1 - Value": f"{A} ::: {B}"}).strip() == A


def test_outlook() -> None:
    """Outlook's export is known: the mobile number comes first."""
    names = ["First Name", "Business Phone", "Home Phone", "Mobile Phone", "Primary Phone"]
    columns = number_columns(names, None)
    assert columns.names == ("Mobile Phone", "Primary Phone", "Home Phone", "Business Phone")
    assert columns.number_of({"Business Phone": A, "Mobile Phone": B}) == B
    assert columns.number_of({"Business Phone": A, "Mobile Phone": ""}) == A
    assert str(columns).endswith("(the first mobile number of each person, else the first)")


@pytest.mark.parametrize(
    "names",
    [
        ("Phone 1 - Value", "Phone 2 - Value", "x"),
        ("First Name", "Mobile Phone", "Home Phone"),
        ("First Name", "Business Phone", "Home Phone", "Primary Phone"),
    ],
)
def test_what_only_looks_like_an_export_is_not_taken_for_one(names: tuple[str, ...]) -> None:
    """Without the columns that an export always has, the user chooses."""
    with pytest.raises(InvalidRequestError, match="column"):
        number_columns(names, None)


def test_a_report_is_no_list() -> None:
    """Everybody in the report of a send would be sent to again."""
    with pytest.raises(InvalidRequestError, match="report of a send"):
        number_columns([field.name for field in attrs.fields(ReportRow)], None)
