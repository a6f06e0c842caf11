"""Mail merge: a text with ``{placeholders}`` for the fields of each recipient."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

import attrs

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.keywords import did_you_mean
from callsavvy_async.redaction import mask_text, redact
from callsavvy_async.resources.text import require_text

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"\w[^|!:\[\]]*")
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u2060\ufeff]")


@attrs.frozen
class Placeholder:
    """The field that stands in a placeholder.

    Attributes:
        name: of the field.
        default: stands where a recipient has no such value; None when there must be one.
        source: the placeholder as it is written.
    """

    name: str
    default: str | None
    source: str


@attrs.frozen
class _Piece:
    """Literal text, and the placeholder that follows it; None at the end."""

    literal: str
    placeholder: Placeholder | None


def _parse_text(template: Template) -> tuple[_Piece, ...]:
    return _parse(require_text(template.text, "template"))


@attrs.frozen
class Template:
    """A text with ``{field}`` placeholders; ``{{`` and ``}}`` stand for braces.

    ``{field|default}`` takes the default where a recipient's field is missing or blank. Names are compared as people read
    them: without regard to case, kind and number of blanks, and invisible marks. They are names only: no format
    specifications, indexes or conversions, since a template is often written by somebody else than the program.

    Attributes:
        text: the template as it is written.
        literal: leave a placeholder as it is written where a recipient has no field of its name.

    Raises:
        InvalidRequestError: the text is blank, or a placeholder or brace is wrong; its position is named.
    """

    text: str = attrs.field(repr=mask_text)
    literal: bool = attrs.field(default=False, repr=False)
    _pieces: tuple[_Piece, ...] = attrs.field(
        init=False, repr=False, eq=False, default=attrs.Factory(_parse_text, takes_self=True)
    )

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """The distinct placeholders, in the order of the text."""
        return tuple(dict.fromkeys(piece.placeholder for piece in self._pieces if piece.placeholder is not None))

    @property
    def literals(self) -> str:
        """What stands between the placeholders, with a NUL in place of each."""
        return "\0".join(piece.literal for piece in self._pieces)

    def check(self, fields: Mapping[str, str]) -> None:
        """Raise what `render` would raise."""
        for piece in self._pieces:
            if piece.placeholder is not None:
                self._value(fields, piece.placeholder)

    def render(self, fields: Mapping[str, str]) -> str:
        """Put the fields in.

        Raises:
            InvalidRequestError: a field without a default is missing or blank; it is named.
        """
        words: list[str] = []
        for piece in self._pieces:
            words.append(piece.literal)
            if piece.placeholder is not None:
                words.append(self._value(fields, piece.placeholder))
        return "".join(words)

    def _value(self, fields: Mapping[str, str], placeholder: Placeholder) -> str:
        value = fields.get(placeholder.name)
        if value is None:
            column = _column(fields, placeholder.name)
            value = None if column is None else fields[column]
        if value is not None and value.strip():
            return value
        if placeholder.default is not None:
            return placeholder.default
        if value is not None:
            raise InvalidRequestError(f"the template's field {placeholder.name!r} is blank.")
        if self.literal:
            return placeholder.source
        raise InvalidRequestError(
            f"the template needs a field {placeholder.name!r}, which the recipient does not have."
        )


class FieldCheck:
    """Refuses a list whose recipients lack a field of the template, before anything is sent to them.

    The first recipient must have every field that has no default. A field with a default may be missing there, but one
    that none of the first `LOOK_AHEAD` recipients has is a misspelt name: everybody would get the default.
    """

    LOOK_AHEAD = 100

    def __init__(self, template: Template) -> None:
        placeholders = () if template.literal else template.placeholders
        self._needed: set[str] = {placeholder.name for placeholder in placeholders if placeholder.default is None}
        self._hoped = {placeholder.name for placeholder in placeholders} - self._needed
        self._columns: dict[str, None] = {}
        self._looked = 0

    @property
    def is_open(self) -> bool:
        """Whether more recipients have to be looked at before anything may be sent."""
        return bool(self._hoped) and self._looked < self.LOOK_AHEAD

    def look(self, fields: Mapping[str, str]) -> None:
        """Look at the next recipient.

        Raises:
            InvalidRequestError: a field of the template is none of theirs.
        """
        if self._looked >= self.LOOK_AHEAD or not (self._needed or self._hoped):
            return
        self._looked += 1
        self._columns.update(dict.fromkeys(fields))
        self._refuse(name for name in self._needed if _column(fields, name) is None)
        self._needed.clear()
        self._hoped = {name for name in self._hoped if _column(fields, name) is None}
        if self._looked == self.LOOK_AHEAD:
            self.close()

    def close(self) -> None:
        """Note that there are no more recipients.

        Raises:
            InvalidRequestError: no recipient had a field of the template.
        """
        if self._looked:
            self._refuse(self._hoped)

    def _refuse(self, names: Iterable[str]) -> None:
        missing = sorted(names)
        if not missing:
            return
        columns = ", ".join(repr(redact(name)) for name in self._columns)
        has = f"the columns are {columns}" if columns else "the recipients have numbers only"
        suggestion = did_you_mean(missing[0], map(redact, self._columns))
        raise InvalidRequestError(
            f"the template names {', '.join(f'{{{name}}}' for name in missing)}, but {has}.{suggestion} Correct it, or send"
            " it as it is written: literal=True (--literal)."
        )


def _column(fields: Mapping[str, str], name: str) -> str | None:
    """Return the field that a placeholder means.

    Raises:
        InvalidRequestError: several look alike, and none is written in the same way.
    """
    if name in fields:
        return name
    wanted = _plain(name)
    alike = [column for column in fields if _plain(column) == wanted]
    if len(alike) > 1:
        raise InvalidRequestError(f"{{{name}}} may mean any of {', '.join(map(repr, alike))}; write it as one of them.")
    return alike[0] if alike else None


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    """Write a name as people read it: NFKC makes plain blanks of all others, and one letter of a letter and its accent."""
    return " ".join(unicodedata.normalize("NFKC", _INVISIBLE.sub("", name)).casefold().split())


def _parse(text: str) -> tuple[_Piece, ...]:
    pieces: list[_Piece] = []
    literal, end = "", 0
    for token in _TOKEN.finditer(text):
        literal += text[end : token.start()]
        end = token.end()
        if token.group() in {"{{", "}}"}:
            literal += token.group()[0]
        else:
            pieces.append(_Piece(literal, _placeholder(token)))
            literal = ""
    return (*pieces, _Piece(literal + text[end:], None))


def _placeholder(token: re.Match[str]) -> Placeholder:
    inner = token.group(1)
    position = token.start() + 1
    if inner is None:
        brace = token.group()
        raise InvalidRequestError(
            f"a single {brace!r} stands at character {position} of the template; write {brace * 2!r} for a brace, "
            "or {name} for a field."
        )
    name, separator, default = inner.partition("|")
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise InvalidRequestError(
            f"the placeholder {{{inner}}} at character {position} of the template is no field's name;"
            " write the name alone, as in {first_name}, or with a default, as in {first_name|friend}."
        )
    return Placeholder(name, default if separator else None, token.group())
