"""Widgets in the template engines that people use."""

from __future__ import annotations

import jinja2
from django.template import Context, Engine
from starlette.requests import Request
from starlette.templating import Jinja2Templates

from callsavvy_async import embeds

CALL = embeds.call("key", department="<support>")
TEMPLATE = "{{ call }}|{{ button }}|{{ text }}"
VALUES = {"call": CALL, "button": CALL.call_button("<Call>"), "text": "<i>"}
PAGE = f"{CALL.html()}|{CALL.call_button('<Call>')}|&lt;i&gt;"


def test_jinja() -> None:
    """Jinja2 puts the markup in as it is, a nonce included, and still escapes the rest."""
    environment = jinja2.Environment(autoescape=True)
    assert environment.from_string(TEMPLATE).render(VALUES) == PAGE
    assert environment.from_string("{{ call.html(nonce='bg') }}").render(VALUES) == CALL.html(nonce="bg")


def test_fastapi() -> None:
    """FastAPI's templates do the same."""
    templates = Jinja2Templates(env=jinja2.Environment(autoescape=True, loader=jinja2.DictLoader({"page": TEMPLATE})))
    answer = templates.TemplateResponse(Request({"type": "http"}), "page", VALUES)
    assert bytes(answer.body).decode() == PAGE


def test_django() -> None:
    """Django does the same, though it turns an object into text before it looks for markup."""
    assert Engine().from_string(TEMPLATE).render(Context(VALUES)) == PAGE


def test_concatenation() -> None:
    """Markup with text added is text again, so that nothing unescaped slips through."""
    assert not hasattr(CALL.call_button("Call") + "<i>", "__html__")
