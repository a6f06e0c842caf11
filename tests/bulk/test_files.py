"""Files as people have them are read; what cannot be read is told with its file, line, rule and fix."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pyarrow import parquet

from callsavvy_async.bulk import file_lines
from callsavvy_async.bulk.file_lines import LONGEST_LINE
from callsavvy_async.bulk.recipient_files import FileFormat, read_rows, read_suppressed
from callsavvy_async.errors import ConfigurationError, InvalidRequestError

from .conftest import Write

NUMBER = "+2348012345678"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_dialects(write: Write, delimiter: str, line_end: str, mark: str) -> None:
    """Delimiter, line ends of all systems and a byte order mark are found out."""
    lines = [f"Phone{delimiter} name ", f'{NUMBER}{delimiter}"A{delimiter} ""B"""', f"+111111111{delimiter}Bob"]
    assert list(read_rows(write("a.csv", mark + line_end.join(lines)))) == [
        {"Phone": NUMBER, "name": f'A{delimiter} "B"'},
        {"Phone": "+111111111", "name": "Bob"},
    ]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("", []),
        ("\n\n", []),
        ("phone,name\n", []),
        ("phone,name\n+1\n", [{"phone": "+1", "name": ""}]),
        ("phone,name\n+1,a,,\n", [{"phone": "+1", "name": "a"}]),
        ("phone,,name,\n+1,x,a,y\n", [{"phone": "+1", "name": "a"}]),
        ("\n\nphone,name\n\n,,\n+1,a\n", [{"phone": "+1", "name": "a"}]),
        ('phone,name\n+1,"two\nlines"\n', [{"phone": "+1", "name": "two\nlines"}]),
        ('"a;b;c;d",phone\nx,+1\n', [{"a;b;c;d": "x", "phone": "+1"}]),
        ('"first, last",phone\na,+1\n', [{"first, last": "a", "phone": "+1"}]),
        ("number\n+1\nbad\n", [{"number": "+1"}, {"number": "bad"}]),
        ("+111111111\n+222222222\nbad\n", ["+111111111", "+222222222", "bad"]),
        ("+111111111\n+222222222,,\n", ["+111111111", "+222222222"]),
        ("2.3E+12\n+222222222\n", ["2.3E+12", "+222222222"]),
        ("tel:+2348012345678\n+222222222\n", ["tel:+2348012345678", "+222222222"]),
        ("+111111111,\n+222222222,\n", ["+111111111", "+222222222"]),
        ("sep=;\r\nphone;name\r\n+1;a,b\r\n", [{"phone": "+1", "name": "a,b"}]),
        ('"sep=\t"\nphone\tname\n+1\ta\n', [{"phone": "+1", "name": "a"}]),
        ("sep=,\n", []),
        ("phone,\n+1,x\n", [{"phone": "+1"}]),
        ("customers\n+1\n", [{"customers": "+1"}]),
        ("\ufeff\ufeffphone,\u200bname\u00a0\n+1,a\n", [{"phone": "+1", "name": "a"}]),
    ],
)
def test_csv_rows(write: Write, content: str, rows: list[object]) -> None:
    """Every data row comes, also a bad one; blank ones do not; a first number is never taken for a header."""
    assert list(read_rows(write("a.csv", content))) == rows


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("phone,name\n+1,a\n+2,b,c\n", "line 3: the row has 3 cells, but the header has 2; quote"),
        ("Ada,803 123-456\n", "line 1: the header row holds a phone number"),
        ("+2348012345678,Ada\n", "line 1: the header row holds a phone number"),
        (
            "Ada <+2348012345678>, Bayo <+2348012345679>\n",
            "line 1: the header row holds a phone number.*one number a line",
        ),
        ("Customers of March\n\nphone,name\n+1,a\n", "line 3: .*'Customers of March', which may be a title"),
        ("Customers of March\nphone;name\n+1;a\n", "line 2: .*may be a title"),
        ("Customers of March,,\n,,\nphone,name,city\n", "line 3: .*Remove the lines above the names"),
        ("phone,name,phone\n", "line 1: the header names the column 'phone' twice"),
        ("+111111111\n+222222222,Bob\n", "line 2: the row has 2 cells, but the first row has one"),
        ('phone,name\n+1,a\n+2,"b\nc\nd\n', "line 3: the row that begins here is not valid CSV .*close its quotes"),
        ('phone,name\n+1,"a"b\n', "line 2: the row that begins here is not valid CSV"),
        (b"phone,name\n+1,Jos\xe9\n", "line 2: the line holds bytes that are not UTF-8; .* or save it as UTF-8"),
        ("phone,name\n+1,\0\n", "line 2: the line holds a NUL byte"),
        ("phone,name\n+1," + "x" * (1 << 20) + "\n", "line 2: the line is longer than 1 MiB"),
        (
            "phone,name\n+1," + "x" * 200_000 + "\n",
            "line 2: .*a cell of more than 131,072 characters; remove its column, or close",
        ),
        ("x" * 200_000 + ",phone\n", "line 1: .*a cell of more than 131,072 characters"),
    ],
)
def test_csv_faults(write: Write, content: str | bytes, error: str) -> None:
    """A fault of the file names file, line, rule and fix."""
    path = write("people.csv", content)
    with pytest.raises(InvalidRequestError, match=error) as caught:
        list(read_rows(path))
    assert str(caught.value).startswith(f"{path}, line ")


