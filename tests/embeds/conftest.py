"""Headless Chromium for the tests of the embeds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import Browser, chromium


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start one Chromium for all tests."""
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started
