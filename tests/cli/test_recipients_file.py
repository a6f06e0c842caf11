"""Lists that are read twice."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

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


def test_regular_file(tmp_path: Path) -> None:
    """A regular file is not copied: it is read where it is."""
    path = tmp_path / "list.csv"
    path.write_text("name,phone\nAda,+2345990000001\n")
    with readable_again(str(path)) as rows:
        assert list(rows()) == ROWS
        path.write_text("name,phone\n")
        assert list(rows()) == []


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with readable_again(str(tmp_path / "nowhere.csv")) as rows, pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        list(rows())


def test_fault_in_a_pipe(tmp_path: Path) -> None:
    """A fault is told with its line, and not with the name of a temporary file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"name,phone\nJos\xe9,+2345990000001\n",))
    writer.start()
    with readable_again(str(pipe)) as rows, pytest.raises(InvalidRequestError, match="standard input, line 2"):
        list(rows())
    writer.join()
