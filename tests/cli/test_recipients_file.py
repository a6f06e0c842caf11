"""Lists that are read twice."""

from __future__ import annotations

import gzip
import os
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from callsavvy_async.cli.recipients_file import readable_again
from callsavvy_async.errors import InvalidRequestError

ROWS = [{"name": "Ada", "phone": "+2345990000001"}]


def test_pipe(tmp_path: Path) -> None:
    """A pipe is read once and can be replayed; the terminal stays free for an answer in between."""
    pipe, stdin = tmp_path / "pipe", sys.stdin
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("name,phone\nAda,+2345990000001\n",))
    writer.start()
    with readable_again(str(pipe)) as rows:
        assert list(rows()) == ROWS
        assert sys.stdin is stdin
        assert list(rows()) == ROWS
    assert sys.stdin is stdin
    writer.join()


def test_regular_file_that_changes(tmp_path: Path) -> None:
    """A list is the one that was read first: what becomes of the file meanwhile is not sent."""
    path = tmp_path / "list.csv"
    path.write_text("name,phone\nAda,+2345990000001\n")
    with readable_again(str(path)) as rows:
        assert list(rows()) == ROWS
        path.write_text("name,phone\nBola,+2345990000002\n")
        assert list(rows()) == ROWS
        path.unlink()
        assert list(rows()) == ROWS


def test_parquet_and_gzip(tmp_path: Path) -> None:
    """Every form of a list can be read again."""
    path = tmp_path / "list.parquet"
    parquet.write_table(pa.table({"name": ["Ada"], "phone": ["+2345990000001"]}), path)
    packed = tmp_path / "list.csv.gz"
    packed.write_bytes(gzip.compress(b"name,phone\nAda,+2345990000001\n"))
    for file in (path, packed):
        with readable_again(str(file)) as rows:
            assert list(rows()) == list(rows()) == ROWS


@pytest.mark.parametrize("content", ["", "\n\n", "phone,name\n", "[]", "# nobody\n"])
@pytest.mark.parametrize("name", ["list.csv", "list"])
def test_list_without_a_row(tmp_path: Path, name: str, content: str) -> None:
    """An empty list is refused by name, unless it is said that it may be empty."""
    path = tmp_path / name
    path.write_text(content)
    if content in {"[]", "# nobody\n"} and path.suffix:
        return  # a CSV of one column, as its name says
    with pytest.raises(InvalidRequestError, match=f"no recipients in {path}.*--allow-empty"), readable_again(str(path)):
        pass
    with readable_again(str(path), allow_empty=True) as rows:
        assert list(rows()) == []


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"), readable_again(str(tmp_path / "nowhere.csv")):
        pass


def test_fault_in_a_pipe(tmp_path: Path) -> None:
    """A fault is told with its line and the name of the pipe, and not with that of a temporary file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"name,phone\nJos\xe9,+2345990000001\n",))
    writer.start()
    with pytest.raises(InvalidRequestError, match="pipe, line 2"), readable_again(str(pipe)):
        pass
    writer.join()
