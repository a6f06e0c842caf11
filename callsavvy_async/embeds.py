"""The five widgets that Callsavvy puts into a web page: call button, ticket form, live chat, video, calendar.

Each is a script from Callsavvy's plugin host, fetched by a small inline loader (API document: "Inline Integrations").
A value on its way into a page passes through up to three languages, and each has an escape of its own:

- into the URL: percent-encoding, in which nothing that means something to HTML or JavaScript survives but ``&``;
- from there into the loader: a JavaScript string, in which ``<`` and ``>`` are written as escapes, since HTML ends a
  script at ``</script>`` before JavaScript has read a word;
- or into an attribute or an element's text: HTML's character references.

The document does not say which of the account's two keys stands in the page. What stands in a page is public, so here it
is only ever the public key (quirk Q08).

```python
from callsavvy_async import embeds

chat = embeds.chat(credentials, theme="green")      # {{ chat }} in Jinja2 and Django; chat.html() elsewhere
response.headers["Content-Security-Policy"] = chat.csp()
```
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
from typing import Protocol
from urllib.parse import quote

import attrs

from callsavvy_async.errors import ConfigurationError, InvalidRequestError
from callsavvy_async.phone_numbers import normalise_number
from callsavvy_async.redaction import MASK

__all__ = [
    "PLUGIN_ORIGIN",
    "CallWidget",
    "HasPublicKey",
    "Html",
    "TicketForm",
    "Widget",
    "calendar",
    "call",
    "chat",
    "content_security_policy",
    "ticket_form",
    "video",
]

PLUGIN_ORIGIN = "https://plugin.getcallsavvy.com"
"""Where every widget's script comes from."""

_PUBLIC_KEY = re.compile(r"(?!\.\.?$)[^\x00-\x20\x7f-\U0010ffff\"'`<>&\\]+")
_NONCE = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_SANDBOX_PRIVATE_KEY = "TEST-934HDHD84JDVBPSW73BYjegh494WD9084NFUih34-9974r"

_LOADER = """
(function(){
var s1=document.createElement("script"),s0=document.getElementsByTagName("script")[0];
s1.async=true;
s1.src=%s;
s1.charset='UTF-8';
s1.setAttribute('crossorigin','*');
s0.parentNode.insertAdjacentElement("beforeend", s1);
})();
"""


class HasPublicKey(Protocol):
    """What has the account's public key, such as `Credentials`."""

    @property
    def public_key(self) -> str:
        """The key that may be seen by everybody."""
        ...


class Html(str):
    """Markup that is safe to put into a page as it is: template engines do not escape it a second time."""

    __slots__ = ()

    def __html__(self) -> str:
        """Say so in the way that MarkupSafe (Jinja2, FastAPI) and Django ask."""
        return self


def _public_key(key: str | HasPublicKey) -> str:
    public_key = key if isinstance(key, str) else key.public_key
    private_keys = {_SANDBOX_PRIVATE_KEY, os.environ.get("CALLSAVVY_PRIVATE_KEY"), getattr(key, "private_key", None)}
    if public_key in private_keys:
        raise ConfigurationError(
            "this is the private key: in a page everybody could read it and spend on the account. Give the public key"
            " (dashboard, Settings -> API & Integration), or the Credentials."
        )
    if not _PUBLIC_KEY.fullmatch(public_key):
        raise ConfigurationError(
            f"the public key {'holds a character that no key has' if public_key else 'is empty'}; it is printable ASCII"
            " without blanks, quotes, < > & and backslash. Copy it from the dashboard, Settings -> API & Integration."
        )
    return public_key


