"""The one check that most parameters need."""

from __future__ import annotations

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