def test_rows_before_a_fault_are_yielded(write: Write) -> None:
    """Reading streams: a fault is raised when its row is reached."""
    rows = read_rows(write("a.csv", "phone,name\n+1,a\n+2,b,c\n"))
    assert next(rows) == {"phone": "+1", "name": "a"}
    with pytest.raises(InvalidRequestError, match="line 3"):
        next(rows)


def test_json_lines(write: Write) -> None:
    """Objects and texts are rows; numbers stay as written, nothing is blank text, the rest is JSON."""
    content = (
        '{"phone": 2348012345678, "x": 1.50, "n": NaN, "none": null}\n\n"+111111111"\n234\n{"vip": true, "l": ["é"]}'
    )
    assert list(read_rows(write("a.jsonl", content))) == [
        {"phone": "2348012345678", "x": "1.50", "n": "", "none": ""},
        "+111111111",
        "234",
        {"vip": "true", "l": '["é"]'},
    ]


def test_spoilt_numbers_in_json_are_not_made_good(write: Write) -> None:
    """A number that a program spoilt is handed on as it stands, so that the filter can refuse it."""
    assert list(read_rows(write("a.ndjson", '{"phone": 2348012345678.0}\n{"phone": 2.3e12}'))) == [
        {"phone": "2348012345678.0"},
        {"phone": "2.3e12"},
    ]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('["+1"]', "neither an object nor a string"),
        ("null", "neither an object nor a string"),
    ],
)
def test_json_faults(write: Write, line: str, error: str) -> None:
    """A line that is no recipient is a fault of the file, with its line."""
    with pytest.raises(InvalidRequestError, match=f"line 3: the line is {error}"):
        list(read_rows(write("a.jsonl", f'"+1"\n\n{line}\n')))


ARRAY = [{"phone": "+1", "name": 'Ad\u00e1 \\ "x"'}, "+2", {"phone": 3, "tags": ["a"], "none": None}]
ARRAY_ROWS = [{"phone": "+1", "name": 'Ad\u00e1 \\ "x"'}, "+2", {"phone": "3", "tags": '["a"]', "none": ""}]


