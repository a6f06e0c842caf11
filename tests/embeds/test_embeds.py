"""The widgets' markup, compared with the API document's snippets."""

from __future__ import annotations

import base64
import hashlib
import re

import attrs
import pytest

from callsavvy_async import ConfigurationError, Credentials, InvalidRequestError, embeds

KEY = Credentials.SANDBOX
SNIPPET = """<script type="text/javascript">
(function(){
var s1=document.createElement("script"),s0=document.getElementsByTagName("script")[0];
s1.async=true;
s1.src='https://plugin.getcallsavvy.com/chat/TEST-hdo76HDCGAjfig4jbnyUI4734BNDY?p&c=Z3JlZW4%3D';
s1.charset='UTF-8';
s1.setAttribute('crossorigin','*');
s0.parentNode.insertAdjacentElement("beforeend", s1);
})();
</script>"""
"""API document, "Embed Live Chat Inline"."""


def test_documented_snippet() -> None:
    """The loader is the document's snippet, but for the URL's quotation marks."""
    assert embeds.chat(KEY).script() == re.sub("src='(.*)'", r'src="\1"', SNIPPET)


def test_documented_urls() -> None:
    """Each widget has its documented URL; only the call names a department."""
    key = "TEST-hdo76HDCGAjfig4jbnyUI4734BNDY"
    host = "https://plugin.getcallsavvy.com"
    assert embeds.call(KEY, department="d-1").src == f"{host}/call/{key}?p&d=d-1&c=Z3JlZW4%3D"
    assert embeds.ticket_form(KEY).src == f"{host}/ticket/{key}?p&c=Z3JlZW4%3D"
    assert embeds.chat(KEY).src == f"{host}/chat/{key}?p&c=Z3JlZW4%3D"
    assert embeds.video(KEY).src == f"{host}/video/{key}?p&c=Z3JlZW4%3D"
    assert embeds.calendar(KEY, theme="blue").src == f"{host}/calendar/{key}?p&c=Ymx1ZQ%3D%3D"


def test_plain_script() -> None:
    """The plain script is the element that the loader would make, and carries the nonce."""
    assert embeds.chat(KEY).script(nonce="bm9uY2U=", loader=False) == (
        '<script type="text/javascript" nonce="bm9uY2U="'
        ' src="https://plugin.getcallsavvy.com/chat/TEST-hdo76HDCGAjfig4jbnyUI4734BNDY?p&amp;c=Z3JlZW4%3D"'
        ' async charset="UTF-8" crossorigin="*"></script>'
    )


def test_button() -> None:
    """The button has the documented id and attributes, and leaves out what is not given."""
    call = embeds.call(KEY, department="support")
    assert call.call_button("Call") == '<button type="button" id="callservy_call_button">Call</button>'
    assert call.call_button("Call", number="00234 801 234 5678", caller_id="+2349087654321") == (
        '<button type="button" id="callservy_call_button" displayed_caller_id="+2349087654321"'
        ' number_to_call="+2348012345678">Call</button>'
    )


def test_holder() -> None:
    """Only the ticket form has a holder, with the key glued to the misspelt id, and it stands before the script."""
    ticket = embeds.ticket_form(KEY)
    assert ticket.holder == '<div id="callservy_ticket_widget_holderTEST-hdo76HDCGAjfig4jbnyUI4734BNDY"></div>'
    assert ticket.html(nonce="bg") == f"{ticket.holder}\n{ticket.script(nonce='bg')}"
    assert embeds.chat(KEY).html() == embeds.chat(KEY).script()


def test_policy() -> None:
    """The policy names the host and the nonce; without one the loaders' hashes, each once."""
    chat, video = embeds.chat(KEY), embeds.video(KEY)
    inline = re.fullmatch("<script[^>]*>(.*)</script>", chat.script(), re.DOTALL)
    assert inline is not None
    digest = base64.b64encode(hashlib.sha256(inline[1].encode()).digest()).decode()
    assert chat.csp() == f"script-src https://plugin.getcallsavvy.com 'sha256-{digest}'"
    assert chat.csp(loader=False) == "script-src https://plugin.getcallsavvy.com"
    assert chat.csp(nonce="bg") == "script-src https://plugin.getcallsavvy.com 'nonce-bg'"
    assert embeds.content_security_policy(chat, video, chat) == f"{chat.csp()} {video.loader_hash}"


@pytest.mark.parametrize("nonce", ["", "a b", 'a"b', "a'; script-src *", "a\r\nX: y", "=", "é", "a\n"])
@pytest.mark.parametrize("use", [embeds.Widget.script, embeds.Widget.html, embeds.Widget.csp])
def test_bad_nonce(nonce: str, use: object) -> None:
    """A nonce that would end its attribute or header is refused, and is not shown."""
    assert callable(use)
    with pytest.raises(InvalidRequestError, match=r"token_urlsafe\(16\)") as caught:
        use(embeds.chat(KEY), nonce=nonce)
    assert "script-src *" not in str(caught.value)


@pytest.mark.parametrize(
    "key", ["", " ", "a b", "a\n", "\tk", 'a"b', "a'b", "a`b", "a<b", "a>b", "a&b", "a\\b", "é", ".", ".."]
)
def test_bad_key(key: str) -> None:
    """What cannot be a key is refused, and is not shown: it may be another secret in the wrong place."""
    with pytest.raises(ConfigurationError, match=r"Copy it from the dashboard") as caught:
        embeds.chat(key)
    assert not key.strip(" .\n") or key not in str(caught.value)


def test_private_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The private key is refused wherever it can be known: the sandbox's, the environment's, the other of the pair."""
    monkeypatch.setenv("CALLSAVVY_PRIVATE_KEY", "LIVE-private")
    for key in (
        KEY.private_key,
        "LIVE-private",
        Credentials("same", "same"),
        Credentials("LIVE-private", "LIVE-public"),
    ):
        with pytest.raises(ConfigurationError, match="is the private key") as caught:
            embeds.ticket_form(key)
        assert "LIVE-private" not in str(caught.value)


def test_keys_stay_out_of_the_page() -> None:
    """Credentials give their public key only."""
    widget = embeds.call(Credentials("public-key", "private-key"), department="support")
    assert "public-key" in str(widget)
    assert "private-key" not in f"{widget}{widget.call_button('Call')}{attrs.asdict(widget)}"


@pytest.mark.parametrize("value", ["", "  ", "a\nb", "a\x00b", "\ud800", "a\u2028b"])
def test_bad_text(value: str) -> None:
    """Blank texts and control characters are refused by the name of the argument."""
    with pytest.raises(InvalidRequestError, match="department is"):
        embeds.call(KEY, department=value)
    with pytest.raises(InvalidRequestError, match="theme is"):
        embeds.video(KEY, theme=value)


@pytest.mark.parametrize("argument", ["number", "caller_id"])
def test_bad_number(argument: str) -> None:
    """A number that is none is refused, masked."""
    with pytest.raises(InvalidRequestError, match="not a phone number") as caught:
        embeds.call(KEY, department="support").call_button("Call", **{argument: "+2348012345678;ext=1"})
    assert "2348012345678" not in str(caught.value)


def test_repr() -> None:
    """The repr shows the settings and hides the key."""
    assert repr(embeds.call(KEY, department="support")) == (
        "CallWidget(plugin='call', public_key=***, theme='green', department='support')"
    )
