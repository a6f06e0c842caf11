"""Templates put fields into texts and nothing else."""

from __future__ import annotations

import pickle
import unicodedata

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages.templates import FieldCheck, Template

LITERALS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
NAMES = st.from_regex(r"[A-Za-z_](?:[\w -]{0,6}\w)?", fullmatch=True)
VALUES = st.text(min_size=1, max_size=10).filter(str.strip)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("Hi {name}, {name}!", "Hi Ada, Ada!"),
        ("{name}{First Name}", "AdaGrace"),
        ("{{{name}}}", "{Ada}"),
        ("{{name}} for {name}", "{name} for Ada"),
        ("no field", "no field"),
        ("{größe}", "12"),
        ("{ name }", "Ada"),
        ("{name|friend}, {blank|friend}, {missing|friend}, {missing|}.", "Ada, friend, friend, ."),
        ("{missing|a: b!}", "a: b!"),
    ],
)
def test_placeholders_are_replaced(text: str, rendered: str) -> None:
    """Names in braces are fields, doubled braces are braces, and a default stands for a value that is missing or blank."""
    fields = {"name": "Ada", "First Name": "Grace", "größe": "12", "blank": " "}
    assert Template(text).render(fields) == rendered


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("First\u00a0Name", "First Name"),
        (unicodedata.normalize("NFD", "Prénom"), "Prénom"),
        ("NAME", "name"),
        ("Name (full)", "Name (full)"),
        ("First.Name", "First.Name"),
        ("1st name", "1st name"),
        ("\ufeffname", "name"),
        (" name ", "name"),
    ],
)
def test_columns_are_found_as_people_read_them(column: str, name: str) -> None:
    """Blanks, accents, case and invisible marks of a header are those of a spreadsheet, not what anybody meant."""
    assert Template(f"Hi {{{name}}}").render({column: "Ada"}) == "Hi Ada"


def test_a_name_that_may_mean_two_columns_is_refused() -> None:
    """The column that is written in the same way is meant; of several that only look alike, none."""
    assert Template("{name}").render({"NAME": "Grace", "name": "Ada"}) == "Ada"
    with pytest.raises(InvalidRequestError, match="any of 'NAME', 'Name'"):
        Template("{name}").render({"NAME": "Grace", "Name": "Ada"})


def test_placeholders_are_distinct_and_in_order() -> None:
    """A template tells which fields it needs, and which it could do without."""
    needed = [(field.name, field.default) for field in Template("{b} {a|x} {b} {{c}}").placeholders]
    assert needed == [("b", None), ("a", "x")]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "blank"),
        (" \n", "blank"),
        ("Hi {", "character 4 of the template is a single '{'"),
        ("Hi }", "character 4 of the template is a single '}'"),
        ("{a{b}", "character 1 of the template is a single '{'"),
        ("Hi {}", r"placeholder \{\} at character 4"),
        ("Hi {name!r}", r"placeholder \{name!r\} at character 4"),
        ("Hi {name:>9}", r"\{name:>9\}"),
        ("Hi {name[0]}", r"\{name\[0\]\}"),
        ("Hi {|friend}", r"\{\|friend\}"),
    ],
)
def test_bad_placeholders_are_refused(text: str, error: str) -> None:
    """Format specifications, indexes, lone braces and names that are none are refused with their position."""
    with pytest.raises(InvalidRequestError, match=error):
        Template(text)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "needs the field 'name'"),
        ({"other": "Ada"}, "needs the field 'name'"),
        ({"name": " "}, "field 'name' is blank"),
    ],
)
def test_missing_or_blank_field_is_an_error(fields: dict[str, str], error: str) -> None:
    """Nobody gets "Hi ,": the error names the field."""
    template = Template("Hi {name}")
    for use in (template.render, template.check):
        with pytest.raises(InvalidRequestError, match=error):
            use(fields)


def test_a_literal_template_leaves_what_nobody_has() -> None:
    """Where placeholders may be literal, one that is no field stays as it is written; a blank field is still an error."""
    template = Template("Hi {name}, { code|4711}{sic}", literal=True)
    assert template.render({"name": "Ada"}) == "Hi Ada, 4711{sic}"
    with pytest.raises(InvalidRequestError, match="blank"):
        template.render({"name": " "})


def test_template_is_a_value_without_its_text() -> None:
    """Templates compare, hash and pickle; the text is not in the repr."""
    template = Template("Hi {name}")
    assert pickle.loads(pickle.dumps(template)) == template  # noqa: S301 - our own bytes
    assert hash(template) == hash(Template("Hi {name}"))
    assert repr(template) == "Template(text=***)"


@given(st.lists(st.tuples(LITERALS, NAMES, VALUES), min_size=1, max_size=6), LITERALS)
def test_rendering_is_writing_the_pieces(pieces: list[tuple[str, str, str]], last: str) -> None:
    """Any literal text, braces doubled, comes out as it was; any value stands where its name stood, unread."""
    values = {name: value for _, name, value in pieces}

    def escape(text: str) -> str:
        return text.replace("{", "{{").replace("}", "}}")

    text = "".join(f"{escape(literal)}{{{name}}}" for literal, name, _ in pieces) + escape(last)
    expected = "".join(f"{literal}{values[name]}" for literal, name, _ in pieces) + last
    template = Template(text)
    assert {field.name for field in template.placeholders} == values.keys()
    assert template.render(values) == expected


@given(st.text(alphabet="{}a| .!:[]0"))
def test_any_text_is_a_template_or_an_error(text: str) -> None:
    """No text makes another error than InvalidRequestError."""
    try:
        template = Template(text)
    except InvalidRequestError:
        return
    template.render({field.name: "x" for field in template.placeholders})


# --------------------------------------------------------------------------------------------- fields that nobody has


def looked(text: str, *rows: dict[str, str], literal: bool = False) -> FieldCheck:
    check = FieldCheck(Template(text, literal))
    for row in rows:
        check.look(row)
    return check


def test_the_first_recipient_has_every_field_without_a_default() -> None:
    """A misspelt field is refused at the first recipient, with the columns and the likely one."""
    with pytest.raises(
        InvalidRequestError, match=r"\{frist_name\}, but the columns are 'first_name'.*mean 'first_name'"
    ):
        looked("Hi {frist_name}", {"first_name": "Ada"})
    assert not looked("Hi {first_name}", {"first_name": ""}, {}).is_open


def test_a_default_may_be_missing_but_not_for_everybody() -> None:
    """A field with a default that some have is fine; one that nobody has would make everybody a friend."""
    check = looked("Hi {name|friend}", {}, {})
    assert check.is_open
    check.look({"name": "Ada"})
    assert not check.is_open
    check.close()
    with pytest.raises(InvalidRequestError, match="the recipients have numbers only"):
        looked("Hi {name|friend}", {}, {}).close()
    with pytest.raises(InvalidRequestError, match=r"\{nam\}"):
        looked("Hi {nam|friend}", *[{"name": "Ada"}] * FieldCheck.LOOK_AHEAD)
    looked("Hi {nam|friend}").close()


def test_literal_templates_need_no_field() -> None:
    """Whoever wants placeholders as they are written may name what nobody has."""
    looked("Hi {name} {x|y}", {}, literal=True).close()


def test_columns_are_masked_in_the_error() -> None:
    """A file without a header has a person's number for the name of a column."""
    with pytest.raises(InvalidRequestError) as caught:
        looked("{+2348012345678a}", {"+2348012345678": "Ada"})
    assert "+2348012345678'" not in str(caught.value)