@pytest.mark.parametrize("block", [1, 7, 1 << 16])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a"])
def test_json_array(write: Write, monkeypatch: pytest.MonkeyPatch, name: str, indent: int | None, block: int) -> None:
    """An array, in one line or in many, is read entry by entry, wherever a block of it ends."""
    monkeypatch.setattr(file_lines, "_BLOCK", block)
    monkeypatch.setattr(file_lines, "LONGEST_LINE", 3)
    assert list(read_rows(write(name, "\n " + json.dumps(ARRAY, indent=indent) + "\n\n"))) == ARRAY_ROWS


def test_empty_json_array(write: Write) -> None:
    """An array without entries is a list without rows."""
    assert list(read_rows(write("a.json", " [ ]\n"))) == []


def test_long_json_array_is_streamed(write: Write) -> None:
    """An array in a line of many megabytes is never held."""
    path = write("a.json", json.dumps([{"phone": f"+{n}", "name": "x" * 400} for n in range(10**9, 10**9 + 20_000)]))
    tracemalloc.start()
    count = sum(1 for _ in read_rows(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 5 * LONGEST_LINE < path.stat().st_size


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ('[\n"+1",\n["+2"]]', "line 3: an entry of the array is neither an object nor a string"),
        ('["+1",]', "line 1: an entry of the array is not valid JSON"),
        ('["+1"\n"+2"]', "line 2: a comma or the closing bracket is missing"),
        ('["+1"', "not valid JSON, or longer than 1 MiB"),
        ('["+1" ', "a comma or the closing bracket is missing"),
        ('["+1', "not valid JSON, or longer than 1 MiB"),
        ('["' + "x" * (3 << 20) + '"]', "not valid JSON, or longer than 1 MiB"),
        ('["+1"] ["+2"]', "line 1: there is text after the array"),
        ('["+1", "\0"]', "line 1: the line holds a NUL byte"),
        (b'["+1", "\xff"]', "line 1: the line holds bytes that are not UTF-8"),
        ("[" * 100_000, "not valid JSON"),
    ],
    ids=range(11),
)
def test_json_array_faults(write: Write, content: str | bytes, error: str) -> None:
    """A fault within an array names the line and the rule."""
    with pytest.raises(InvalidRequestError, match=error):
        list(read_rows(write("a.json", content)))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xd0\xcf\x11\xe0\xa1", "an old Excel workbook"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"%PDF-1.7", "a PDF"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"<?xml version='1.0'?>", "an XML document"),
        (b"\xef\xbb\xbf\n<html>", "a web page"),
        (gzip.compress(b"%PDF-1.7"), "a PDF"),
    ],
    ids=range(7),
)
@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_files_of_another_kind_are_refused_by_name(write: Write, name: str, content: bytes, kind: str) -> None:
    """What is no list says so by its first bytes, and the way to make one of it is told."""
    with pytest.raises(InvalidRequestError, match=kind):
        list(read_rows(write(name, content)))


def test_a_dropped_iterator_may_outlive_its_stream(write: Write) -> None:
    """Whoever stops reading in the middle closes the file in any order."""
    with write("list.txt", NUMBER).open("rb") as stream, file_lines.open_lines(stream, "list.txt"):
        stream.close()


def test_plain_lines(write: Write) -> None:
    """One number a line; comments and blank lines are passed over."""
    assert list(read_rows(write("a.txt", f"# customers\n\n {NUMBER} \n0803 1\n"))) == [NUMBER, "0803 1"]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("", []),
        (f"{NUMBER}\n", [NUMBER]),
        (f"# a, b\n{NUMBER}\n", [NUMBER]),
        (f'\n{{"phone": "{NUMBER}"}}\n', [{"phone": NUMBER}]),
        (f'"{NUMBER}"\n', [NUMBER]),
        (f"phone;name\n{NUMBER};a\n", [{"phone": NUMBER, "name": "a"}]),
        (f"phone\n{NUMBER}\n", [{"phone": NUMBER}]),
    ],
)
def test_format_is_told_by_content(write: Write, content: str, rows: list[object]) -> None:
    """Where the name does not tell the format, the first line does."""
    assert list(read_rows(write("people", content))) == rows


