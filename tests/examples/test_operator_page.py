"""The FastAPI service's pages in a real browser.

``UPDATE_SCREENSHOTS=1 pytest tests/examples/test_operator_page.py -m browser`` takes the documentation's pictures anew.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
from PIL import Image
from selenium.webdriver.common.by import By

from callsavvy_async.campaigns import Journal, Steered
from callsavvy_async.simulator import Fault, Simulator, SimulatorServer, serve
from callsavvy_async.simulator.webhooks import post_event
from tests.browser import Browser, assert_alike
from tests.examples.programs import Program, assert_clean, people, running

pytestmark = [pytest.mark.browser, pytest.mark.sockets, pytest.mark.timeout(600)]

PICTURES = Path(__file__).parents[2] / "docs" / "images"
MESSAGE = "We open again on Monday at nine."
PHONE, DESKTOP = (390, 844), (1280, 1000)


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
def account(slow: Slow) -> Iterator[SimulatorServer]:
    with serve(slow.simulator) as server:
        yield server


@pytest.fixture
def service(account: SimulatorServer, tmp_path: Path) -> Iterator[Program]:
    with running("fastapi_service", tmp_path / "stderr", account=account) as program:
        yield program


class OperatorPage:
    """The page as its user sees it."""

    def __init__(self, browser: Browser, service: Program, state: str = "Nothing sent yet") -> None:
        self._browser = browser
        browser.resize(*DESKTOP)
        browser.open(f"{service.url}/operator")
        self.wait(lambda: self.text("state") == state)

    def text(self, name: str) -> str:
        return self._browser.driver.find_element(By.ID, name).text

    def offers(self, name: str) -> bool:
        button = self._browser.driver.find_element(By.ID, name)
        return button.is_displayed() and button.is_enabled()

    @property
    def steering(self) -> set[str]:
        """The buttons that steer the campaign."""
        return {name for name in ("pause", "continue", "stop", "resume") if self.offers(name)}

    @property
    def counts(self) -> dict[str, int]:
        shown = "[...document.querySelectorAll('dl [data-count]')].map(one => [one.dataset.count, one.lastChild.textContent])"
        return {name: int(count.replace(",", "")) for name, count in self._browser.value(shown)}

    @property
    def form(self) -> list[str]:
        return [self.value(name) for name in ("message", "recipients", "max-cost")]

    def value(self, name: str) -> str:
        return str(self._browser.value(f"document.getElementById('{name}').value"))

    def fill(self, recipients: list[str], message: str = MESSAGE) -> None:
        field = self._browser.driver.find_element(By.ID, "message")
        field.clear()
        field.send_keys(message)
        self._browser.driver.execute_script(
            "document.getElementById('recipients').value = arguments[0]", "\n".join(recipients)
        )

    def check(self) -> None:
        self.click("check")
        self.wait(lambda: self.offers("back"))

    def send(self) -> None:
        self.click("confirm")
        self.wait(lambda: self.text("state") != "Nothing sent yet" and not self.offers("back"))

    def wait_for_focus(self, name: str) -> None:
        self.wait(lambda: self._browser.value("document.activeElement.id") == name)

    def click(self, name: str) -> None:
        self._browser.driver.find_element(By.ID, name).click()

    def wait(self, until: Callable[[], Any]) -> None:
        ended = time.monotonic() + 120
        while not until():
            assert time.monotonic() < ended
            time.sleep(0.05)

    def assert_fits(self) -> None:
        """The page needs no horizontal scrolling, and every button is in reach of a thumb."""
        width = self._browser.value("innerWidth")
        assert self._browser.value("document.documentElement.scrollWidth") <= width
        shown = "[...document.querySelectorAll('button, textarea, #report')].filter(one => one.offsetParent)"
        boxes = self._browser.value(f"{shown}.map(one => one.getBoundingClientRect().toJSON())")
        assert boxes
        assert all(box["left"] >= 0 and box["right"] <= width for box in boxes)
        assert all(box["height"] >= 44 for box in boxes if width == PHONE[0])


def steer(folder: Path, command: Callable[[Journal], Any]) -> Steered:
    """Give a command to the service's campaign from another process."""

    async def give() -> Steered:
        async with Journal.open(f"sqlite:///{folder / 'campaigns.db'}", read_only=True) as journal:
            steered: Steered = await command(journal)
            return steered

    return anyio.run(give)


