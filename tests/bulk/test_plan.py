"""A plan tells beforehand what a send will do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.bulk.bulk import Bulk
from callsavvy_async.bulk.chunks import Chunker
from callsavvy_async.bulk.plan import Plan
from callsavvy_async.bulk.planning import make_plan
from callsavvy_async.bulk.recipients import RecipientFilter, RecipientInput, SkipReason
from callsavvy_async.errors import ConfigurationError, InvalidRequestError
from callsavvy_async.messages import SMS, Encoding, Message, Robocall, WhatsApp

HELLO = SMS("Hello")


def numbers(count: int) -> list[str]:
    return [f"+{2348000000000 + step}" for step in range(count)]


def plan(
    rows: Iterable[RecipientInput],
    message: Message = HELLO,
    *,
    size: int = 10,
    balance: Decimal | None = None,
    max_cost: Decimal | None = None,
) -> Plan:
    return make_plan(
        rows,
        message,
        recipient_filter=RecipientFilter(suppress=["+999999999"], template=message.merge),
        chunkers=[Chunker(size=size, message=message)],
        balance=balance,
        max_cost=max_cost,
    )


def test_sms_plan_adds_up() -> None:
    """Recipients, skipped rows by reason, calls, segments, encodings and units are those of the send."""
    good: list[RecipientInput] = [
        {"phone": number, "x": "\u2019" if row < 3 else "a" * 200} for row, number in enumerate(numbers(25))
    ]
    bad: list[RecipientInput] = [
        "nobody",
        "+999999999",
        {"phone": numbers(1)[0], "x": "y"},
        {"phone": "+777777777", "x": " "},
    ]
    made = plan([*good, *bad], SMS(template="{x}"), balance=Decimal(47))
    assert (made.recipients, made.given, made.requests) == (25, 29, 4)
    assert made.skipped == {SkipReason.INVALID: 2, SkipReason.SUPPRESSED: 1, SkipReason.DUPLICATE: 1}
    assert [skipped.row for skipped in made.first_skipped] == [26, 27, 28, 29]
    assert made.segments_per_message == {1: 3, 2: 22}
    assert made.encodings == {Encoding.UCS_2: 3, Encoding.GSM_7: 22}
    assert made.forced_by == ("\u2019",)
    assert made.replacements == {"\u2019": "'"}
    assert made.total_segments == made.estimated_units == 47
    assert made.affordable is True


def test_first_skipped_are_examples_only() -> None:
    """A plan of a million bad rows keeps twenty of them, and counts all."""
    made = plan(["bad"] * 50)
    assert len(made.first_skipped) == 20
    assert made.skipped == {SkipReason.INVALID: 50}
    assert (made.recipients, made.requests, made.estimated_units) == (0, 0, 0)


def test_robocall_costs_minutes() -> None:
    """Robocalls are charged by their minutes; segments and encodings are no matter of theirs."""
    made = plan([*numbers(4)], Robocall(audio_url="https://x.io/a.mp3", duration=Decimal("1.5")), balance=Decimal(5))
    assert made.estimated_units == Decimal(6)
    assert made.affordable is False
    assert made.total_segments is None
    assert not made.segments_per_message


def test_q50_whatsapp_cost_is_not_predicted() -> None:
    """The document gives no cost of a WhatsApp message, so none is guessed."""
    made = plan([*numbers(31)], WhatsApp("Hello", channel_uid="c"), size=30, balance=Decimal(1))
    assert (made.requests, made.estimated_units, made.affordable, made.total_segments) == (2, None, None, None)


def test_summary_for_people() -> None:
    """The summary says all that decides, one fact a line."""
    made = plan(["bad", *numbers(2)], SMS("Hi\u2019ж\u00a0"), balance=Decimal(1000))
    assert str(made).splitlines() == [
        "List: 3 rows",
        "Recipients: 2 messages by sms in 1 request",
        "Sender: the account's default",
        "Skipped: 1 row (1 invalid)",
        "Encoding: UCS-2 for 2",
        "UCS-2 needed for: \u2019 U+2019 (could be \"'\"), ж U+0436, U+00A0 (could be ' ')",
        "Segments: 2 (2 of 1)",
        "Units: about 2, which the balance of 1,000 covers",
    ]


@pytest.mark.parametrize(
    ("made", "lines"),
    [
        (
            plan([]),
            [
                "List: 0 rows",
                "The list of recipients is empty.",
                "Recipients: 0 messages by sms in 0 requests",
                "Sender: the account's default",
                "Encoding: none",
                "Segments: 0",
                "Units: about 0",
            ],
        ),
        (
            plan(["bad"]),
            [
                "List: 1 row",
                "Recipients: 0 messages by sms in 0 requests",
                "Sender: the account's default",
                "Not one row holds a valid number.",
                "Skipped: 1 row (1 invalid)",
                "Encoding: none",
                "Segments: 0",
                "Units: about 0",
            ],
        ),
        (
            plan(["2348000000001"], WhatsApp("Hello", channel_uid="c")),
            [
                "List: 1 row",
                "Recipients: 1 message by whatsapp in 1 request",
                "Sender: WhatsApp channel ***",
                "Doubtful: 1 without '+', assumed to begin with a country code, the first '2348*******01' in row 1",
                "Units: unknown; the API does not document the cost of whatsapp",
            ],
        ),
        (
            Plan(channel="whatsapp", recipients=1, requests=1, most_requests=1),
            [
                "List: 1 row",
                "Recipients: 1 message by whatsapp in 1 request",
                "Units: unknown; the API does not document the cost of whatsapp",
            ],
        ),
        (
            Plan(
                channel="robocall",
                recipients=1,
                requests=1,
                most_requests=2,
                estimated_units=Decimal(9),
                balance=Decimal(8),
            ),
            [
                "List: 1 row",
                "Recipients: 1 message by robocall in 1 to 2 requests",
                "Units: about 9, which the balance of 8 does not cover",
            ],
        ),
    ],
)
def test_summary_leaves_out_what_does_not_apply(made: Plan, lines: list[str]) -> None:
    """Only lines that say something are there."""
    assert list(made.summary_lines()) == lines


def test_summary_of_many_characters_is_short() -> None:
    """A text in another script does not fill the screen."""
    line = plan([*numbers(1)], SMS("абвгдежзийклмно")).summary_lines()[4]
    assert line.endswith("л U+043B and 3 more")


def test_plan_reads_its_input_once() -> None:
    """An iterator is enough: rows are not kept and not read again."""

    def rows() -> Iterator[str]:
        yield from numbers(3)

    made = plan(rows(), size=2)
    assert (made.recipients, made.requests) == (3, 2)


@given(st.lists(st.sampled_from(["+123456789", "+123456780", "bad", "+999999999", "+5551234567", ""])))
def test_plan_accounts_for_every_row(rows: list[str]) -> None:
    """Recipients and skipped rows are all the rows; segments per message count every recipient."""
    made = plan([*rows])
    assert made.given == len(rows)
    assert sum(made.segments_per_message.values()) == sum(made.encodings.values()) == made.recipients


def test_max_cost_is_compared_with_the_estimate() -> None:
    """A budget that does not cover the plan is named in it."""
    assert str(plan(numbers(9), max_cost=Decimal(8))).endswith("about 9; the send stops at the max_cost of 8")
    assert str(plan(numbers(8), max_cost=Decimal(8))).endswith("about 8")


@pytest.mark.parametrize(
    ("count", "options", "requests"),
    [
        (150, {}, (3, 6)),
        (1000, {}, (11, 40)),
        (150, {"max_in_flight": 1}, (3, 3)),
        (150, {"chunk_size": 25}, (6, 6)),
        (10, {}, (1, 1)),
        (0, {}, (0, 0)),
    ],
)
def test_a_plan_tells_the_fewest_and_the_most_requests(
    count: int, options: dict[str, int], requests: tuple[int, int]
) -> None:
    """A send takes few recipients a request while requests are free, and nobody knows beforehand for how long they are."""
    made = Bulk.plan(numbers(count), HELLO, **options)
    assert (made.requests, made.most_requests) == requests


def test_duration() -> None:
    """The most requests of a plan, at the rate that the client is limited to."""
    made = Bulk.plan(numbers(150), HELLO)
    assert (made.most_requests, made.duration("30/min")) == (6, timedelta(seconds=12))
    with pytest.raises(ConfigurationError, match="must be requests per time"):
        made.duration("fast")


def test_a_plan_refuses_what_the_send_would_refuse() -> None:
    """A budget without documented costs, and a template that does not fit its recipients, are found beforehand."""
    with pytest.raises(InvalidRequestError, match=r"max_cost is .* the cost of whatsapp"):
        Bulk.plan(numbers(1), WhatsApp("x", channel_uid="c"), max_cost=1)
    with pytest.raises(InvalidRequestError, match=r"names \{name\}, but the recipients have numbers only"):
        Bulk.plan(numbers(1), SMS(template="Hi {name}"))
    with pytest.raises(InvalidRequestError, match=r"names \{nam\}.*Did you mean 'name'"):
        Bulk.plan([{"phone": number, "name": "Ada"} for number in numbers(3)], SMS(template="Hi {nam|friend}"))


def test_the_texts_to_read_before_a_send() -> None:
    """The first, the longest and the dearest text are kept as recipients get them; data of their rows is masked."""
    rows = [
        {"phone": "+2348012345671", "note": "a"},
        {"phone": "+2348012345672", "note": "b" * 100},
        {"phone": "+2348012345673", "note": "c" * 100},
        {"phone": "+2348012345674", "note": "\u0436" * 71},
        {"phone": "+2348012345675", "note": "call +2348012345675"},
    ]
    made = plan(rows, SMS(template="Ring +234 700 000 0000: {note}"))
    assert [(sample.why, sample.row, sample.segments, sample.units) for sample in made.samples] == [
        (("first",), 1, 1, 1),
        (("longest",), 2, 1, 1),
        (("dearest",), 4, 2, 2),
    ]
    assert made.samples[0].text == "Ring +234 700 000 0000: a"
    last = plan(rows[4:], SMS(template="Ring +234 700 000 0000: {note}")).samples
    assert [(sample.why, sample.text) for sample in last] == [
        (("first", "longest", "dearest"), "Ring +234 700 000 0000: call +234********75")
    ]
    assert "Ring" not in repr(made) + str(made)


def test_one_text_for_everybody() -> None:
    """A common text is one sample, whose own numbers are the sender's business."""
    (sample,) = plan(numbers(3), SMS("Ring +234 700 000 0000")).samples
    assert (sample.why, sample.text) == ((), "Ring +234 700 000 0000")
    (sample,) = plan(numbers(3), WhatsApp("Hi", channel_uid="a-long-channel-uid")).samples
    assert (sample.segments, sample.units) == (None, None)


@pytest.mark.parametrize(
    ("message", "sender"),
    [
        (SMS("x", sender_id="Acme"), "Acme"),
        (WhatsApp("x", channel_uid="a-long-channel-uid"), "WhatsApp channel ***-uid"),
        (WhatsApp("x", channel_uid="short"), "WhatsApp channel ***"),
        (Robocall("x", duration=2), "the account's number; each call takes 2 min"),
    ],
)
def test_the_sender_is_named(message: Message, sender: str) -> None:
    """A person sees who sends; identifiers that are half a secret are masked."""
    assert plan(numbers(1), message).sender == sender