def test_format_can_be_given(write: Write) -> None:
    """format= is taken at its word, whatever the name."""
    assert list(read_rows(write("a.csv", "phone\n+1"), format="lines")) == ["phone", "+1"]


def test_unknown_format_is_refused_at_once() -> None:
    """A format that does not exist is refused before anything is opened."""
    with pytest.raises(InvalidRequestError, match="format is 'xlsx'; it must be one of auto, csv"):
        read_rows("missing", format="xlsx")  # type: ignore[arg-type]


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    """The system's own words are best for a file that is not there."""
    with pytest.raises(FileNotFoundError):
        list(read_rows(tmp_path / "none.csv"))


@pytest.mark.parametrize("name", ["a.csv.gz", "a.CSV", "a"])
def test_gzip_is_known_by_its_bytes(write: Write, name: str) -> None:
    """Gzipped files are read whatever they are called."""
    path = write(name, gzip.compress(b"phone,name\n+1,a\n", mtime=0))
    assert list(read_rows(path)) == [{"phone": "+1", "name": "a"}]


@pytest.mark.parametrize("damage", ["cut", "checksum", "garbage"])
def test_damaged_gzip_is_a_fault(write: Write, damage: str) -> None:
    """A cut or damaged archive is told, never taken for the end of the file."""
    whole = gzip.compress("".join(f"+{n}\n" for n in range(10**9, 10**9 + 5000)).encode())
    content = {"cut": whole[:-100], "checksum": whole[:-8] + bytes(8), "garbage": whole[:50] + b"\xff" * 200}[damage]
    with pytest.raises(InvalidRequestError, match=r"a\.gz, line \d+: the gzip data is damaged or cut short"):
        list(read_rows(write("a.gz", content)))


@pytest.mark.parametrize(
    "content", [b"phone,name\n+1,a\n", gzip.compress(b"phone,name\n+1,a\n")], ids=["plain", "gzip"]
)
def test_standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Standard input ("-") is read, gzipped or not, and stays open."""
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(content)))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert list(read_rows("-")) == [{"phone": "+1", "name": "a"}]
    assert not stdin.buffer.closed


def test_fault_of_standard_input_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in piped data says where it came from."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"+1\n\xff\n"))))
    with pytest.raises(InvalidRequestError, match="standard input, line 2"):
        list(read_rows("-"))


def test_parquet(tmp_path: Path) -> None:
    """Parquet rows are texts like all others: whole floats as integers, nulls as blanks."""
    path = tmp_path / "a.parquet"
    table = pa.table({"phone": [2348012345678.0, None], "name": ["Ada", None], "age": [36, 40]})
    parquet.write_table(table, path, row_group_size=1)
    assert list(read_rows(path)) == [
        {"phone": "2348012345678", "name": "Ada", "age": "36"},
        {"phone": "", "name": "", "age": "40"},
    ]


def test_parquet_bytes(tmp_path: Path) -> None:
    """Bytes are text where they are UTF-8; what is not becomes no other text, but one that the filter refuses."""
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"phone": [b"+2348012345678", b"+2\xff"], "tags": [["a"], None]}), path)
    assert list(read_rows(path)) == [{"phone": "+2348012345678", "tags": '["a"]'}, {"phone": "+2\udcff", "tags": ""}]


def test_parquet_faults(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no Parquet, and a missing extra, say what to do."""
    path = write("a.parquet", "phone\n")
    with pytest.raises(InvalidRequestError, match="not a readable Parquet file"):
        list(read_rows(path))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'callsavvy-async\[parquet\]'"):
        list(read_rows(path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "+2348012345678\n+1 111 111 111\n"),
        ("a.csv", "name,phone\nAda,2348012345678\nBob,1111111111\n"),
        ("a.jsonl", '{"phone": 2348012345678}\n"+1111111111"\n'),
    ],
)
def test_suppressed_numbers_are_read_from_any_format(write: Write, name: str, content: str) -> None:
    """A suppress file may have any format that recipients may have."""
    suppressed = read_suppressed(write(name, content))
    assert len(suppressed) == 2
    assert NUMBER in suppressed


