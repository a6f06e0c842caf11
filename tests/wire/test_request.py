"""Building requests: one POST of a JSON object, whatever the call."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.resources.account import GET_SUMMARY
from callsavvy_async.values import TicketStatus
from callsavvy_async.wire.request import HttpRequest, build_request
from callsavvy_async.wire.request_template import RequestTemplate


def build(params: dict[str, str | None] | None = None, extra: dict[str, object] | None = None) -> HttpRequest:
    return build_request(
        GET_SUMMARY,
        params or {},
        extra or {},
        template=RequestTemplate.of("https://api.example/v1/getSummary", (("public-key", "secret"),)),
    )


def test_a_call_without_parameters() -> None:
    """Endpoints without parameters are sent an empty object (quirk Q03)."""
    request = build()
    assert request.template.url == "https://api.example/v1/getSummary"
    assert request.body == b"{}"


def test_parameters() -> None:
    """None leaves a parameter out; "" is sent (quirk Q29); extras go with them, as they are."""
    body = json.loads(build({"a": "1", "b": None, "c": ""}, {"d": 2, "e": None}).body)
    assert body == {"a": "1", "c": "", "d": 2, "e": None}


@pytest.mark.parametrize("value", ["1", None])
def test_extras_do_not_override(value: str | None) -> None:
    """An extra that is a documented parameter is refused, also when that parameter is not given."""
    with pytest.raises(InvalidRequestError, match=r"extra\['a'\]"):
        build({"a": value}, {"a": "2"})


@pytest.mark.parametrize(
    ("extra", "why"),
    [(object(), "not JSON serializable"), (float("nan"), "JSON"), ("\ud800", "lone surrogate")],
)
def test_what_cannot_be_written(extra: object, why: str) -> None:
    """What is not JSON is refused before anything is sent."""
    with pytest.raises(InvalidRequestError, match=why):
        build({}, {"x": extra})


@pytest.mark.parametrize("value", [5, 5.0, True, b"5", ["5"], {}], ids=repr)
def test_parameters_are_text(value: Any) -> None:
    """A number where the document wants text is refused by its name (quirk Q13); its value is not shown."""
    with pytest.raises(InvalidRequestError, match=rf"getSummary: a is of the type {type(value).__name__}"):
        build({"a": value})


def test_a_request_hides_what_it_carries() -> None:
    """Neither keys nor texts are in the repr."""
    shown = repr(build({"message": "secret"}))
    assert "secret" not in shown
    assert "getSummary" in shown


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_every_text_survives(params: dict[str, str]) -> None:
    """Any Unicode text arrives as it was, in UTF-8."""
    assert json.loads(build(dict(params)).body.decode()) == params


def test_a_text_of_another_class_is_sent_as_the_text() -> None:
    """An enumeration of texts is one, for every JSON library."""
    assert build({"status": TicketStatus.NEW}).body == b'{"status":"New"}'
