"""Hostile values, read back by an HTML parser."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given, strategies as st

from callsavvy_async import embeds
from callsavvy_async.embed_values import javascript_string

HOSTILE = st.text(
    st.one_of(st.sampled_from("<>&\"'`/\\=;!-%?#{}()\u00a0é📞"), st.characters(codec="utf-8")), min_size=1, max_size=40
)
TEXT = HOSTILE.filter(lambda text: text.strip() and text.isprintable())
KEYS = st.text(st.sampled_from([chr(c) for c in range(0x21, 0x7F) if chr(c) not in "\"'`<>&\\"]), min_size=1).filter(
    lambda key: key not in {".", ".."}
)


class Reader(HTMLParser):
    """Collects the elements with their attributes, and the texts."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        pytest.fail("the markup holds a comment")


@given(HOSTILE)
def test_label(label: str) -> None:
    """A label makes no element and is read as it was given."""
    page = Reader(embeds.call("key", department="support").call_button(label))
    assert [tag for tag, _ in page.elements] == ["button"]
    assert page.text == label


@given(KEYS, TEXT, TEXT)
def test_loader(key: str, department: str, theme: str) -> None:
    """The loader is one script whose URL is the widget's, and every value can be read back from it."""
    widget = embeds.call(key, department=department, theme=theme)
    page = Reader(widget.script())
    assert page.elements == [("script", {"type": "text/javascript"})]
    (literal,) = (line.removeprefix("s1.src=").removesuffix(";") for line in page.text.split("\n") if "s1.src" in line)
    assert json.loads(literal) == widget.src
    url = urlsplit(widget.src)
    assert (url.scheme, url.netloc, url.fragment) == ("https", "plugin.getcallsavvy.com", "")
    assert unquote(url.path) == f"/call/{key}"
    assert url.path.count("/") == 2
    query = parse_qs(url.query, keep_blank_values=True)
    assert query == {"p": [""], "d": [department], "c": [base64.b64encode(theme.encode()).decode()]}


@given(KEYS, TEXT)
def test_plain_script(key: str, theme: str) -> None:
    """The plain script and the holder carry the URL and the key unharmed, and no other attribute."""
    widget = embeds.ticket_form(key, theme=theme)
    holder, script = Reader(widget.html(loader=False)).elements
    assert holder == ("div", {"id": f"callservy_ticket_widget_holder{key}"})
    assert script[1] == {
        "type": "text/javascript",
        "src": widget.src,
        "async": None,
        "charset": "UTF-8",
        "crossorigin": "*",
    }


@given(st.text(st.one_of(st.sampled_from("</script>!-\u2028\u2029\"'\\\n"), st.characters(codec="utf-8"))))
def test_javascript_string(text: str) -> None:
    """A JavaScript string gives its text back, on one line, in ASCII, without what HTML would read first."""
    literal = javascript_string(text)
    assert json.loads(literal) == text
    assert literal.isascii()
    assert not set(literal) & set("<>\n")
