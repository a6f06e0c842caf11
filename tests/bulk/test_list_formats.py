"""Lists as people have them: workbooks, address books, tables of other libraries, texts in other encodings."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pyarrow import parquet

from callsavvy_async.bulk.bulk import Bulk
from callsavvy_async.bulk.list_formats import FORMATS, FileFormat
from callsavvy_async.bulk.plan import Plan
from callsavvy_async.bulk.recipient_files import read_rows, read_stream, read_suppressed
from callsavvy_async.bulk.recipients import Skipped
from callsavvy_async.errors import ConfigurationError, InvalidRequestError
from callsavvy_async.messages import SMS

from .conftest import Write
from .fakes import FakeMessaging, bulk_over
from .workbooks import Rows, workbook

A, B, C = "+2348012345678", "+2348023456789", "+2348034567890"


def planned(path: Path, **options: str) -> tuple[Plan, list[Skipped]]:
    """Plan a send to a file; return the plan and the rows that would be skipped."""
    skipped: list[Skipped] = []
    return Bulk.plan(read_rows(path, **options), SMS("x"), on_skipped=skipped.append), skipped


# ---------------------------------------------------------------------------------------------------------- the table


def test_every_format_is_in_the_table() -> None:
    """A format that can be named is a row of the table, and reads either texts or bytes."""
    assert ("auto", *FORMATS) == get_args(FileFormat)
    assert all((known.read is None) != (known.read_binary is None) for known in FORMATS.values())


@pytest.mark.parametrize(
    ("name", "content", "description"),
    [
        ("a.csv", f"phone,name\n{A},x\n", "(CSV)"),
        ("a.csv", f"phone;name\n{A};x\n", "(CSV, delimited by ';')"),
        ("a.tsv", f"phone\tname\n{A}\tx\n", "(CSV, delimited by tabs)"),
        ("a.csv", f"sep=|\r\nphone|name\r\n{A}|x\r\n", "(CSV, delimited by '|')"),
        ("a", f'[{{"phone": "{A}"}}]', "(JSON)"),
        ("a.txt", f"{A}\n", "(one number a line)"),
        ("a.csv", f"phone,name\n{A},x\n".encode("utf-16"), "(CSV, UTF-16)"),
        ("a.csv", workbook({"S": [["phone"], [A]]}), "(Excel, sheet 'S')"),
        ("a.txt", f"BEGIN:VCARD\nTEL:{A}\nEND:VCARD\n", "(vCard)"),
    ],
)
def test_the_plan_begins_with_the_list(write: Write, name: str, content: str | bytes, description: str) -> None:
    """The first line names the file, its format, what was found out about it, and the number of rows."""
    path = write(name, content)
    plan, _ = planned(path)
    assert plan.recipients == 1
    assert plan.summary_lines()[0].startswith(f"List: {path} {description}, 1 row")


def test_a_file_that_was_not_read_has_its_name_only(write: Write) -> None:
    """Before the first row, the format is not known; closing stops the reading."""
    rows = read_rows(write("a.csv", f"phone\n{A}\n{B}\n"))
    assert rows.description == rows.name
    assert next(rows) == {"phone": A}
    rows.close()
    assert list(rows) == []
    assert rows.count == 1


@pytest.mark.parametrize("option", ["sheet", "encoding"])
def test_an_option_without_a_use_is_refused(write: Write, option: str) -> None:
    """A sheet of a text file, and an encoding of a file that is no text, are never ignored."""
    content = f"phone\n{A}\n" if option == "sheet" else workbook({"S": [["phone"], [A]]})
    with pytest.raises(InvalidRequestError, match=f"the {option} 'x' is named, but .* has none; leave it out"):
        planned(write("people", content), **{option: "x"})


# ------------------------------------------------------------------------------------------------------------ reports

REPORT = (
    "row,recipient,outcome,request,message_id,detail\r\n"
    f"1,{A},accepted,1,m,\r\n2,{B},pending,,,\r\n3,{C},rejected,2,,no\r\n4,x,skipped: invalid,,,\r\n"
)


def test_recipients_are_picked_from_a_report(write: Write) -> None:
    """The report of a send is a list of those who got nothing, by their outcomes; as a whole it is refused."""
    path = write("report.csv", REPORT)
    assert list(read_rows(path, only=["pending"])) == [B]
    rows = read_rows(path, only=["pending", "rejected"])
    plan = Bulk.plan(rows, SMS("x"))
    assert plan.source == f"{path} (CSV, only pending and rejected)"
    assert (plan.recipients, rows.count) == (2, 2)
    with pytest.raises(InvalidRequestError, match=r"the report of a send, .* only=\('pending', 'rejected'\)"):
        planned(path)


@pytest.mark.parametrize(
    ("only", "wrong"), [(["pending", "accepted"], "'accepted'"), (["unknown"], "'unknown'"), ([], "None")]
)
def test_who_may_have_got_it_is_never_picked(only: list[str], wrong: str) -> None:
    """Only outcomes that reached nobody can be picked, which is checked before the file is opened."""
    with pytest.raises(InvalidRequestError, match=f"the outcome to pick is {wrong}; choose from pending, not_sent"):
        read_rows("missing", only=only)


@pytest.mark.parametrize("content", [f"phone,outcome\n{A},pending\n", f"{A}\n"])
def test_only_a_report_has_outcomes(write: Write, content: str) -> None:
    """Another list, even one with a column of that name, is refused."""
    with pytest.raises(InvalidRequestError, match="is not the report of a send, so it has no outcomes to pick"):
        list(read_rows(write("people.csv", content), only=["pending"]))


# -------------------------------------------------------------------------------------------------------------- Excel

PEOPLE: Rows = [["name", "phone", "age"], ["Ada", 2348012345678, 36], ["Bayo", B, 1.5]]


def test_excel(write: Write) -> None:
    """A row is a mapping as in CSV: whole numbers are digits, and blank rows and columns without a name are left out."""
    rows: Rows = [[None], *PEOPLE, [None, None], ["Chi"]]
    assert list(read_rows(write("a.xlsx", workbook({"S": rows})))) == [
        {"name": "Ada", "phone": "2348012345678", "age": "36"},
        {"name": "Bayo", "phone": B, "age": "1.5"},
        {"name": "Chi", "phone": "", "age": ""},
    ]


def test_excel_column_without_header(write: Write) -> None:
    """A single column of numbers needs no header."""
    assert list(read_rows(write("a.xlsx", workbook({"S": [[2348012345678], [B]]})))) == ["2348012345678", B]


@pytest.mark.parametrize("number", [2348034567890123456789, 2.34803e12, "2.34803E+12"], ids=["long", "rounded", "text"])
def test_excel_number_that_lost_digits_is_skipped_with_its_row(write: Write, number: float | str) -> None:
    """A number that a spreadsheet rounded may be another person's, so its row says so and gets nothing."""
    plan, skipped = planned(write("a.xlsx", workbook({"S": [["phone", "id"], [A, 1], [number, 2]]})))
    assert plan.recipients == 1
    assert skipped[0].row == 2
    assert "lost digits" in skipped[0].detail
    assert "format the column as text" in skipped[0].detail


