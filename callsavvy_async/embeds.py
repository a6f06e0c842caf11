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

import attrs

from callsavvy_async.embed_values import (
    HasPublicKey,
    check_text,
    checked_nonce,
    checked_public_key,
    javascript_string,
    url_encoded,
)
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


class Html(str):
    """Safe markup, which template engines do not escape again."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return the markup, by the convention of MarkupSafe (Jinja2, FastAPI) and Django."""
        return self


@attrs.frozen
class Widget:
    """A widget that consists of a script; made by `chat`, `video` and `calendar`.

    Attributes:
        plugin: name of the widget in the URL.
        public_key: the account's public key.
        theme: colour word, such as "green".
    """

    plugin: str
    public_key: str = attrs.field(converter=checked_public_key, repr=lambda _: MASK)
    theme: str = attrs.field(validator=check_text, kw_only=True)

    @property
    def src(self) -> str:
        """URL of the widget's script. Its parameter ``c`` is the colour word in base64."""
        colour = base64.b64encode(self.theme.encode()).decode()
        return f"{PLUGIN_ORIGIN}/{self.plugin}/{url_encoded(self.public_key)}?p{self._parameters()}&c={url_encoded(colour)}"

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
        attribute = f' nonce="{checked_nonce(nonce)}"' if nonce is not None else ""
        if loader:
            return Html(f'<script type="text/javascript"{attribute}>{self._loader()}</script>')
        return Html(
            f'<script type="text/javascript"{attribute} src="{html.escape(self.src)}" async charset="UTF-8"'
            ' crossorigin="*"></script>'
        )

    def html(self, *, nonce: str | None = None, loader: bool = True) -> Html:
        """Return the widget's holder and script.

        Args:
            nonce: see `script`.
            loader: see `script`.
        """
        script = self.script(nonce=nonce, loader=loader)
        return Html(f"{self.holder}\n{script}" if self.holder else script)

    def csp(self, *, nonce: str | None = None, loader: bool = True) -> str:
        """Return the Content-Security-Policy of this widget; see `content_security_policy`.

        Args:
            nonce: see `script`.
            loader: see `script`.
        """
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
        return _LOADER % javascript_string(self.src)


@attrs.frozen
class CallWidget(Widget):
    """A widget for phone calls from the page; made by `call`.

    Attributes:
        department: UID of the department that gets the calls. The API document does not say whether it equals the
            ``department_id`` of the REST API.
    """

    department: str = attrs.field(validator=check_text, kw_only=True)

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
        return f"&d={url_encoded(self.department)}"


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
    """Create the form for support tickets. For arguments and errors, see `call`.

    Args:
        public_key: see `call`.
        theme: see `call`.
    """
    return TicketForm("ticket", public_key, theme=theme)


def chat(public_key: str | HasPublicKey, *, theme: str = "green") -> Widget:
    """Create the live chat. For arguments and errors, see `call`.

    Args:
        public_key: see `call`.
        theme: see `call`.
    """
    return Widget("chat", public_key, theme=theme)


def video(public_key: str | HasPublicKey, *, theme: str = "green") -> Widget:
    """Create the widget for instant video meetings. For arguments and errors, see `call`.

    Args:
        public_key: see `call`.
        theme: see `call`.
    """
    return Widget("video", public_key, theme=theme)


def calendar(public_key: str | HasPublicKey, *, theme: str = "green") -> Widget:
    """Create the calendar for booking meetings. For arguments and errors, see `call`.

    Args:
        public_key: see `call`.
        theme: see `call`.
    """
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
        sources.append(f"'nonce-{checked_nonce(nonce)}'")
    elif loader:
        sources += dict.fromkeys(widget.loader_hash for widget in widgets)
    return f"script-src {' '.join(sources)}"
