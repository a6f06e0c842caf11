"""Headless Chromium for the tests of the examples."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import Browser, chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start one Chromium for a module's tests."""
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started