def test_excel_number_that_is_not_used_may_have_lost_digits(write: Write) -> None:
    """A long number in a column that the send does not need does no harm."""
    plan, skipped = planned(write("a.xlsx", workbook({"S": [["phone", "id"], [A, 1234567890123456789]]})))
    assert (plan.recipients, skipped) == (1, [])


def test_excel_sheets(write: Write) -> None:
    """The only sheet with cells is read; of several one must be named, and it must exist."""
    one = write("one.xlsx", workbook({"Empty": [], "People": PEOPLE}))
    assert planned(one)[0].source.endswith("sheet 'People')")
    several = write("several.xlsx", workbook({"Lagos": PEOPLE, "Abuja": [["phone"], [C]]}))
    with pytest.raises(InvalidRequestError, match=r"has several sheets: 'Lagos', 'Abuja'\. Name one: sheet='Lagos'\."):
        list(read_rows(several))
    assert list(read_rows(several, sheet="Abuja")) == [{"phone": C}]
    assert C in read_suppressed(several, sheet="Abuja")
    with pytest.raises(InvalidRequestError, match="has no sheet 'Kano'; its sheets are 'Lagos', 'Abuja'"):
        list(read_rows(several, sheet="Kano"))


def test_excel_without_rows(write: Write) -> None:
    """An empty workbook is a list without rows."""
    assert list(read_rows(write("a.xlsx", workbook({"S": []})))) == []


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        (
            [["Customers of March"], [None], ["phone", "name"], [A, "x"]],
            "row 3: .*'Customers of March', which may be a title",
        ),
        ([["phone", "phone"], [A, B]], "row 1: the header names the column 'phone' twice"),
        ([[A, "x"], [B, "y"]], "row 1: the header row holds a phone number"),
    ],
)
def test_excel_faults(write: Write, rows: Rows, error: str) -> None:
    """A fault names the file, the sheet, the row of the sheet, the rule and the fix."""
    with pytest.raises(InvalidRequestError, match=rf"a\.xlsx, sheet 'S', {error}"):
        list(read_rows(write("a.xlsx", workbook({"S": rows}))))


