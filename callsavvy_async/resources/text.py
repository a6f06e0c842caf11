"""Checks that several parameters need."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from callsavvy_async.encodable import is_encodable
from callsavvy_async.errors import InvalidRequestError


def require_text(text: str, name: str) -> str:
    """Return a text as it is.

    Raises:
        InvalidRequestError: when it is blank, no text, or cannot be encoded; the value itself is not shown.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] # from untyped code, a database
        raise InvalidRequestError(
            f"{name} is of the type {type(text).__name__}; the API takes text. Give str(...) of it."
        )
    if not text.strip():
        raise InvalidRequestError(f"{name} is blank; the API requires it.")
    if not is_encodable(text):
        raise InvalidRequestError(
            f"{name} holds half a character (a lone surrogate) or NUL; write the whole character."
        )
    return text


def require_web_url(url: str, name: str) -> str:
    """Return a URL as it is.

    Raises:
        InvalidRequestError: when the API could not fetch it.
    """
    if not _is_web_url(url):
        raise InvalidRequestError(
            f"{name} is no URL that the API could fetch; give the http(s) URL of an MP3 file, with a host and no blanks."
        )
    return url


def _is_web_url(text: str) -> bool:
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    return url.scheme in {"http", "https"} and bool(url.hostname) and text.isprintable() and " " not in text


def exactly_one(values: Mapping[str, object], taker: str) -> str:
    """Return the name of the one value that is given, the others being None.

    Raises:
        InvalidRequestError: there is not exactly one.
    """
    given = [name for name, value in values.items() if value is not None]
    if len(given) == 1:
        return given[0]
    found = f"{' and '.join(given)} were given" if given else "none was given"
    raise InvalidRequestError(f"{taker} takes exactly one of {', '.join(values)}; {found}.")
