"""Reading answers leniently: what makes no sense is None and kept raw, and a receipt never fails."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given, strategies as st

from callsavvy_async.models import (
    Agent,
    Call,
    Contact,
    ConversationItem,
    CreatedContact,
    CreatedMeeting,
    CreatedReply,
    CreatedTicket,
    DeletedContact,
    Department,
    MeetingDetails,
    SendReceipt,
    Summary,
    Ticket,
)
from callsavvy_async.values import CallDirection, SendStatus, TicketStatus
from callsavvy_async.wire.codec import Codec
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.field_parsers import UnreadableDataError
from callsavvy_async.wire.model import Model, Receipt
from callsavvy_async.wire.response import Envelope, read_envelope

RECEIPTS = [SendReceipt, CreatedTicket, CreatedReply, CreatedMeeting, CreatedContact, DeletedContact]
ROWS = [Summary, Department, Agent, Ticket, ConversationItem, Call, Contact, MeetingDetails]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def read(model: type[Any], data: object, *, many: bool = False, zone: ZoneInfo | None = None) -> Any:
    endpoint = Endpoint("x", tuple[model, ...] if many else model, Effect.READ)
    return Codec(zone).decode(endpoint, Envelope(None, None, data), b"raw")


def fields_of(model: type[Any]) -> list[str]:
    """Our names of a model's fields and the wire's, so that random data hits them."""
    own = [field.name for field in attrs.fields(model)]
    return [*own, "datetime", "ticket_status", "chat_status", "last_reply", "caller", "messanger_id"]


@given(data=st.data())
def test_a_receipt_is_always_read(data: st.DataObject) -> None:
    """Whatever JSON comes, what was done is told as a receipt with the raw answer: the money is spent."""
    model = data.draw(st.sampled_from(RECEIPTS))
    effect = data.draw(st.sampled_from(Effect))
    value = data.draw(JSON | st.dictionaries(st.sampled_from(fields_of(model)), JSON))
    receipt = Codec().decode(Endpoint("x", model, effect), Envelope(None, None, value), b"raw")
    assert isinstance(receipt, model)
    assert receipt.raw == b"raw"


@given(data=st.data())
def test_a_row_is_read_or_refused_as_unreadable(data: st.DataObject) -> None:
    """No other error than UnreadableDataError comes of a read, and no value that was sent is lost."""
    model = data.draw(st.sampled_from(ROWS))
    sent = data.draw(st.dictionaries(st.sampled_from(fields_of(model)), JSON))
    row = read(model, sent)
    repr(row)
    hash(row)
    known = {value for value in row.extra if value in sent}
    assert row.extra == {name: sent[name] for name in known}
    try:
        rows = read(model, data.draw(JSON), many=True)
    except UnreadableDataError:
        return
    assert all(isinstance(row, model) for row in rows)


@given(st.sampled_from(["department_agents", "sms_balance", "account_status"]), JSON)
def test_what_cannot_be_read_is_kept(name: str, value: object) -> None:
    """A documented field is either read, or empty, or kept raw under its wire name."""
    model = Department if name == "department_agents" else Summary
    row = read(model, {name: value})
    empty = value in (None, [], {}) or (isinstance(value, str) and not value.strip())
    assert (getattr(row, name) is not None) + (name in row.extra) + empty == 1


EMPTY = [None, "", "  ", [], {}]


@pytest.mark.parametrize("nothing", EMPTY, ids=repr)
def test_five_ways_to_say_nothing(nothing: object) -> None:
    """Missing, null, blank text, [] and {} are all the same, for a field, an answer and a list (quirk Q15)."""
    assert read(Summary, {"sms_balance": nothing, "account_status": nothing}) == Summary()
    assert read(Summary, nothing) == Summary()
    assert read(Ticket, nothing, many=True) == ()
    assert read(Ticket, [nothing, {"ticket_id": "1"}], many=True) == (Ticket(ticket_id="1"),)
    assert read(ConversationItem, {"files": nothing, "conversation_id": nothing}) == ConversationItem()


@pytest.mark.parametrize(
    "data", [{"0": {"ticket_id": "1"}, "2": {"ticket_id": "2"}}, [{"ticket_id": "1"}, {"ticket_id": "2"}]]
)
def test_php_lists(data: object) -> None:
    """A list with gaps comes as an object with numbers for names (quirk Q15)."""
    assert [ticket.ticket_id for ticket in read(Ticket, data, many=True)] == ["1", "2"]


@pytest.mark.parametrize("data", ["text", 7, True, {"a": 1}, [1], ["x"], [["x"]]], ids=repr)
def test_lists_that_are_none(data: object) -> None:
    """A list of a wrong shape is refused, naming what came."""
    with pytest.raises(UnreadableDataError, match=r"the response holds (text|an? \w+)"):
        read(Ticket, data, many=True)


@pytest.mark.parametrize("data", ["text", 7, [{}, {}], [1, 2]], ids=repr)
def test_objects_that_are_none(data: object) -> None:
    """An object of a wrong shape is refused; a list of one object is that object."""
    with pytest.raises(UnreadableDataError):
        read(Summary, data)
    assert read(Summary, [{"account_status": "Active"}]).account_status == "Active"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [("4", 4), (4, 4), (4.5, "4.5"), (" 4.50 ", "4.50"), ("-1", -1), ("1e3", 1000), ("0", 0), (0, 0)],
)
def test_numbers(sent: object, expected: object) -> None:
    """Numbers come as text or as numbers (quirk Q13)."""
    assert read(SendReceipt, {"cost": sent}).cost == Decimal(expected)


@pytest.mark.parametrize("sent", ["Unlimited", "NaN", "Infinity", "4 units", True, [4], {"a": 1}], ids=repr)
def test_numbers_that_are_none(sent: object) -> None:
    """An unreadable balance spoils nothing else and stays readable as it came (quirk Q13)."""
    summary = read(Summary, {"sms_balance": sent, "account_status": "Active"})
    assert summary.sms_balance is None
    assert summary.extra == {"sms_balance": sent}
    assert summary.account_status == "Active"


@pytest.mark.parametrize(("sent", "expected"), [("3", 3), (3.0, 3), ("3.5", None), ("1e30", None), ("-2", -2)])
def test_counts(sent: object, expected: int | None) -> None:
    """A count is whole and of a size that can be."""
    assert read(Department, {"department_agents": sent}).department_agents == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("true", True),
        ("True", True),
        ("1", True),
        (1, True),
        (True, True),
        ("yes", True),
        ("false", False),
        ("FALSE ", False),
        ("0", False),
        (0, False),
        (False, False),
        ("no", False),
        ("", None),
        (None, None),
        ("maybe", None),
        ([], None),
    ],
)
def test_truth(sent: object, expected: bool | None) -> None:
    """The text "false" is False (quirk Q24)."""
    assert read(ConversationItem, {"from_agent": sent}).from_agent is expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("", ()),
        ("https://a/1.png", ("https://a/1.png",)),
        ("https://a/1,2.png, https://b/3.pdf", ("https://a/1,2.png", "https://b/3.pdf")),
        (" https://a/1 ,ftp://b/2, ", ("https://a/1", "ftp://b/2")),
        (["https://a/1", "", " https://b/2 "], ("https://a/1", "https://b/2")),
        ({"0": "https://a/1", "3": "https://b/2"}, ("https://a/1", "https://b/2")),
        (7, ()),
        ([{}, {"a": "b"}], ()),
    ],
    ids=repr,
)
def test_files(sent: object, expected: tuple[str, ...]) -> None:
    """Files are cut at commas before a scheme; a real list is taken too (quirk Q25)."""
    assert read(ConversationItem, {"files": sent}).files == expected


@pytest.mark.parametrize("zone", [None, ZoneInfo("Africa/Lagos")])
def test_times(zone: ZoneInfo | None) -> None:
    """Times are naive unless the account's zone is known; one that names its zone keeps it (quirk Q16)."""
    ticket = read(Ticket, {"datetime": "2026-11-22 08:15:00", "last_reply": "2026-11-22T08:15:00+02:00"}, zone=zone)
    assert ticket.created_at == datetime(2026, 11, 22, 8, 15, tzinfo=zone)
    assert ticket.last_reply_at == datetime(2026, 11, 22, 8, 15, tzinfo=timezone(timedelta(hours=2)))
    assert ticket.last_reply_at.astimezone(UTC).hour == 6


