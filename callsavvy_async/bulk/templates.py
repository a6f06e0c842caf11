"""Mail merge: a text with ``{placeholders}`` for the fields of each recipient."""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.redaction import mask_text
from callsavvy_async.resources.text import require_text

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"[^\W\d](?:[\w -]*\w)?")


@attrs.frozen
class _Piece:
    """Literal text, and the name of the field that follows it; None at the end."""

    literal: str
    name: str | None


def _parse_text(template: Template) -> tuple[_Piece, ...]:
    return _parse(require_text(template.text, "template"))


@attrs.frozen
class Template:
    """A text with ``{field}`` placeholders; ``{{`` and ``}}`` stand for braces.

    Names are case-sensitive and plain: no format specifications, attributes, indexes or conversions, since a template
    is often written by somebody else than the program.

    Raises:
        InvalidRequestError: the text is blank, or a placeholder or brace is wrong; its position is named.
    """

    text: str = attrs.field(repr=mask_text)
    _pieces: tuple[_Piece, ...] = attrs.field(
        init=False, repr=False, eq=False, default=attrs.Factory(_parse_text, takes_self=True)
    )

    @property
    def names(self) -> frozenset[str]:
        """The fields that it needs."""
        return frozenset(piece.name for piece in self._pieces if piece.name is not None)

    def check(self, fields: Mapping[str, str]) -> None:
        """Raise what `render` would raise."""
        for name in self.names:
            _value(fields, name)

    def render(self, fields: Mapping[str, str]) -> str:
        """Put the fields in.

        Raises:
            InvalidRequestError: a field is missing or blank; it is named.
        """
        words: list[str] = []
        for piece in self._pieces:
            words.append(piece.literal)
            if piece.name is not None:
                words.append(_value(fields, piece.name))
        return "".join(words)


def _value(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name)
    if value is None:
        raise InvalidRequestError(f"the template needs a field {name!r}, which the recipient does not have.")
    if not value.strip():
        raise InvalidRequestError(f"the template's field {name!r} is blank.")
    return value


def _parse(text: str) -> tuple[_Piece, ...]:
    pieces: list[_Piece] = []
    literal, end = "", 0
    for token in _TOKEN.finditer(text):
        literal += text[end : token.start()]
        end = token.end()
        if token.group() in {"{{", "}}"}:
            literal += token.group()[0]
        else:
            pieces.append(_Piece(literal, _name(token)))
            literal = ""
    return (*pieces, _Piece(literal + text[end:], None))


def _name(token: re.Match[str]) -> str:
    name = token.group(1)
    position = token.start() + 1
    if name is None:
        brace = token.group()
        raise InvalidRequestError(
            f"a single {brace!r} stands at character {position} of the template; write {brace * 2!r} for a brace, "
            "or {name} for a field."
        )
    if not _NAME.fullmatch(name):
        raise InvalidRequestError(
            f"the placeholder {{{name}}} at character {position} of the template is no field's name; "
            "letters, digits, _, - and inner blanks make one, and nothing else may stand in it, as in {first_name}."
        )
    return name
