"""A body becomes a typed event, or one error that shows nothing of it."""

from __future__ import annotations

import contextlib
import json
import pickle
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

import pytest
from hypothesis import given, strategies as st

from callsavvy_async import webhooks
from callsavvy_async.simulator.webhooks import EVENTS, encode_event
from callsavvy_async.values import CallDirection, TicketStatus
from callsavvy_async.webhooks import (
    CallerInformation,
    CallSummary,
    ChatbotCallback,
    Event,
    EventTooLargeError,
    MalformedEventError,
    NewChat,
    NewTicket,
    TicketEscalated,
    UnknownEvent,
    parse,
)
from callsavvy_async.webhooks.events import EVENT_TYPES
from callsavvy_async.webhooks.parsing import MAX_BODY_BYTES, MAX_DEPTH, MAX_NAME_LENGTH, MAX_TEXT_LENGTH, MAX_VALUES

PERSONAL = ("+2348012345678", "ada@example.com", "Ada Obi", "My parcel", "recordings.example", "opening hours?")


def sample(name: str, **fields: str) -> Event:
    content_type, body = encode_event(name, fields)
    return parse(body, content_type=content_type)


def test_every_documented_field_is_read() -> None:
    """Each event has an attribute for each field that the document lists; nothing is left over."""
    assert sample("callerInformation") == CallerInformation(
        department_id="ZGVwdC0x", caller_number="+2348012345678", call_status="routing"
    )
    assert sample("callSummary") == CallSummary(
        direction=CallDirection.INCOMING,
        department_id="ZGVwdC0x",
        caller_number="+2348012345678",
        recording_url="https://recordings.example/2026/11/call-17.mp3",
        duration=timedelta(seconds=94),
        call_status="finished",
    )
    assert sample("newTicketOpened") == NewTicket(
        ticket_id="dGlja2V0LTE=",
        department_id="ZGVwdC0x",
        subject="My parcel has not come",
        sender_email="ada@example.com",
        status=TicketStatus.NEW,
    )
    assert sample("ticketEscalated") == TicketEscalated(
        ticket_id="dGlja2V0LTE=",
        department_id="ZGVwdC0x",
        last_reply_at=datetime(2026, 11, 22, 8, 15),  # noqa: DTZ001 - the API's times have no zone
        subject="My parcel has not come",
        sender_email="ada@example.com",
        status=TicketStatus.AWAITING_AGENT_REPLY,
    )
    assert sample("newChat") == NewChat(
        department_id="ZGVwdC0x",
        visitor_name="Ada Obi",
        visitor_email="ada@example.com",
        visitor_phone="+2348012345678",
    )
    assert sample("chatbotCallback") == ChatbotCallback(
        original_message="What are your opening hours? Är ni öppna & lediga?",
        sender_name="Ada Obi",
        bot_name="Opening hours",
        department="Sales",
        business_name="Example Ltd",
    )


@pytest.mark.parametrize("name", EVENTS)
def test_extra_fields_and_raw_are_kept(name: str) -> None:
    """What the document does not list is in `extra`, and `raw` is the body to the byte."""
    content_type, body = encode_event(name, {"later_field": "x"})
    event = parse(body, content_type=content_type)
    assert event.extra == {"later_field": "x"}
    assert event.raw == body
    assert event.name == name


@pytest.mark.parametrize("name", EVENTS)
def test_repr_shows_nobody(name: str) -> None:
    """No number, name, address or text of a person is in an event's repr."""
    shown = repr(sample(name, private_note="Ada Obi"))
    assert not [value for value in PERSONAL if value in shown]
    assert type(sample(name)).__name__ in shown


@pytest.mark.parametrize("name", EVENTS)
def test_missing_and_empty_fields_are_none(name: str) -> None:
    """An event of nothing but its name is read: absence is not specified (quirk Q15)."""
    blank = sample(name, **dict.fromkeys(EVENTS[name], ""))
    assert blank == parse(json.dumps({"event": name}).encode())
    assert isinstance(blank, type(sample(name)))


def test_unknown_event_is_no_error() -> None:
    """An event of a later document is an `UnknownEvent` with all its fields; names are matched to the letter (Q57)."""
    assert sample("newchat", phase="full") == UnknownEvent(name="newchat", extra={"phase": "full"})


def test_unreadable_values_are_kept_raw() -> None:
    """A value that makes no sense is None and stays in `extra`."""
    event = sample("callSummary", call_duration="long")
    assert isinstance(event, CallSummary)
    assert event.duration is None
    assert event.extra == {"call_duration": "long"}


@pytest.mark.parametrize("content_type", [None, "application/json", "application/x-www-form-urlencoded", "x/y"])
def test_first_byte_decides(content_type: str | None) -> None:
    """JSON is known by its first byte, blanks and a byte order mark before it aside; anything else is a form."""
    as_json = b'\xef\xbb\xbf \r\n\t{"event": "chatbotCallback", "bot_name": "b\xc3\xb6t"}'
    as_form = b"event=chatbotCallback&bot_name=b%C3%B6t"
    wanted = ChatbotCallback(bot_name="böt")
    assert parse(as_json, content_type=content_type) == parse(as_form, content_type=content_type) == wanted


