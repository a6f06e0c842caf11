"""Callsavvy's five widgets for web pages: call button, ticket form, live chat, video, calendar.

Each widget is a script from Callsavvy's plugin host, which a small inline loader fetches (API document: "Inline
Integrations"). Values are escaped for each language in turn:

- URL: percent-encoding. Of the characters special to HTML or JavaScript, only ``&`` remains.
- Loader: a JavaScript string with ``<`` and ``>`` as escapes, because HTML ends a script at ``</script>`` before JavaScript
  runs.
- Attribute or text of an element: HTML character references.

The API document does not say which of the account's two keys a page contains. Pages are public, so these widgets accept only
the public key.

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
"""Origin of the widgets' scripts."""

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
    """An object with the account's public key, such as `Credentials`."""

    @property
    def public_key(self) -> str:
        """The account's public key."""
        ...


class Html(str):
    """Safe markup, which template engines do not escape again."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return the markup, by the convention of MarkupSafe (Jinja2, FastAPI) and Django."""
        return self


def _public_key(key: str | HasPublicKey) -> str:
    public_key = key if isinstance(key, str) else key.public_key
    private_keys = {_SANDBOX_PRIVATE_KEY, os.environ.get("CALLSAVVY_PRIVATE_KEY"), getattr(key, "private_key", None)}
    if public_key in private_keys:
        raise ConfigurationError(
            "the given key is the private key; in a page, every visitor could read it and spend the account's balance. Give"
            " the public key (dashboard, Settings -> API & Integration), or the Credentials."
        )
    if not _PUBLIC_KEY.fullmatch(public_key):
        raise ConfigurationError(
            f"the public key {'holds a forbidden character' if public_key else 'is empty'}; it must be printable ASCII"
            " without blanks, quotes, < > & and backslash. Copy it from the dashboard, Settings -> API & Integration."
        )
    return public_key


