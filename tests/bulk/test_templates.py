"""Templates put fields into texts and nothing else."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.bulk.templates import Template
from callsavvy_async.errors import InvalidRequestError

NAMES = st.from_regex(r"[A-Za-z_](?:[\w -]{0,6}\w)?", fullmatch=True)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
VALUES = TEXTS.filter(str.strip)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("Hi {name}, {name}!", "Hi Ada, Ada!"),
        ("{name}{First Name}", "AdaGrace"),
        ("{{{name}}}", "{Ada}"),
        ("{{name}} for {name}", "{name} for Ada"),
        ("no field", "no field"),
        ("{größe}", "12"),
    ],
)
def test_placeholders_are_replaced(text: str, rendered: str) -> None:
    """Names in braces are fields, doubled braces are braces."""
    assert Template(text).render({"name": "Ada", "First Name": "Grace", "größe": "12"}) == rendered


def test_names_are_the_needed_fields() -> None:
    """A template tells which fields it needs."""
    assert Template("{a} {b} {a} {{c}}").names == frozenset({"a", "b"})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "blank"),
        (" \n", "blank"),
        ("Hi {", "single '{' stands at character 4"),
        ("Hi }", "single '}' stands at character 4"),
        ("{a{b}", "single '{' stands at character 1"),
        ("Hi {}", r"placeholder \{\} at character 4"),
        ("Hi {name!r}", r"placeholder \{name!r\} at character 4"),
        ("Hi {name:>9}", r"\{name:>9\}"),
        ("Hi {name.first}", r"\{name.first\}"),
        ("Hi {name[0]}", r"\{name\[0\]\}"),
        ("Hi { name}", r"\{ name\}"),
        ("Hi {0}", r"\{0\}"),
    ],
)
def test_bad_placeholders_are_refused(text: str, error: str) -> None:
    """Format specifications, attributes, indexes and lone braces are refused with their position."""
    with pytest.raises(InvalidRequestError, match=error):
        Template(text)


@pytest.mark.parametrize(
    ("fields", "error"),
    [({}, "needs a field 'name'"), ({"Name": "Ada"}, "needs a field 'name'"), ({"name": " "}, "field 'name' is blank")],
)
def test_missing_or_blank_field_is_an_error(fields: dict[str, str], error: str) -> None:
    """Nobody gets "Hi ,": the error names the field. Names are case-sensitive."""
    with pytest.raises(InvalidRequestError, match=error):
        Template("Hi {name}").render(fields)


def test_template_is_a_value_without_its_text() -> None:
    """Templates compare, hash and pickle; the text is not in the repr."""
    template = Template("Hi {name}")
    assert pickle.loads(pickle.dumps(template)) == template  # noqa: S301 - our own bytes
    assert hash(template) == hash(Template("Hi {name}"))
    assert repr(template) == "Template(text=***)"


@given(st.lists(st.tuples(TEXTS, NAMES, VALUES), min_size=1, max_size=6), TEXTS)
def test_rendering_is_writing_the_pieces(pieces: list[tuple[str, str, str]], last: str) -> None:
    """Any literal text, braces doubled, comes out as it was; any value stands where its name stood, unread."""
    values = {name: value for _, name, value in pieces}

    def escape(text: str) -> str:
        return text.replace("{", "{{").replace("}", "}}")

    text = "".join(f"{escape(literal)}{{{name}}}" for literal, name, _ in pieces) + escape(last)
    expected = "".join(f"{literal}{values[name]}" for literal, name, _ in pieces) + last
    template = Template(text)
    assert template.names == values.keys()
    assert template.render(values) == expected


@given(st.text(alphabet="{}a .!:[]0"))
def test_any_text_is_a_template_or_an_error(text: str) -> None:
    """No text makes another error than InvalidRequestError."""
    try:
        template = Template(text)
    except InvalidRequestError:
        return
    template.render(dict.fromkeys(template.names, "x"))