def test_life(browser: Browser, account: SimulatorServer, slow: Slow, tmp_path: Path) -> None:
    """A campaign is confirmed, paused, continued elsewhere, stopped, and resumed after a kill; each person is charged once."""
    slow.fail(Fault.DROP_AFTER_READ, 3)
    ledger = slow.simulator.ledger
    with running("fastapi_service", tmp_path / "stderr", "--rate", "2/s", account=account) as service:
        page = OperatorPage(browser, service)
        page.fill(people(2_400))  # a minute of requests: each command comes in time on a slow machine too
        form = page.form
        page.check()
        page.wait_for_focus("ask")
        facts = page.text("facts")
        for fact in ("2,400 messages", "120 requests", "balance of 100,000 covers", "0:01:00", "***"):
            assert fact in facts
        assert (MESSAGE in page.text("texts"), page.text("confirm")) == (True, "Send to 2,400 people")
        page.click("back")
        page.wait_for_focus("message")
        assert (page.form, ledger.posts("sendSMS")) == (form, 0)
        page.check()
        page.send()
        assert page.form == ["", "", ""]
        page.wait_for_focus("pause")
        page.wait(lambda: page.counts["unknown"] == 20 and page.counts["accepted"])
        assert "20 recipients may have received the message" in page.text("unknown")
        page.click("pause")
        page.wait(lambda: page.text("state") == "Paused")
        assert page.steering == {"continue", "stop"}
        page.wait_for_focus("continue")
        sent, name = ledger.posts("sendSMS"), page.text("name")
        page.wait(lambda: sum(page.counts.values()) - page.counts["pending"] == 20 * sent)
        assert steer(tmp_path, lambda journal: journal.go_on(name)).confirmed
        page.wait(lambda: page.text("state") == "Sending")
        page.wait(lambda: ledger.posts("sendSMS") > sent)
        page.click("stop")
        page.wait(lambda: page.text("state") == "Not finished")
        assert "Ended early: a command stopped the campaign" in page.text("stopped")
        assert page.offers("check")
        service.process.kill()
        page.wait(lambda: page.text("state") == "Connection lost")
        assert_clean(service.log)
    with running("fastapi_service", tmp_path / "stderr", account=account) as service:
        page = OperatorPage(browser, service, "Not finished")
        assert (page.text("name"), page.steering) == (name, {"resume"})
        page.click("resume")
        page.wait(lambda: page.offers("confirm"))
        assert "Not sent again: 20 recipients" in page.text("warnings")
        page.send()
        page.wait(lambda: page.text("state") == "Ended")
        assert page.counts == {
            "accepted": 2_380, "unknown": 20, "failed": 0, "rejected": 0, "skipped": 0, "pending": 0,
        }  # fmt: skip
        assert (ledger.totals.charged_recipients, max(ledger.charged.values())) == (2_400, 1)
        assert browser.value("window.violations") == []
        assert service.stop() == 0  # though the page still watches
        assert_clean(service.log)


def test_file_and_template(browser: Browser, service: Program, tmp_path: Path) -> None:
    """A file is read as the command line reads it; the texts are shown as its fields fill them in."""
    file = tmp_path / "people.csv"
    file.write_bytes("phone;first_name\n+2348012345678;Ada\n+2348023456789;Bartholomew\nnone;Cy\n".encode("utf-16"))
    page = OperatorPage(browser, service)
    page.fill([], "Hi {first_name}")
    browser.driver.find_element(By.ID, "file").send_keys(str(file))
    page.check()
    assert "people.csv" in page.text("facts")
    assert {"Hi Ada", "Hi Bartholomew"} <= set(page.text("texts").splitlines())
    assert "Row 3" in page.text("left-out")
    page.send()
    page.wait(lambda: page.text("state") == "Ended")
    assert (page.counts["accepted"], page.counts["skipped"], page.form) == (2, 1, ["", "", ""])


def test_problem(browser: Browser, service: Program, slow: Slow) -> None:
    """What the service refuses is told where it was asked for, as text and never as markup."""
    page = OperatorPage(browser, service)
    page.fill(['{"phone": "<img src=x onerror=pwned=1>"'])
    page.click("check")
    page.wait(lambda: page.text("problem"))
    assert "line 1" in page.text("problem")
    assert page.form[0] == MESSAGE
    assert browser.value("window.pwned") is None
    assert browser.value("window.violations") == []
    assert slow.simulator.ledger.posts("sendSMS") == 0


def test_public_page(browser: Browser, service: Program) -> None:
    """The chat runs in the public page under its policy, and nothing is refused."""
    browser.open(service.url)
    assert browser.value("window.ran") == ["chat"]
    assert len(browser.plugin_requests) == 1
    assert browser.value("window.violations") == []


def test_pictures(browser: Browser, account: SimulatorServer, slow: Slow, tmp_path: Path) -> None:
    """The page looks as in the documentation, and fits a phone in each state."""
    slow.fail(Fault.DROP_AFTER_READ, 9, 17)
    slow.fail(Fault.SEND_FAILED, 12)
    slow.fail(Fault.with_status(422), 20)
    slow.answered = 38
    with running("fastapi_service", tmp_path / "stderr", "--rate", "5/s", account=account) as service:
        for name in ("callSummary", "newTicketOpened", "newChat"):
            assert post_event(service.callback_url, name).result(60).status == 200
        page = OperatorPage(browser, service)
        numbers = people(1_180)
        names = [*numbers[:400], "not a number", *numbers[:11], *numbers[400:]]
        rows = [f"{number},{['Ada', 'Chidi', 'Ngozi', 'Tunde'][row % 4]}" for row, number in enumerate(names)]
        page.fill(["phone,first_name", *rows], "Hi {first_name}, we open again on Monday at nine.")
        browser.resize(*PHONE)
        page.assert_fits()
        browser.resize(*DESKTOP)
        page.check()
        compare(browser, "operator-question.png")
        browser.resize(*PHONE)
        page.assert_fits()
        page.click("back")
        page.fill(names)
        page.check()
        page.send()
        page.wait(lambda: page.counts["accepted"] == 680)
        assert page.counts == {
            "accepted": 680, "failed": 20, "rejected": 20, "unknown": 40, "skipped": 12, "pending": 420,
        }  # fmt: skip
        compare(browser, "operator-phone.png")
        browser.resize(*DESKTOP)
        compare(browser, "operator.png")
        browser.resize(*PHONE)
        page.assert_fits()


def compare(browser: Browser, name: str) -> None:
    """Compare what a visitor sees with a picture of the documentation, or take it anew."""
    taken = browser.picture()
    bottom = browser.value("document.querySelector('main').getBoundingClientRect().bottom")
    taken = taken.crop((0, 0, taken.width, int(bottom)))
    if os.environ.get("UPDATE_SCREENSHOTS"):
        quantized = taken.convert("RGB").quantize(128, Image.Quantize.MEDIANCUT)
        quantized.save(PICTURES / name, optimize=True)
    assert_alike(taken, PICTURES / name)
