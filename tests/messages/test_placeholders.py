"""What tools write in place of a name does not leave as text; what people write in a sentence does."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.messages.placeholders import find_placeholder

PLACEHOLDERS = """
{first_name}  {{first_name}}  {{ first_name }}  {{{name}}}  ${first_name}  #{name}  {#var#}  {sic}  {First Name}
{1st name}  {First.Name}  { name }  {name|friend}  {}  {0}  {{#if name}}  {% if name %}  %first_name%  %FNAME%
%%FirstName%%  *|FNAME|*  [[first_name]]  <<name>>  <%= name %>  %s  %d  %(name)s  [Name]  [First Name]  [first_name]
[firstName]  <first_name>  <Name>  «First_Name»  :first_name  $first_name  $name  :name  https://x.io/?u={id}
"""

SENTENCES = """
50% off
100% sure, 20% more, 5%-10%
20 %discount
Tom & Jerry <3
a < b > c and 5 < name > 3
[urgent] meeting [1]
https://x.io/?q=caf%C3%A9s%20b&u=%E2%82%AC%99
https://x.io/%E2%80%99/path:some_thing/x_y
at 10:30, Price: $100, $5 name
#hashtag @user_name *123# *bold* a|b|c *|*
WiFi: guest_network
} or { and {a, b} and {"code": 4711} and {code: 4711}
key:value_x ::first_line
<support_team@x.io>
«bonjour»
"""


@pytest.mark.parametrize("placeholder", PLACEHOLDERS.strip().replace("\n", "  ").split("  "))
def test_placeholders_are_found(placeholder: str) -> None:
    """Each is found by itself and in a sentence."""
    assert find_placeholder(placeholder)
    assert find_placeholder(f"Hi {placeholder}, we open at nine.")


@pytest.mark.parametrize("sentence", SENTENCES.strip().splitlines())
def test_sentences_pass(sentence: str) -> None:
    """Marks that prose uses are no placeholders."""
    assert find_placeholder(sentence) is None


@given(st.from_regex(r"[^\W\d_][\w .-]{0,20}", fullmatch=True), st.text(max_size=20), st.text(max_size=20))
def test_a_name_in_braces_is_always_found(name: str, before: str, after: str) -> None:
    """Whatever stands around it."""
    assert find_placeholder(f"{before}{{{name}}}{after}")


@pytest.mark.parametrize("piece", ["{", "{{", "<<a", "*|", "[ ", "{a ", "%a", "_a", "{{a"])
def test_long_texts_are_searched_quickly(piece: str) -> None:
    """No text takes time that grows with more than its square, or a message of a stranger would stop the program."""
    assert find_placeholder(piece * 3_000) is None