@pytest.mark.parametrize("sent", ["0000-00-00 00:00:00", "yesterday", "2026-02-30", 7, True], ids=repr)
def test_times_that_are_none(sent: object) -> None:
    """A time that makes no sense is None, with the text kept (quirk Q16)."""
    ticket = read(Ticket, {"datetime": sent})
    assert ticket.created_at is None
    assert ticket.extra == {"datetime": sent}


@pytest.mark.parametrize(("sent", "expected"), [("65", 65), (65.5, 65.5), ("-1", None), ("soon", None), ("1e30", None)])
def test_durations(sent: object, expected: float | None) -> None:
    """Durations of calls are seconds (quirk Q32)."""
    wanted = None if expected is None else timedelta(seconds=expected)
    assert read(Call, {"duration": sent}).duration == wanted


def test_ids_are_opaque() -> None:
    """Nothing is stripped from an id, and one that came as a number is its text (quirk Q36)."""
    assert read(Contact, {"contact_id": " 376d03ghjsb== "}).contact_id == " 376d03ghjsb== "
    assert read(Contact, {"contact_id": 7}).contact_id == "7"


def test_words() -> None:
    """Words are read in any case, and unknown ones are kept (quirk Q22)."""
    assert read(Ticket, {"ticket_status": "awaiting agent reply"}).status is TicketStatus.AWAITING_AGENT_REPLY
    assert read(Call, {"direction": "INCOMING"}).direction is CallDirection.INCOMING
    strange = read(SendReceipt, {"status": "moon-phase"}).status
    assert strange == "moon-phase"
    assert isinstance(strange, SendStatus)
    assert not strange.known
    assert read(SendReceipt, {"status": 7}).extra == {"status": 7}


