"""Every test of the wire runs twice: with the libraries of the extra ``speed``, and as if they were not installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import orjson
import pytest

from callsavvy_async.wire import json_bytes


def _forget() -> None:
    json_bytes._texts_writer.cache_clear()
    json_bytes._reader.cache_clear()


@contextmanager
def speed(*, installed: bool) -> Iterator[None]:
    """Choose the libraries for a while; nothing of it stays."""
    with pytest.MonkeyPatch.context() as patch:
        _forget()
        for library in (msgspec, orjson):
            patch.setitem(sys.modules, library.__name__, library if installed else None)
        yield
    _forget()


@pytest.fixture(scope="module", params=[True, False], ids=["speed", "stdlib"], autouse=True)
def libraries(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run with and without the extra."""
    with speed(installed=request.param):
        yield