def test_excel_that_cannot_be_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another archive, and a missing extra, say what to do."""
    path = write("a.xlsx", b"PK\x03\x04rest")
    with pytest.raises(InvalidRequestError, match="not a readable Excel workbook; save it again"):
        list(read_rows(path))
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'callsavvy-async\[excel\]'"):
        list(read_rows(path))


# -------------------------------------------------------------------------------------------------------------- vCard


def test_vcard(write: Write) -> None:
    """A card is a row of an export of Google Contacts: mobile numbers come first, folded lines and escapes are resolved."""
    content = (
        "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Obi;Ada\\, Dr.;;;\r\nFN:Ada\r\n  Obi\r\nORG:Acme\\; Sons\r\n"
        f"TEL;TYPE=HOME:{A}\r\nitem1.TEL;type=CELL;type=VOICE:{B}\r\nEMAIL:a@x.example\r\nEMAIL:b@x.example\r\n"
        "X-ODD\r\nEND:VCARD\r\n\r\n"
        f'begin:vcard\nVERSION:4.0\nFN:Chi\nTEL;VALUE=uri;TYPE="voice,cell":tel:{C};ext=5\nEND:VCARD\n'
        "BEGIN:VCARD\nVERSION:4.0\nNOTE:two\\nlines\nFN:No\\nNumber\nEND:VCARD\n"
    )
    path = write("a.vcf", content)
    rows = list(read_rows(path))
    assert rows[0] == {
        "Last Name": "Obi",
        "First Name": "Ada, Dr.",
        "Name": "Ada Obi",
        "Organization Name": "Acme; Sons",
        "E-mail 1 - Value": "a@x.example",
        "Phone 1 - Value": f"{B} ::: {A}",
    }
    assert rows[2]["Name"] == "No\nNumber"  # type: ignore[index]
    plan, skipped = planned(path)
    assert plan.recipients == 2
    assert plan.columns == "'Phone 1 - Value' (the first mobile number of each person, else the first)"
    assert [row.detail for row in skipped] == [
        "'' is not a phone number in international format: it is blank; give a number."
    ]
    assert len(read_suppressed(write("b.vcf", content.partition("BEGIN:VCARD\nVERSION:4.0\nNOTE")[0]))) == 3


def test_vcard_with_a_quoted_colon(write: Write) -> None:
    """A colon inside a quoted parameter does not end the property; a quote that is not closed loses nothing."""
    card = f'BEGIN:VCARD\nTEL;LABEL="home: Lagos";TYPE=cell:{A}\nORG;X="odd:Acme\nEND:VCARD\n'
    (row,) = read_rows(write("a.vcf", card))
    assert isinstance(row, dict)
    assert (row["Phone 1 - Value"], row["Organization Name"]) == (A, "Acme")


def test_vcard_of_a_phone(write: Write) -> None:
    """Version 2.1, which phones export, writes other letters quoted-printable, over several lines."""
    content = (
        "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=4F=62=69;=C3=81=\r\n=64=61;;;\r\n"
        f"TEL;CELL:{A}\r\nEND:VCARD\r\n"
    )
    (row,) = read_rows(write("a.vcf", content))
    assert isinstance(row, dict)
    assert (row["Last Name"], row["First Name"], row["Phone 1 - Value"]) == ("Obi", "\u00c1da", A)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (f"BEGIN:VCARD\nTEL:{A}\n", "the last vCard has no END:VCARD, so the file may be cut short"),
        (f"BEGIN:VCARD\nEND:VCARD\nTEL:{A}\nBEGIN:VCARD\n", "line 3: the line is not part of a vCard"),
        ("END:VCARD\n", "line 1: the line is not part of a vCard"),
    ],
)
def test_vcard_faults(write: Write, content: str, error: str) -> None:
    """A card that is cut, or a line outside of a card, is a fault of the file."""
    with pytest.raises(InvalidRequestError, match=error):
        list(read_rows(write("a.vcf", content)))


# ------------------------------------------------------------------------------------------------------------- tables


class Table:
    """A data frame of a library that knows Arrow's interface and no rows."""

    columns = ("phone", "name")

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __iter__(self):
        return iter(self.columns)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