def test_unknown_fields_are_kept() -> None:
    """What the document does not know is in `extra`, also under names that are ours alone."""
    receipt = read(SendReceipt, {"status": "sent", "parts": 2, "raw": "x", "extra": "y"})
    assert receipt.extra == {"parts": 2, "raw": "x", "extra": "y"}
    assert receipt.raw == b"raw"


def test_deep_nesting_is_survived() -> None:
    """A value nested as deep as the parser allows spoils one field, not the answer."""
    row = json.loads('{"from_agent":' + "[" * 900 + "]" * 900 + ',"message":"hi"}')
    item = read(ConversationItem, row)
    assert item.from_agent is None
    assert item.message == "hi"


def test_a_field_type_without_a_rule_fails_early() -> None:
    """A model whose field nobody knows how to read fails when it is first used, not in production."""

    @attrs.frozen(kw_only=True)
    class Odd(Model):
        shape: bytes | None = None

    with pytest.raises(TypeError, match="no rule to read a bytes"):
        read(Odd, {"shape": "x"})


@pytest.mark.parametrize("model", RECEIPTS)
def test_private_fields_are_masked(model: type[Receipt]) -> None:
    """A repr tells that there is a value, not which, and never the raw answer."""
    secrets = {field.name: "secret-value" for field in attrs.fields(model) if field.name not in {"extra", "raw"}}
    shown = repr(attrs.evolve(read(model, {"unknown": "secret-extra"}), raw=b"secret-raw"))
    assert "secret" not in shown
    assert "<unknown>" in shown
    assert secrets


USUAL = [
    b'{"status":"success","data":{"message_id":"7","cost":"1"}}',
    b'{"status":"success"}',
    b'{"status":"success","data":null}',
]
UNUSUAL = [
    b"",
    b"[]",
    b"{}",
    b"null",
    b'"success"',
    b'{"status":"error"}',
    b'{"status":"Success"}',
    b'{"status":["success"]}',
    b"[" * 9999,
]


@pytest.mark.parametrize("body", USUAL)
def test_the_usual_success_reads_the_same_without_an_envelope(body: bytes) -> None:
    """The straight path of a send returns what the full one returns."""
    endpoint = Endpoint("x", SendReceipt, Effect.SPEND)
    assert Codec().decode_usual(endpoint, body) == Codec().decode(endpoint, read_envelope(body), body)


@pytest.mark.parametrize("body", UNUSUAL)
def test_anything_but_the_very_word_success_is_left_to_the_full_path(body: bytes) -> None:
    """The straight path judges nothing: neither other words, nor a body that it cannot read."""
    assert Codec().decode_usual(Endpoint("x", SendReceipt, Effect.SPEND), body) is None


def test_unreadable_data_is_left_to_the_full_path() -> None:
    """Its error needs the attempts and the identifier of the request."""
    assert (
        Codec().decode_usual(Endpoint("x", tuple[Ticket, ...], Effect.READ), b'{"status":"success","data":7}') is None
    )
