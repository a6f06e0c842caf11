"""A real browser, a page on loopback, and a stand-in for the plugin host under its real name.

The browser resolves the plugin host's name to the stand-in, over TLS, and no other name at all: what the stand-in
records is what a browser asks the real host for, to the byte, and nothing leaves the machine.
"""

from __future__ import annotations

import shutil
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import trustme
from PIL import Image, ImageChops, ImageStat
from selenium import webdriver

PLUGIN_HOST = "plugin.getcallsavvy.com"

STAND_IN = """
(function(plugin, key){
window.ran = (window.ran || []).concat(plugin);
if (plugin === "call") { return; }
var box = document.getElementById("callservy_ticket_widget_holder" + key);
if (plugin !== "ticket") {
  box = document.createElement("div");
  box.dataset.plugin = plugin;
  var later = [...document.querySelectorAll("[data-plugin]")].find(other => other.dataset.plugin > plugin);
  document.body.insertBefore(box, later || null);
}
box.textContent = plugin + ": drawn by a stand-in for the plugin host";
box.style.cssText = "border:2px dashed #1d7a46;border-radius:6px;padding:.6rem 1rem;margin:.5rem 0";
})(%r, decodeURIComponent(%r));
"""
"""What the stand-in serves as each widget's script. It finds the holder as the plugin must, by its documented id, and
sorts what it adds, so that pictures do not depend on the order in which scripts arrive."""

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", e => window.violations.push(e.effectiveDirective));
"""


class Handler(BaseHTTPRequestHandler):
    """Hands each request to its server's `answer`."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        body, headers = self.server.answer(self.path)
        self.server.requests.append(f"https://{self.headers['Host']}{self.path}")
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keep the tests' output quiet."""


class Server(ThreadingHTTPServer):
    """Records the URLs that it was asked for."""

    daemon_threads = True
    block_on_close = False  # a browser keeps its connections open longer than the tests run

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[str] = []

    def answer(self, path: str) -> tuple[bytes, dict[str, str]]:
        raise NotImplementedError

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


class PluginHost(Server):
    """Stands in for the plugin host. ``crossorigin`` makes the browser ask with CORS, so the answer must allow it."""

    def __init__(self) -> None:
        super().__init__()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert(PLUGIN_HOST).configure_cert(context)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def answer(self, path: str) -> tuple[bytes, dict[str, str]]:
        plugin, key = urlsplit(path).path.strip("/").split("/")
        headers = {"Content-Type": "text/javascript; charset=utf-8", "Access-Control-Allow-Origin": "*"}
        return (STAND_IN % (unquote(plugin), key)).encode(), headers


class Site(Server):
    """A website with one page."""

    page = ""
    policy: str | None = None

    def answer(self, path: str) -> tuple[bytes, dict[str, str]]:
        headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
        if self.policy is not None:
            headers["Content-Security-Policy"] = self.policy
        return self.page.encode(), headers


class Browser:
    """Headless Chromium that opens one page after the other."""

    def __init__(self, driver: webdriver.Chrome, plugin_host: PluginHost, site: Site) -> None:
        self.driver = driver
        self._plugin_host = plugin_host
        self._site = site

    def show(self, body: str, *, policy: str | None = None) -> None:
        """Open a page with this body, and wait until all its scripts ran or were refused."""
        self._site.page = (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title><body>{body}</body></html>'
        )
        self._site.policy = policy
        self.open(f"http://127.0.0.1:{self._site.server_port}/")

    def open(self, url: str) -> None:
        """Open a URL, and wait for its load event, which waits for every script."""
        self._plugin_host.requests.clear()
        self.driver.get(url)

    @property
    def plugin_requests(self) -> list[str]:
        """The URLs that the plugin host was asked for by the page."""
        return list(self._plugin_host.requests)

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        return self.driver.execute_script(f"return {expression}")

    def picture(self) -> Image.Image:
        """Return what a visitor sees."""
        return Image.open(BytesIO(self.driver.get_screenshot_as_png()))


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start Chromium with an empty profile; its absence is a failure, so that a green run has really seen a browser."""
    binary, driver_binary = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver_binary is None:
        pytest.fail("no chromium or no chromedriver: apt-get install chromium chromium-driver, or -m 'not browser'")
    plugin_host, site = PluginHost(), Site()
    options = webdriver.ChromeOptions()
    options.binary_location = binary
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
        f"user-data-dir={profile}",
        f"host-resolver-rules=MAP {PLUGIN_HOST} 127.0.0.1:{plugin_host.server_port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(f"--{argument}")
    with plugin_host.running(), site.running():
        driver = webdriver.Chrome(options, webdriver.ChromeService(driver_binary))
        try:
            driver.set_page_load_timeout(60)
            driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
            yield Browser(driver, plugin_host, site)
        finally:
            driver.quit()


def assert_alike(taken: Image.Image, kept: Path) -> None:
    """Compare two pictures, blurred, so that another font or chip makes no difference."""
    with Image.open(kept) as picture:
        difference = ImageChops.difference(_blurred(picture), _blurred(taken))
    assert ImageStat.Stat(difference).extrema[0][1] < 24


def _blurred(picture: Image.Image) -> Image.Image:
    return picture.convert("L").resize((20, 15), Image.Resampling.BOX)