TABLE = pa.table({"phone": [A, None, B], "name": ["Ada", "x", None]})


@pytest.mark.anyio
@pytest.mark.parametrize(
    "table",
    [lambda: TABLE, lambda: Table(TABLE), lambda: TABLE.to_reader(max_chunksize=1)],
    ids=["pyarrow", "frame", "reader"],
)
async def test_tables_are_read_by_rows(table: Callable[[], Table]) -> None:
    """What exports an Arrow stream is a list of its rows."""
    report = await bulk_over(FakeMessaging(seconds=0)).sms(table(), "x")
    assert (report.given, report.accepted, report.skipped.total()) == (3, 2, 1)


def test_a_table_can_be_planned() -> None:
    """The plan names the column of a table, which is no file."""
    assert Bulk.plan(TABLE, SMS("x")).summary_lines()[0] == "List: 3 rows, numbers from column 'phone'"


def test_numbers_in_tables() -> None:
    """Whole floats are digits; one that lost digits is skipped."""
    skipped: list[Skipped] = []
    Bulk.plan(pa.table({"phone": [2348012345678.0, 2.34803e12]}), SMS("x"), on_skipped=skipped.append)
    assert [row.row for row in skipped] == [2]


def test_a_column_is_a_list() -> None:
    """A column exports an Arrow stream too, but yields its cells."""
    assert Bulk.plan(TABLE["phone"].to_pylist(), SMS("x")).recipients == 2


def test_tables_need_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow the error says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"a Table; to read it, run: pip install 'callsavvy-async\[parquet\]'"):
        Bulk.plan(Table(TABLE), SMS("x"))


class Pipe(io.BytesIO):
    """Standard input from a pipe, which cannot go back."""

    def peek(self, size: int, /) -> bytes:
        """Look ahead, as buffered streams can."""
        return self.getvalue()[self.tell() : self.tell() + size]

    def seekable(self) -> bool:
        """No."""
        return False


def test_parquet_and_excel_come_through_pipes() -> None:
    """Formats that begin at their end are read from a pipe too, and are known by their first bytes."""
    file = io.BytesIO()
    parquet.write_table(TABLE, file)
    assert len(list(read_stream(Pipe(file.getvalue()), "standard input"))) == 3
    assert len(list(read_stream(Pipe(workbook({"S": PEOPLE})), "standard input"))) == 2


