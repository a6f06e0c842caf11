"""A module that cannot be read any more, where too many files are open, costs no response its meaning."""

from __future__ import annotations

import builtins
import errno
from datetime import UTC, datetime
from typing import Any

import pytest

from callsavvy_async.resources.account import Department
from callsavvy_async.wire import json_bytes
from callsavvy_async.wire.decoder import row_reader
from callsavvy_async.wire.retry_after import parse_retry_after

ROW = {"department_id": 5, "department_name": ["odd"], "strange": {"a": 1}}


@pytest.fixture(params=[ImportError("gone"), OSError(errno.EMFILE, "Too many open files")], ids=["import", "files"])
def refused(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Refuse the libraries that are imported late; return the names that were asked for."""
    asked: list[str] = []
    real = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> object:
        if name.partition(".")[0] in {"cattrs", "email", "orjson", "msgspec"}:
            asked.append(name)
            raise request.param
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    return asked


def test_an_odd_row(refused: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read as cattrs has it read."""
    without = row_reader(Department, None)(ROW, b"raw")
    assert refused == ["cattrs"]
    monkeypatch.undo()
    assert without == row_reader(Department, None)(ROW, b"raw")


def test_a_date_to_retry_after(refused: list[str]) -> None:
    """It is not known; seconds are."""
    now = datetime(2026, 11, 25, tzinfo=UTC)
    assert parse_retry_after({"retry-after": "Wed, 25 Nov 2026 19:08:30 GMT"}, now=lambda: now) is None
    assert refused == ["email.utils"]
    assert parse_retry_after({"retry-after": "3"}, now=lambda: now) == 3


def test_json(refused: list[str]) -> None:
    """The standard library reads and writes it."""
    json_bytes._reader.cache_clear()
    json_bytes._texts_writer.cache_clear()
    try:
        assert json_bytes.loads(json_bytes.dumps({"a": "b"})) == {"a": "b"}
    finally:
        json_bytes._reader.cache_clear()
        json_bytes._texts_writer.cache_clear()
    assert refused == ["orjson", "msgspec"]