def _check_text(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not value.strip() or not value.isprintable():
        raise InvalidRequestError(
            f"{attribute.name} is {value!a}; it must be text without control characters. Copy it from the snippet in the"
            " dashboard, Settings -> API & Integration."
        )


@attrs.frozen
class Widget:
    """A widget that consists of a script; made by `chat`, `video` and `calendar`.

    Attributes:
        plugin: name of the widget in the URL.
        public_key: the account's public key.
        theme: colour word, such as "green".
    """

    plugin: str
    public_key: str = attrs.field(converter=_public_key, repr=lambda _: MASK)
    theme: str = attrs.field(validator=_check_text, kw_only=True)

    @property
    def src(self) -> str:
        """URL of the widget's script. Its parameter ``c`` is the colour word in base64."""
        colour = base64.b64encode(self.theme.encode()).decode()
        return f"{PLUGIN_ORIGIN}/{self.plugin}/{_url(self.public_key)}?p{self._parameters()}&c={_url(colour)}"

    @property
    def loader_hash(self) -> str:
        """Source expression of the inline loader in a Content-Security-Policy: ``'sha256-...'``."""
        return f"'sha256-{base64.b64encode(hashlib.sha256(self._loader().encode()).digest()).decode()}'"

    @property
    def holder(self) -> Html:
        """The element that the widget fills; empty for a widget that places itself."""
        return Html()

    def script(self, *, nonce: str | None = None, loader: bool = True) -> Html:
        """Return the script element, which belongs just before the page's ``</body>``.

        Args:
            nonce: nonce of the response's Content-Security-Policy.
            loader: whether to use the API document's inline loader. A plain ``<script src async>`` passes a stricter policy.
        """
        attribute = f' nonce="{_checked_nonce(nonce)}"' if nonce is not None else ""
        if loader:
            return Html(f'<script type="text/javascript"{attribute}>{self._loader()}</script>')
        return Html(
            f'<script type="text/javascript"{attribute} src="{html.escape(self.src)}" async charset="UTF-8"'
            ' crossorigin="*"></script>'
        )

    def html(self, *, nonce: str | None = None, loader: bool = True) -> Html:
        """Return the widget's holder and script."""
        script = self.script(nonce=nonce, loader=loader)
        return Html(f"{self.holder}\n{script}" if self.holder else script)

    def csp(self, *, nonce: str | None = None, loader: bool = True) -> str:
        """Return the Content-Security-Policy of this widget; see `content_security_policy`."""
        return content_security_policy(self, nonce=nonce, loader=loader)

    def __html__(self) -> str:
        """Return the widget, for ``{{ widget }}`` in a template."""
        return self.html()

    def __str__(self) -> str:
        """Return the widget. Django calls ``__str__`` before ``__html__``."""
        return self.html()

    def _parameters(self) -> str:
        return ""

    def _loader(self) -> str:
        return _LOADER % _javascript_string(self.src)


@attrs.frozen
class CallWidget(Widget):
    """A widget for phone calls from the page; made by `call`.

    Attributes:
        department: UID of the department that gets the calls. The API document does not say whether it equals the
            ``department_id`` of the REST API.
    """

    department: str = attrs.field(validator=_check_text, kw_only=True)

    def call_button(self, label: str, *, number: str | None = None, caller_id: str | None = None) -> Html:
        """Return the button that starts a call. Its id is fixed, so a page may hold only one.

        Args:
            label: text of the button.
            number: the number to call, with its country code; the department when None.
            caller_id: the account's number to display to the other side.

        Raises:
            InvalidRequestError: a number does not have the shape of a phone number.
        """
        attributes = ""
        if caller_id is not None:
            attributes += f' displayed_caller_id="{html.escape(normalise_number(caller_id))}"'
        if number is not None:
            attributes += f' number_to_call="{html.escape(normalise_number(number))}"'
        # Without a type, a button in a form submits the form, which leaves the page and ends the call.
        return Html(f'<button type="button" id="callservy_call_button"{attributes}>{html.escape(label)}</button>')

    def _parameters(self) -> str:
        return f"&d={_url(self.department)}"


@attrs.frozen
class TicketForm(Widget):
    """A form that opens a support ticket; made by `ticket_form`."""

    @property
    def holder(self) -> Html:
        """The element that holds the form. Its id is misspelt, as in the API document."""
        return Html(f'<div id="callservy_ticket_widget_holder{html.escape(self.public_key)}"></div>')


def call(public_key: str | HasPublicKey, *, department: str, theme: str = "green") -> CallWidget:
    """Create the widget for phone calls. Place its `call_button` in the page.

    Args:
        public_key: the public key, or the `Credentials`.
        department: UID of the department that gets the calls.
        theme: colour word, not the encoded ``c=`` of a snippet.

    Raises:
        ConfigurationError: the key is not valid, or is the private key.
        InvalidRequestError: the department or the theme is blank or holds control characters.
    """
    return CallWidget("call", public_key, department=department, theme=theme)


def ticket_form(public_key: str | HasPublicKey, *, theme: str = "green") -> TicketForm:
    """Create the form for support tickets. For arguments and errors, see `call`."""
    return TicketForm("ticket", public_key, theme=theme)


def chat(public_key: str | HasPublicKey, *, theme: str = "green") -> Widget:
    """Create the live chat. For arguments and errors, see `call`."""
    return Widget("chat", public_key, theme=theme)


def video(public_key: str | HasPublicKey, *, theme: str = "green") -> Widget:
    """Create the widget for instant video meetings. For arguments and errors, see `call`."""
    return Widget("video", public_key, theme=theme)


def calendar(public_key: str | HasPublicKey, *, theme: str = "green") -> Widget:
    """Create the calendar for booking meetings. For arguments and errors, see `call`."""
    return Widget("calendar", public_key, theme=theme)


def content_security_policy(*widgets: Widget, nonce: str | None = None, loader: bool = True) -> str:
    """Return the ``script-src`` of a page with these widgets (W3C, Content Security Policy Level 3).

    It allows the plugin host, and the inline loaders by their nonce. Without a nonce it allows the loaders by their SHA-256,
    which also suits cached pages. Give all widgets of a page at once, because browsers enforce the strictest of several
    policies. The API document does not say what the scripts load themselves (frames, sockets, styles).

    Args:
        widgets: all widgets of the page.
        nonce: an unguessable nonce, new for each response, the same as for `Widget.script`.
        loader: as for `Widget.script`.
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
    # json.dumps also escapes U+2028 and U+2029, which end a line in old versions of JavaScript.
    return json.dumps(text).replace("<", "\\u003c").replace(">", "\\u003e")


def _checked_nonce(nonce: str) -> str:
    if not _NONCE.fullmatch(nonce):
        raise InvalidRequestError(
            "the nonce is empty or not base64, so it could break out of its header or attribute; create a nonce for each"
            " response with secrets.token_urlsafe(16)."
        )
    return nonce