# ---------------------------------------------------------------------------------------------------------- encodings

TEXT = f"phone,name\r\n{A},Zo\u00eb\r\n"
ROWS = [{"phone": A, "name": "Zo\u00eb"}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_the_byte_order_mark_names_the_encoding(write: Write, encoding: str) -> None:
    """A file with a mark is read without asking."""
    assert list(read_rows(write("a.csv", TEXT.encode(encoding)))) == ROWS


@pytest.mark.parametrize("encoding", ["windows-1252", "cp1252", "latin1", "utf-16-le", "utf-16", "utf-8", "UTF8"])
def test_an_encoding_can_be_named(write: Write, encoding: str) -> None:
    """The encoding that is named is used; one that its mark contradicts never."""
    assert list(read_rows(write("a.csv", TEXT.encode(encoding)), encoding=encoding)) == ROWS
    marked = write("b.csv", TEXT.encode("utf-8-sig"))
    if encoding.lower().startswith("utf") and "8" in encoding:
        assert list(read_rows(marked, encoding=encoding)) == ROWS
    else:
        with pytest.raises(InvalidRequestError, match="begins with the mark of UTF-8; leave the encoding out"):
            list(read_rows(marked, encoding=encoding))


@pytest.mark.parametrize(
    ("content", "encoding", "error"),
    [
        (TEXT.encode("cp1252"), None, "line 2: the line holds bytes that are not UTF-8; name the encoding of the file"),
        (TEXT.encode("utf-16-le"), "utf-16", "has no byte order mark; give utf-16-le or utf-16-be"),
        (b"\0\0", "utf_32", "has no byte order mark; give utf-32-le or utf-32-be"),
        (
            TEXT.encode("utf-16-le"),
            None,
            "line 1: the line holds a NUL byte, so .*looks like UTF-16: give encoding='utf-16-le'",
        ),
        (TEXT.encode("utf-16-be"), None, "line 1: .*looks like UTF-16: give encoding='utf-16-be'"),
        (b"phone,name\n+1,A\0da\n", None, "line 2: the line holds a NUL byte.*remove the byte"),
        (b"\0" * 99, None, "line 1: the line holds a NUL byte.*remove the byte"),
        (b"phone\n\x81\n", "windows-1252", "line 2: the line holds bytes that are not windows-1252"),
        (b"\xff\xfep\x00\x00\xdc", None, "line 1: the line holds bytes that are not UTF-16"),
        (b"phone\n", "utf-7000", "the encoding 'utf-7000' does not exist; give one such as utf-8"),
        (b"phone\n", "rot13", "the encoding 'rot13' does not exist"),
        (b"phone\n", "base64", "the encoding 'base64' does not exist"),
    ],
)
def test_wrong_encodings(write: Write, content: bytes, encoding: str | None, error: str) -> None:
    """What cannot be decoded names the line and the fix."""
    with pytest.raises(InvalidRequestError, match=error):
        list(read_rows(write("a.csv", content), encoding=encoding))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=200),
    mark=st.sampled_from([b"", b"\xff\xfe", b"\xfe\xff", b"BEGIN:VCARD\n", b"PK\x03\x04", b"PAR1", b"\x1f\x8b"]),
    encoding=st.sampled_from([None, "windows-1252", "utf-16", "utf-16-le", "shift_jis"]),
)
def test_any_bytes_are_rows_or_an_error(tmp_path: Path, content: bytes, mark: bytes, encoding: str | None) -> None:
    """No file makes another error than InvalidRequestError, whatever it claims to be."""
    path = tmp_path / "people"
    path.write_bytes(mark + content)
    try:
        rows = list(read_rows(path, encoding=encoding))
    except InvalidRequestError:
        return
    assert all(isinstance(row, str | dict) for row in rows)
