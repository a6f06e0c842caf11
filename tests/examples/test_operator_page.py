"""The FastAPI service's pages in a real browser.

``UPDATE_SCREENSHOTS=1 pytest tests/examples/test_operator_page.py`` takes the documentation's picture anew.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image
from selenium.webdriver.common.by import By

from callsavvy_async.simulator import Fault, Simulator, serve
from callsavvy_async.simulator.webhooks import post_event
from tests.browser import Browser, assert_alike
from tests.examples.programs import Program, assert_clean, people, running

pytestmark = [pytest.mark.browser, pytest.mark.sockets]

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "operator.png"
MESSAGE = "We open again on Monday at nine."
COUNTS = ["accepted", "failed", "rejected", "unknown", "skipped", "pending"]


class Slow:
    """A simulator whose answers take a while, and none comes in time after `answered` calls."""

    def __init__(self) -> None:
        self.answered = 10_000
        self.simulator = Simulator(sms_balance=100_000, latency=self._latency)

    def _latency(self, _: Random) -> float:
        return 0.15 if self.simulator.ledger.posts("sendSMS") <= self.answered else 9.0

    def fail(self, fault: Fault, *calls: int) -> None:
        """Give a fault to the calls of these numbers, counted from 0."""
        ledger = self.simulator.ledger
        self.simulator.faults.rule(fault, resource="sendSMS", when=lambda _: ledger.posts("sendSMS") in calls)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def service(slow: Slow, tmp_path: Path) -> Iterator[Program]:
    with (
        serve(slow.simulator) as account,
        running("fastapi_service", tmp_path / "stderr", account=account) as program,
    ):
        yield program


class OperatorPage:
    """The page as its user sees it."""

    def __init__(self, browser: Browser, service: Program) -> None:
        self._browser = browser
        browser.open(f"{service.url}/operator")
        self.wait(lambda: self.text("state") == "Nothing sent yet")

    def text(self, name: str) -> str:
        return self._browser.driver.find_element(By.ID, name).text

    def offers(self, name: str) -> bool:
        button = self._browser.driver.find_element(By.ID, name)
        return button.is_displayed() and button.is_enabled()

    @property
    def counts(self) -> dict[str, int]:
        return {
            name: int(
                self._browser.value(f"document.querySelector('dl [data-count={name}] dd').textContent.replace(',', '')")
            )
            for name in COUNTS
        }

    def start(self, recipients: list[str], message: str = MESSAGE) -> None:
        self._browser.driver.find_element(By.ID, "message").send_keys(message)
        self._browser.driver.execute_script(
            "document.getElementById('recipients').value = arguments[0]", "\n".join(recipients)
        )
        self.click("start")

    def click(self, name: str) -> None:
        self._browser.driver.find_element(By.ID, name).click()

    def wait(self, until: Callable[[], Any]) -> None:
        ended = time.monotonic() + 60
        while not until():
            assert time.monotonic() < ended
            time.sleep(0.05)


def test_live_and_stopped(browser: Browser, service: Program, slow: Slow) -> None:
    """Counts rise while a campaign runs; the stop button drains it, and what the page shows agrees with the ledger."""
    slow.fail(Fault.DROP_AFTER_READ, 3)
    page = OperatorPage(browser, service)
    assert (page.offers("start"), page.offers("stop")) == (True, False)
    page.start(people(30_000))  # a minute of requests: the stop comes in time on a slow machine too
    page.wait(lambda: page.text("state") == "Sending")
    assert (page.offers("start"), page.offers("stop")) == (False, True)
    seen = set[int]()
    page.wait(lambda: seen.add(page.counts["accepted"]) or len(seen) > 4)
    assert page.text("state") == "Sending"
    assert "20 recipients may have received the message" in page.text("unknown")
    page.click("stop")
    page.wait(lambda: page.text("state") == "Ended")
    counts, ledger = page.counts, slow.simulator.ledger
    assert sum(counts.values()) == 30_000
    assert counts["unknown"] == 20
    assert counts["accepted"] + counts["unknown"] == ledger.totals.charged_recipients < 30_000
    assert {name: service.final_report[name] for name in ("accepted", "unknown", "pending")} == {
        name: counts[name] for name in ("accepted", "unknown", "pending")
    }
    assert (page.offers("start"), page.offers("stop")) == (True, False)
    assert "Ended early: the run was stopped" in page.text("stopped")
    assert browser.value("window.violations") == []
    assert service.stop() == 0  # though the page still watches
    page.wait(lambda: page.text("state") == "Connection lost")
    assert_clean(service.log)


def test_problem(browser: Browser, service: Program, slow: Slow) -> None:
    """What the service refuses is told where it was asked for, as text and never as markup."""
    page = OperatorPage(browser, service)
    page.start(['{"phone": "<img src=x onerror=pwned=1>"'])
    page.wait(lambda: page.text("problem"))
    assert "line 1" in page.text("problem")
    assert browser.value("window.pwned") is None
    assert browser.value("window.violations") == []
    assert slow.simulator.ledger.posts("sendSMS") == 0


def test_public_page(browser: Browser, service: Program) -> None:
    """The chat runs in the public page under its policy, and nothing is refused."""
    browser.open(service.url)
    assert browser.value("window.ran") == ["chat"]
    assert len(browser.plugin_requests) == 1
    assert browser.value("window.violations") == []


def test_picture(browser: Browser, service: Program, slow: Slow) -> None:
    """The page looks as in the documentation."""
    slow.fail(Fault.DROP_AFTER_READ, 9, 17)
    slow.fail(Fault.SEND_FAILED, 12)
    slow.fail(Fault.with_status(422), 20)
    slow.answered = 38
    for name in ("callSummary", "newTicketOpened", "newChat"):
        assert post_event(service.callback_url, name).result(60).status == 200
    page = OperatorPage(browser, service)
    numbers = people(1_180)
    page.start([*numbers[:400], "not a number", *numbers[:11], *numbers[400:]])
    page.wait(lambda: page.counts["accepted"] == 680)
    taken = browser.picture()
    assert page.counts == {
        "accepted": 680, "failed": 20, "rejected": 20, "unknown": 40, "skipped": 12, "pending": 420,
    }  # fmt: skip
    if os.environ.get("UPDATE_SCREENSHOTS"):
        taken.convert("RGB").quantize(128, Image.Quantize.FASTOCTREE).save(PICTURE, optimize=True)
    assert_alike(taken, PICTURE)
