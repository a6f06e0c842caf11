"""Choose the encoding of a text file: the one that is asked for, else that of its byte order mark, else UTF-8."""

from __future__ import annotations

import codecs
import io

import attrs

from callsavvy_async.errors import InvalidRequestError

_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@attrs.frozen
class TextEncoding:
    """An encoding.

    Attributes:
        name: its name for Python. It reads the byte order mark, if there is one.
        title: its name in descriptions and errors.
    """

    name: str
    title: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "title", self.name.removesuffix("-sig").upper().replace("CP", "windows-"))

    @property
    def is_unusual(self) -> bool:
        """Whether it is another one than UTF-8."""
        return self.name != "utf-8-sig"


def encoding_of(beginning: bytes, asked: str | None, name: str) -> TextEncoding:
    """Return the encoding of a file.

    Args:
        beginning: the first bytes of the file.
        asked: name of an encoding of Python; None to detect it.
        name: name of the file, for errors.

    Raises:
        InvalidRequestError: the encoding does not exist, contradicts the byte order mark, or needs one.
    """
    marked = next((encoding for mark, encoding in _MARKS if beginning.startswith(mark)), None)
    if asked is None:
        return TextEncoding(marked or "utf-8-sig")
    wanted = _known(asked)
    if marked is None:
        if wanted in {"utf-16", "utf-32"}:  # Python refuses them, or guesses
            raise InvalidRequestError(
                f"the encoding is {asked!r}, but {name} has no byte order mark; give {wanted}-le or {wanted}-be."
            )
        return TextEncoding("utf-8-sig" if wanted == "utf-8" else wanted)
    if not wanted.startswith(marked.removesuffix("-sig")):
        raise InvalidRequestError(
            f"the encoding is {asked!r}, but {name} begins with the mark of {TextEncoding(marked).title}; leave the encoding out."
        )
    return TextEncoding(marked)


def _known(asked: str) -> str:
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=asked)  # refuses codecs that do not decode to text
        return codecs.lookup(asked).name
    except (LookupError, ValueError):
        raise InvalidRequestError(
            f"the encoding {asked!r} does not exist; give one such as utf-8, utf-16 or windows-1252."
        ) from None
