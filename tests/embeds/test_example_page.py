"""The example page, served by its own command and seen in a browser.

``UPDATE_SCREENSHOTS=1 pytest tests/embeds/test_example_page.py`` takes the documentation's picture anew.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import Browser, assert_alike

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "embeds.png"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run the example and return where it serves."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CALLSAVVY_")}
    command = [sys.executable, str(ROOT / "examples" / "embeds_page" / "serve.py"), "--port", "0"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as example:
        assert example.stdout is not None
        try:
            yield example.stdout.readline().strip()
        finally:
            example.terminate()


def test_example_page(browser: Browser, url: str) -> None:
    """All five widgets run under the page's strict policy, each asked for once, and nothing is refused."""
    browser.open(url)
    assert sorted(browser.value("window.ran")) == ["calendar", "call", "chat", "ticket", "video"]
    assert len(browser.plugin_requests) == 5
    assert browser.value("window.violations") == []
    assert browser.value("document.getElementById('callservy_call_button').textContent") == "Call us"


def test_fresh_nonce(browser: Browser, url: str) -> None:
    """Each answer has a nonce of its own."""
    nonces = set[str]()
    for _ in range(3):
        browser.open(url)
        nonces.add(browser.value("document.querySelector('script').nonce"))
    assert len(nonces) == 3


def test_picture(browser: Browser, url: str) -> None:
    """The page looks as in the documentation; blurred, so that another font or chip makes no difference."""
    browser.open(url)
    taken = browser.picture()
    if os.environ.get("UPDATE_SCREENSHOTS"):
        taken.quantize(64).save(PICTURE, optimize=True)
    assert_alike(taken, PICTURE)