def test_form_rules() -> None:
    """In a form ``+`` is a blank, a blank value stays, a repeated field's last value holds (quirk Q53)."""
    event = parse(b"event=chatbotCallback&bot_name=a+b%2Bc&department=&x=1&x=2&blank=")
    assert event == ChatbotCallback(bot_name="a b+c", extra={"x": "2", "blank": ""})


def test_latin_charset_is_believed() -> None:
    """A charset of the Latin family is taken from the content type, any other is read as UTF-8."""
    body = b"event=chatbotCallback&bot_name=b%F6t"
    assert parse(body, content_type="application/x-www-form-urlencoded; charset=ISO-8859-1") == ChatbotCallback(
        bot_name="böt"
    )
    assert parse(body, content_type="text/plain; charset=utf-7") == ChatbotCallback(bot_name="b\ufffdt")


def test_zone_is_attached() -> None:
    """Naive times get the zone that the user gives (quirk Q16)."""
    lagos = timezone(timedelta(hours=1))
    event = parse(encode_event("ticketEscalated")[1], timezone=lagos)
    assert isinstance(event, TicketEscalated)
    assert event.last_reply_at == datetime(2026, 11, 22, 8, 15, tzinfo=lagos)


def nested(depth: int) -> bytes:
    return b'{"event": "newChat", "x": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def with_text(length: int) -> bytes:
    return urlencode({"event": "newChat", "x": "y" * length}).encode()


def with_name(length: int) -> bytes:
    return urlencode({"event": "newChat", "x" * length: "y"}).encode()


def with_values(count: int) -> bytes:
    return json.dumps({"event": "newChat", "x": [1] * (count - 2)}).encode()


def form_of(count: int) -> bytes:
    return b"event=newChat" + b"&x=y" * (count - 1)


def of_bytes(count: int) -> bytes:
    return b'{"event": "newChat"}'.ljust(count)


@pytest.mark.parametrize(
    ("build", "most"),
    [
        (nested, MAX_DEPTH),
        (with_text, MAX_TEXT_LENGTH),
        (with_name, MAX_NAME_LENGTH),
        (with_values, MAX_VALUES),
        (form_of, MAX_VALUES),
        (of_bytes, MAX_BODY_BYTES),
    ],
)
def test_caps(build: object, most: int) -> None:
    """The most of each kind is read, and one more is refused."""
    assert callable(build)
    assert isinstance(parse(build(most)), NewChat)
    with pytest.raises(MalformedEventError):
        parse(build(most + 1))


def test_too_large_is_told_apart() -> None:
    """The one cap that has its own HTTP status has its own error."""
    with pytest.raises(EventTooLargeError):
        parse(of_bytes(MAX_BODY_BYTES + 1))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b"[]",
        b'[{"event": "newChat"}]',
        b'{"event": 7}',
        b'{"event": ""}',
        b'{"event": null, "visitor_email": "ada@example.com"}',
        b'{"event": "newChat", "visitor_email": "ada@example.com",}',
        b"[" * 200_000,
        b'{"event": "newChat", "x": ' + b"9" * 10_000 + b"}",
        b"ada@example.com",
        b"visitor_email=ada@example.com",
        b'"newChat"',
    ],
)
def test_malformed_bodies_are_refused_without_a_word_of_theirs(body: bytes) -> None:
    """What is no event raises one type of error, whose text and copies hold nothing of the body."""
    with pytest.raises(MalformedEventError) as caught:
        parse(body)
    assert "ada" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - our own


@given(st.binary(max_size=400))
def test_any_bytes_are_an_event_or_refused(body: bytes) -> None:
    """No bytes whatever raise anything else."""
    with contextlib.suppress(MalformedEventError):
        assert parse(body).raw == body


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(st.sampled_from(sorted(EVENTS)), st.data())
def test_any_values_in_known_fields_are_survived(name: str, data: st.DataObject) -> None:
    """Whatever the fields hold, the event has its type, and no value is lost: it is read or it is in `extra`."""
    fields = {field: data.draw(JSON_VALUES) for field in EVENTS[name]}
    try:
        event = parse(json.dumps({"event": name, **fields}).encode())
    except MalformedEventError:
        return
    assert isinstance(event, type(sample(name)))
    repr(event)


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=40), max_size=10))
def test_form_and_json_agree(fields: dict[str, str]) -> None:
    """The same fields read from a form and from JSON make equal events."""
    values = {**fields, "event": "chatbotCallback"}
    assert parse(urlencode(values).encode()) == parse(json.dumps(values).encode())


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"+2348012345678", "+2348012345678"),
        (b"%2B2348012345678", "+2348012345678"),
        (b"+234+801", " 234 801"),
        (b"a+2348012345678", "a 2348012345678"),
        (b"+12345", " 12345"),
    ],
)
def test_a_number_keeps_its_sign_in_a_form(written: bytes, read: str) -> None:
    """A plus means a blank in a form, but a sender that forgot to encode a number's sign is understood."""
    event = parse(b"event=newChat&visitor_phone=" + written + b"&visitor_name=Ada")
    assert isinstance(event, NewChat)
    assert event.visitor_phone == read


def test_nothing_is_half_done() -> None:
    """The simulator's events, the types, and the public names are the same: an event is in all three or in none."""
    assert set(EVENT_TYPES) == set(EVENTS)
    assert {event_type.__name__ for event_type in EVENT_TYPES.values()} <= set(webhooks.__all__)
