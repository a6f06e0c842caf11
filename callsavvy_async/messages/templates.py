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
    """A placeholder for a field.

    Attributes:
        name: name of the field.
        default: replacement for a missing or blank value; None if the value is required.
        source: the placeholder as written.
    """

    name: str
    default: str | None
    source: str


@attrs.frozen
class _Piece:
    """A literal text and the placeholder after it; None at the end."""

    literal: str
    placeholder: Placeholder | None


def _parse_text(template: Template) -> tuple[_Piece, ...]:
    return _parse(require_text(template.text, "template"))


@attrs.frozen
class Template:
    """A text with ``{field}`` placeholders; ``{{`` and ``}}`` stand for braces.

    ``{field|default}`` uses the default if a recipient's field is missing or blank. Comparing names ignores case, blanks and
    invisible marks. Format specifications, indexes and conversions are not supported, because the author of a template may
    not be trusted.

    Attributes:
        text: the template as written.
        literal: whether to keep placeholders unchanged if the recipient lacks the field.

    Raises:
        InvalidRequestError: the text is blank, or a placeholder or brace is wrong. The error names its position.
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
        """The text with a NUL in place of each placeholder."""
        return "\0".join(piece.literal for piece in self._pieces)

    def check(self, fields: Mapping[str, str]) -> None:
        """Raise the error that `render` would raise."""
        for piece in self._pieces:
            if piece.placeholder is not None:
                self._value(fields, piece.placeholder)

    def render(self, fields: Mapping[str, str]) -> str:
        """Fill in the fields.

        Raises:
            InvalidRequestError: a field without a default is missing or blank.
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
            f"the template needs the field {placeholder.name!r}, which the recipient does not have."
        )


class FieldCheck:
    """Refuses a list whose recipients lack a field of the template, before anything is sent.

    The first recipient must have every field without a default. A field with a default that is missing in all of the first
    `LOOK_AHEAD` recipients is a misspelt name; every recipient would get the default.
    """

    LOOK_AHEAD = 100

    def __init__(self, template: Template) -> None:
        placeholders = () if template.literal else template.placeholders
        self._needed: set[str] = {placeholder.name for placeholder in placeholders if placeholder.default is None}
        self._optional = {placeholder.name for placeholder in placeholders} - self._needed
        self._columns: dict[str, None] = {}
        self._looked = 0

    @property
    def is_open(self) -> bool:
        """Whether more recipients are needed before the first request."""
        return bool(self._optional) and self._looked < self.LOOK_AHEAD

    def look(self, fields: Mapping[str, str]) -> None:
        """Check the next recipient.

        Raises:
            InvalidRequestError: the recipients lack a field of the template.
        """
        if self._looked >= self.LOOK_AHEAD or not (self._needed or self._optional):
            return
        self._looked += 1
        self._columns.update(dict.fromkeys(fields))
        self._refuse(name for name in self._needed if _column(fields, name) is None)
        self._needed.clear()
        self._optional = {name for name in self._optional if _column(fields, name) is None}
        if self._looked == self.LOOK_AHEAD:
            self.close()

    def close(self) -> None:
        """Finish the input.

        Raises:
            InvalidRequestError: all recipients lack a field of the template.
        """
        if self._looked:
            self._refuse(self._optional)

    def _refuse(self, names: Iterable[str]) -> None:
        missing = sorted(names)
        if not missing:
            return
        columns = ", ".join(repr(redact(name)) for name in self._columns)
        has = f"the columns are {columns}" if columns else "the recipients have numbers only"
        suggestion = did_you_mean(missing[0], map(redact, self._columns))
        raise InvalidRequestError(
            f"the template names {', '.join(f'{{{name}}}' for name in missing)}, but {has}.{suggestion} Correct the name, or"
            " send the template unchanged: literal=True (--literal)."
        )


def _column(fields: Mapping[str, str], name: str) -> str | None:
    """Return the field of a placeholder, or None.

    Raises:
        InvalidRequestError: several fields have similar names, and none has exactly this name.
    """
    if name in fields:
        return name
    wanted = _plain(name)
    alike = [column for column in fields if _plain(column) == wanted]
    if len(alike) > 1:
        raise InvalidRequestError(
            f"{{{name}}} may mean any of {', '.join(map(repr, alike))}; write one of these names."
        )
    return alike[0] if alike else None


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    """Return a name without case, invisible marks and extra blanks. NFKC unifies blanks and accented letters."""
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
            f"character {position} of the template is a single {brace!r}; write {brace * 2!r} for a brace, "
            "or {name} for a field."
        )
    name, separator, default = inner.partition("|")
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise InvalidRequestError(
            f"the placeholder {{{inner}}} at character {position} of the template is not the name of a field;"
            " write a name, as in {first_name}, or a name and a default, as in {first_name|friend}."
        )
    return Placeholder(name, default if separator else None, token.group())
