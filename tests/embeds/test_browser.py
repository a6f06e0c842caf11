"""What a real browser makes of the widgets."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from callsavvy_async import Credentials, embeds
from tests.browser import Browser

pytestmark = pytest.mark.browser

KEY = Credentials.SANDBOX
NONCE = "bm90LXNlY3JldC1oZXJl"
HOST = "https://plugin.getcallsavvy.com"
DOCUMENTED = [
    (
        embeds.call(KEY, department="support"),
        f"{HOST}/call/TEST-hdo76HDCGAjfig4jbnyUI4734BNDY?p&d=support&c=Z3JlZW4%3D",
    ),
    (embeds.ticket_form(KEY), f"{HOST}/ticket/TEST-hdo76HDCGAjfig4jbnyUI4734BNDY?p&c=Z3JlZW4%3D"),
    (embeds.chat(KEY), f"{HOST}/chat/TEST-hdo76HDCGAjfig4jbnyUI4734BNDY?p&c=Z3JlZW4%3D"),
    (embeds.video(KEY), f"{HOST}/video/TEST-hdo76HDCGAjfig4jbnyUI4734BNDY?p&c=Z3JlZW4%3D"),
    (embeds.calendar(KEY), f"{HOST}/calendar/TEST-hdo76HDCGAjfig4jbnyUI4734BNDY?p&c=Z3JlZW4%3D"),
]
HOSTILE = [
    "</script><script>pwned=1</script>",
    "<!--<script>",
    "';pwned=1;//",
    '";pwned=1;//',
    '" onmouseover="pwned=1" autofocus onfocus="pwned=1',
    "'><img src=x onerror=pwned=1>",
    "&quot;&lt;&#39;&amp;",
    "javascript:pwned=1",
    "../../evil?x#y",
    "//evil.example/",
    "\\u0027;pwned=1;//",
    "${pwned=1}`",
    "%27;pwned=1;//%0a",
    "Büro für Anrufe 📞",
]


@pytest.mark.parametrize(("widget", "url"), DOCUMENTED, ids=lambda value: getattr(value, "plugin", ""))
@pytest.mark.parametrize("loader", [True, False], ids=["loader", "plain"])
@pytest.mark.parametrize("nonce", [NONCE, None], ids=["nonce", "no-nonce"])
def test_documented_url(browser: Browser, widget: embeds.Widget, url: str, loader: bool, nonce: str | None) -> None:
    """Under its own policy and nothing else, a widget's script is asked for once, by the documented URL, and runs."""
    policy = f"default-src 'none'; style-src 'unsafe-inline'; {widget.csp(nonce=nonce, loader=loader)}"
    browser.show(widget.html(nonce=nonce, loader=loader), policy=policy)
    assert browser.plugin_requests == [url]
    assert browser.value("window.ran") == [widget.plugin]
    assert browser.value("window.violations") == []


@pytest.mark.parametrize("nonce", [NONCE, None], ids=["nonce", "hashes"])
def test_all_widgets_on_one_page(browser: Browser, nonce: str | None) -> None:
    """One policy lets all widgets of a page run, whether it names them by nonce or by hash."""
    widgets = [widget for widget, _ in DOCUMENTED]
    policy = f"default-src 'none'; {embeds.content_security_policy(*widgets, nonce=nonce)}"
    browser.show("".join(widget.html(nonce=nonce) for widget in widgets), policy=policy)
    assert sorted(browser.plugin_requests) == sorted(url for _, url in DOCUMENTED)
    assert browser.value("window.violations") == []


def test_elements(browser: Browser) -> None:
    """The button and the holder carry the documented ids, misspelt as they are, and the plugin finds the holder."""
    call, ticket = embeds.call(KEY, department="support"), embeds.ticket_form(KEY)
    button = call.call_button("Call us", number="+234 801 234 5678", caller_id="+2349087654321")
    browser.show(f"{button}{call}{ticket}")
    read = "document.getElementById('callservy_call_button').getAttribute"
    assert browser.value(f"{read}('number_to_call')") == "+2348012345678"
    assert browser.value(f"{read}('displayed_caller_id')") == "+2349087654321"
    holder = "document.getElementById('callservy_ticket_widget_holderTEST-hdo76HDCGAjfig4jbnyUI4734BNDY')"
    assert "drawn by a stand-in" in browser.value(f"{holder}.textContent")


FOREIGN = "<script>pwned=1</script><img src='data:,' onerror='pwned=1'>"


@pytest.mark.parametrize("nonce", [NONCE, None], ids=["nonce", "hashes"])
def test_strict_policy(browser: Browser, nonce: str | None) -> None:
    """The policy stops every script that is not a widget's, and the widget still runs."""
    widget = embeds.chat(KEY)
    browser.show(FOREIGN + widget.html(nonce=nonce), policy=widget.csp(nonce=nonce))
    assert browser.value("window.pwned") is None
    assert set(browser.value("window.violations")) == {"script-src-elem", "script-src-attr"}
    assert browser.value("window.ran") == ["chat"]


def test_canary_sings(browser: Browser) -> None:
    """Without a policy the foreign script runs: the canary of the other tests is alive."""
    browser.show(FOREIGN)
    assert browser.value("window.pwned") == 1


def test_wrong_nonce(browser: Browser) -> None:
    """A loader with another answer's nonce does not run, and nothing is asked for."""
    widget = embeds.chat(KEY)
    browser.show(widget.html(nonce="b3RoZXI"), policy=widget.csp(nonce=NONCE))
    assert browser.plugin_requests == []
    assert browser.value("window.violations") == ["script-src-elem"]


@pytest.mark.parametrize("loader", [True, False], ids=["loader", "plain"])
def test_trusted_types(browser: Browser, loader: bool) -> None:
    """Where Trusted Types are required the document's loader is refused, and the plain script passes."""
    widget = embeds.chat(KEY)
    policy = f"{widget.csp(nonce=NONCE, loader=loader)}; require-trusted-types-for 'script'"
    browser.show(widget.html(nonce=NONCE, loader=loader), policy=policy)
    assert browser.value("window.ran") == (None if loader else ["chat"])


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("loader", [True, False], ids=["loader", "plain"])
def test_hostile_values(browser: Browser, hostile: str, loader: bool) -> None:
    """A hostile value runs nothing, loads nothing, makes no element, and arrives as it was given."""
    widget = embeds.call(KEY, department=hostile, theme=hostile)
    browser.show(f"<main>{widget.call_button(hostile)}</main><aside>{widget.html(loader=loader)}</aside>")
    assert browser.value("window.pwned") is None
    assert browser.value("window.ran") == ["call"]
    assert browser.value("document.getElementById('callservy_call_button').textContent") == hostile
    assert browser.value("document.querySelectorAll('main *').length") == 1
    assert browser.value("document.querySelectorAll('aside > :not(script)').length") == 0
    (url,) = browser.plugin_requests
    assert urlsplit(url).path == "/call/TEST-hdo76HDCGAjfig4jbnyUI4734BNDY"
    assert parse_qs(urlsplit(url).query)["d"] == [hostile]


@pytest.mark.parametrize("key", ["a/b", "a?b", "a#b", "a%2Fb", "(function)", "..;"])
def test_strange_keys(browser: Browser, key: str) -> None:
    """Whatever a key holds, it stays one segment of the path, and the plugin finds the holder that was named for it."""
    browser.show(str(embeds.ticket_form(key)))
    (url,) = browser.plugin_requests
    assert unquote(urlsplit(url).path.removeprefix("/ticket/")) == key
    assert "drawn by a stand-in" in browser.value("document.querySelector('div').textContent")