def test_suppressed_column_and_region(write: Write) -> None:
    """Column and region are those of the recipients."""
    path = write("a.csv", "cell,phone\n0803 123 4567,x\n")
    assert "+2348031234567" in read_suppressed(path, column="cell", region="NG")


def test_all_numbers_of_a_person_are_suppressed(write: Write) -> None:
    """Of an address book's export, and of several columns that are named, all numbers count."""
    google = "First Name,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value\n"
    path = write("a.csv", f"{google}Ada,Home,{NUMBER} ::: +2348023456789,Mobile,+2348034567890\n")
    suppressed = read_suppressed(path)
    assert len(suppressed) == 3
    assert all(number in suppressed for number in (NUMBER, "+2348023456789", "+2348034567890"))
    path = write("b.csv", f"phone,mobile\n{NUMBER},+2348023456789\n")
    assert len(read_suppressed(path, column=["phone", "mobile"])) == 2


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("phone,mobile\n+2348012345678,\n", "a.csv: several columns may hold the phone numbers: 'phone', 'mobile'"),
        ("phone,name\n+2348012345678,a\n,b\n", "entry 2 of .*a.csv is not valid, so its owner might get a message"),
        ("phone,name\n+2348012345678,a\n+2,b,c\n", "a.csv, line 3"),
        ("cell,name\n+2348012345678,a\n", "the columns are 'cell', 'name'"),
    ],
)
def test_suppress_file_that_cannot_be_read_raises(write: Write, content: str, error: str) -> None:
    """A suppress file is read wholly or not at all."""
    with pytest.raises(InvalidRequestError, match=error):
        read_suppressed(write("a.csv", content))


@pytest.mark.long
def test_memory_is_constant(write: Write) -> None:
    """A file of many megabytes is never held."""
    path = write("a.csv", "phone,name\n" + "".join(f"+{n},{'x' * 90}\n" for n in range(10**9, 10**9 + 50_000)))
    tracemalloc.start()
    count = sum(1 for _ in read_rows(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 50_000
    assert peak < 500_000 < path.stat().st_size / 10


CELLS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(CELLS, CELLS)), delimiter=st.sampled_from(",;\t|"), line_end=st.sampled_from(["\n", "\r\n"])
)
def test_csv_round_trip(tmp_path: Path, rows: list[tuple[str, str]], delimiter: str, line_end: str) -> None:
    """What the csv module writes, is read back, cell by cell."""
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
        writer.writerows([("phone", "name"), *rows])
    expected = [{"phone": phone, "name": name} for phone, name in rows if phone or name]
    assert list(read_rows(path)) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.dictionaries(CELLS, CELLS) | CELLS))
def test_json_round_trip(tmp_path: Path, rows: list[dict[str, str] | str]) -> None:
    """What the json module writes, a line a row, is read back."""
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    assert list(read_rows(path)) == rows


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200), format=st.sampled_from(["auto", "csv", "jsonl", "lines"]))
def test_any_bytes_are_rows_or_an_error(tmp_path: Path, content: bytes, format: FileFormat) -> None:  # noqa: A002
    """No file makes another error than InvalidRequestError."""
    path = tmp_path / "people"
    path.write_bytes(content)
    try:
        rows = list(read_rows(path, format=format))
    except InvalidRequestError:
        return
    assert all(isinstance(row, str | dict) for row in rows)


def test_nothing_but_delimiters_is_no_row(tmp_path: Path) -> None:
    """A file whose lines hold delimiters only has neither header nor rows."""
    path = tmp_path / "empty.csv"
    path.write_text(";;\n;;\n", encoding="utf-8")
    assert list(read_rows(path)) == []
