"""The values of widgets: checked, and escaped for the place where they stand."""

from __future__ import annotations

import json
import os
import re
from typing import Protocol
from urllib.parse import quote

import attrs

from callsavvy_async.errors import ConfigurationError, InvalidRequestError

_PUBLIC_KEY = re.compile(r"(?!\.\.?$)[^\x00-\x20\x7f-\U0010ffff\"'`<>&\\]+")
_NONCE = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_SANDBOX_PRIVATE_KEY = "TEST-934HDHD84JDVBPSW73BYjegh494WD9084NFUih34-9974r"


class HasPublicKey(Protocol):
    """An object with the account's public key, such as `Credentials`."""

    @property
    def public_key(self) -> str:
        """The account's public key."""
        ...


def checked_public_key(key: str | HasPublicKey) -> str:
    """Return the public key of a page.

    Raises:
        ConfigurationError: the key is not valid, or is the private key.
    """
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


def check_text(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    """Check a value that was copied from a snippet, as a validator of attrs.

    Raises:
        InvalidRequestError: it is blank or holds control characters.
    """
    if not value.strip() or not value.isprintable():
        raise InvalidRequestError(
            f"{attribute.name} is {value!a}; it must be text without control characters. Copy it from the snippet in the"
            " dashboard, Settings -> API & Integration."
        )


def url_encoded(value: str) -> str:
    """Percent-encode a value."""
    return quote(value, safe="")


def javascript_string(text: str) -> str:
    """Return a JavaScript string that cannot end its script."""
    # json.dumps also escapes U+2028 and U+2029, which end a line in old versions of JavaScript.
    return json.dumps(text).replace("<", "\\u003c").replace(">", "\\u003e")


def checked_nonce(nonce: str) -> str:
    """Check a nonce.

    Raises:
        InvalidRequestError: it is empty or not base64.
    """
    if not _NONCE.fullmatch(nonce):
        raise InvalidRequestError(
            "the nonce is empty or not base64, so it could break out of its header or attribute; create a nonce for each"
            " response with secrets.token_urlsafe(16)."
        )
    return nonce
