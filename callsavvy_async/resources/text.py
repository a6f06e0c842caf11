"""Checks for parameters."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from callsavvy_async.encodable import is_encodable
from callsavvy_async.errors import InvalidRequestError


def require_text(text: str, name: str) -> str:
    """Return a text unchanged.

    Raises:
        InvalidRequestError: the value is blank, not a str, or cannot be encoded. The error does not show the value.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] # from untyped code, a database
        raise InvalidRequestError(f"{name} is of type {type(text).__name__}; it must be a str. Give str(...) of it.")
    if not text.strip():
        raise InvalidRequestError(f"{name} is blank; the API requires a text.")
    if not is_encodable(text):
        raise InvalidRequestError(
            f"{name} holds a lone surrogate (half a character) or NUL; write the whole character."
        )
    return text


def require_web_url(url: str, name: str) -> str:
    """Return a URL unchanged.

    Raises:
        InvalidRequestError: the API could not fetch the URL.
    """
    if not _is_web_url(url):
        raise InvalidRequestError(
            f"{name} is not a URL that the API can fetch; give the http(s) URL of an MP3 file, with a host and without blanks."
        )
    return url


def _is_web_url(text: str) -> bool:
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    return url.scheme in {"http", "https"} and bool(url.hostname) and text.isprintable() and " " not in text


def exactly_one(values: Mapping[str, object], taker: str) -> str:
    """Return the name of the only value that is not None.

    Raises:
        InvalidRequestError: several values are given, or none.
    """
    given = [name for name, value in values.items() if value is not None]
    if len(given) == 1:
        return given[0]
    found = f"{' and '.join(given)} were given" if given else "none was given"
    raise InvalidRequestError(f"{taker} takes exactly one of {', '.join(values)}; {found}.")
