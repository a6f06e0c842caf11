"""Headless Chromium for the tests of the embeds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from selenium import webdriver

from .browser import PLUGIN_HOST, WATCH, Browser, PluginHost, Site


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: needs Debian's packages chromium and chromium-driver")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start Chromium with an empty profile; its absence is a failure, so that a green run has really seen a browser."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.fail("no chromium or no chromedriver: apt-get install chromium chromium-driver, or -m 'not browser'")
    plugin_host, site = PluginHost(), Site()
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.accept_insecure_certs = True  # the stand-in's
    for argument in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "disable-dev-shm-usage",
        "no-first-run",
        "no-proxy-server",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "hide-scrollbars",
        "force-device-scale-factor=1",
        "window-size=800,700",
        f"user-data-dir={tmp_path_factory.mktemp('profile')}",
        f"host-resolver-rules=MAP {PLUGIN_HOST} 127.0.0.1:{plugin_host.server_port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(f"--{argument}")
    with plugin_host.running(), site.running():
        driver = webdriver.Chrome(options, webdriver.ChromeService(chromedriver))
        try:
            driver.set_page_load_timeout(20)
            driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
            yield Browser(driver, plugin_host, site)
        finally:
            driver.quit()