def _check_text(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not value.strip() or not value.isprintable():
        raise InvalidRequestError(
            f"{attribute.name} is {value!a}; it must be text without control characters. Copy it from the snippet that"
            " the dashboard makes, Settings -> API & Integration."
        )


@attrs.frozen
class Widget:
    """A widget that needs nothing but its script; made by `chat`, `video` and `calendar`.

    Attributes:
        plugin: its name in the URL.
        public_key: the account's public key.
        theme: colour word, such as "green".
    """

    plugin: str
    public_key: str = attrs.field(converter=_public_key, repr=lambda _: MASK)
    theme: str = attrs.field(validator=_check_text, kw_only=True)

    @property
    def src(self) -> str:
        """The URL of the widget's script: ``c`` is the colour word in base64, percent-encoded."""
        colour = base64.b64encode(self.theme.encode()).decode()
        return f"{PLUGIN_ORIGIN}/{self.plugin}/{_url(self.public_key)}?p{self._parameters()}&c={_url(colour)}"

    @property
    def loader_hash(self) -> str:
        """The inline loader's source expression in a Content-Security-Policy: ``'sha256-...'``."""
        return f"'sha256-{base64.b64encode(hashlib.sha256(self._loader().encode()).digest()).decode()}'"

    @property
    def holder(self) -> Html:
        """The element that the widget fills; empty for a widget that finds its own place."""
        return Html()

    def script(self, *, nonce: str | None = None, loader: bool = True) -> Html:
        """Return the script element. The document wants it just before the page's ``</body>``.

        Args:
            nonce: the nonce of this answer's Content-Security-Policy.
            loader: the document's inline loader; False for a plain ``<script src async>``, which needs no inline script
                and so passes a stricter policy.
        """
        attribute = f' nonce="{_checked_nonce(nonce)}"' if nonce is not None else ""
        if loader:
            return Html(f'<script type="text/javascript"{attribute}>{self._loader()}</script>')
        return Html(
            f'<script type="text/javascript"{attribute} src="{html.escape(self.src)}" async charset="UTF-8"'
            ' crossorigin="*"></script>'
        )

    def html(self, *, nonce: str | None = None, loader: bool = True) -> Html:
        """Return the whole widget, holder and script, for one place in the page."""
        script = self.script(nonce=nonce, loader=loader)
        return Html(f"{self.holder}\n{script}" if self.holder else script)

    def csp(self, *, nonce: str | None = None, loader: bool = True) -> str:
        """Return the Content-Security-Policy that lets this widget's script run; see `content_security_policy`."""
        return content_security_policy(self, nonce=nonce, loader=loader)

    def __html__(self) -> str:
        """Return the whole widget, so that ``{{ widget }}`` just works in a template."""
        return self.html()

    def __str__(self) -> str:
        """Return the whole widget. Django asks an object that is no text for its text before it asks for its HTML."""
        return self.html()

    def _parameters(self) -> str:
        return ""

    def _loader(self) -> str:
        return _LOADER % _javascript_string(self.src)


@attrs.frozen
class CallWidget(Widget):
    """Calls from the page over the visitor's microphone; made by `call`.

    Attributes:
        department: UID of the department that the calls are queued to. Whether it is the ``department_id`` of the REST
            API is not documented (quirk Q61).
    """

    department: str = attrs.field(validator=_check_text, kw_only=True)

    def call_button(self, label: str, *, number: str | None = None, caller_id: str | None = None) -> Html:
        """Return the button that starts a call. Its id is fixed, so a page has room for one.

        Args:
            label: what people read on it.
            number: whom to call, country code included; the department when None.
            caller_id: which of the account's numbers the other side sees.

        Raises:
            InvalidRequestError: a number has not the shape of a phone number.
        """
        attributes = ""
        if caller_id is not None:
            attributes += f' displayed_caller_id="{html.escape(normalise_number(caller_id))}"'
        if number is not None:
            attributes += f' number_to_call="{html.escape(normalise_number(number))}"'
        # Without a type, a button inside a form would send the form and leave the page, and with it the call.
        return Html(f'<button type="button" id="callservy_call_button"{attributes}>{html.escape(label)}</button>')

    def _parameters(self) -> str:
        return f"&d={_url(self.department)}"


@attrs.frozen
class TicketForm(Widget):
    """A form that opens a support ticket; made by `ticket_form`."""

    @property
    def holder(self) -> Html:
        """The element that the form appears in. The key is part of its id, and the id is misspelt, as documented."""
        return Html(f'<div id="callservy_ticket_widget_holder{html.escape(self.public_key)}"></div>')


def call(public_key: str | HasPublicKey, *, department: str, theme: str = "green") -> CallWidget:
    """Make the widget for voice calls; its `call_button` goes where people shall find it.

    Args:
        public_key: the public key, or the `Credentials` that hold it.
        department: UID of the department that the calls are queued to.
        theme: colour word; it is encoded here, so not the ``c=`` of a snippet.

    Raises:
        ConfigurationError: the key is no key, or is known to be the private one.
        InvalidRequestError: the department or the theme is blank or holds control characters.
    """
    return CallWidget("call", public_key, department=department, theme=theme)


def ticket_form(public_key: str | HasPublicKey, *, theme: str = "green") -> TicketForm:
    """Make the form for support tickets. Arguments and errors are those of `call`."""
    return TicketForm("ticket", public_key, theme=theme)


def chat(public_key: str | HasPublicKey, *, theme: str = "green") -> Widget:
    """Make the live chat. Arguments and errors are those of `call`."""
    return Widget("chat", public_key, theme=theme)


def video(public_key: str | HasPublicKey, *, theme: str = "green") -> Widget:
    """Make the widget for instant video meetings. Arguments and errors are those of `call`."""
    return Widget("video", public_key, theme=theme)


def calendar(public_key: str | HasPublicKey, *, theme: str = "green") -> Widget:
    """Make the calendar, in which people book a meeting. Arguments and errors are those of `call`."""
    return Widget("calendar", public_key, theme=theme)


def content_security_policy(*widgets: Widget, nonce: str | None = None, loader: bool = True) -> str:
    """Return the ``script-src`` of a page with these widgets (W3C, Content Security Policy Level 3).

    It names the plugin host, and the inline loaders by their nonce; without a nonce by their SHA-256, which also suits a
    page that is cached. A browser obeys the strictest of several policies, so widgets of one page belong into one call.
    What the scripts load themselves (frames, sockets, styles) is not documented.

    Args:
        widgets: all widgets of the page.
        nonce: fresh and unguessable for each answer, the same that `Widget.script` was given.
        loader: as `Widget.script` was given it.
    """
    sources = [PLUGIN_ORIGIN]
    if nonce is not None:
        sources.append(f"'nonce-{_checked_nonce(nonce)}'")
    elif loader:
        sources += dict.fromkeys(widget.loader_hash for widget in widgets)
    return f"script-src {' '.join(sources)}"


def _url(value: str) -> str:
    return quote(value, safe="")


def _javascript_string(text: str) -> str:
    # json.dumps leaves ASCII only, so U+2028 and U+2029, which once ended a JavaScript line, are escapes as well.
    return json.dumps(text).replace("<", "\\u003c").replace(">", "\\u003e")


def _checked_nonce(nonce: str) -> str:
    if not _NONCE.fullmatch(nonce):
        raise InvalidRequestError(
            "the nonce is empty or not base64, and would end the header or the attribute that it stands in; make one"
            " for each answer with secrets.token_urlsafe(16)."
        )
    return nonce
