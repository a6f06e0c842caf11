"""A plan tells beforehand what a send will do."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.bulk.chunks import Chunker, Content
from callsavvy_async.bulk.plan import Channel, Plan, make_plan, units_per_message
from callsavvy_async.bulk.recipients import Intake, RecipientInput, SkipReason
from callsavvy_async.bulk.segments import Encoding
from callsavvy_async.bulk.templates import Template
from callsavvy_async.errors import InvalidRequestError


def numbers(count: int) -> list[str]:
    return [f"+{2348000000000 + step}" for step in range(count)]


def plan(
    rows: list[RecipientInput],
    content: Content = "Hello",
    *,
    channel: Channel = "sms",
    size: int = 10,
    minutes: Decimal | None = None,
    balance: Decimal | None = None,
) -> Plan:
    return make_plan(
        rows,
        intake=Intake(suppress=["+999999999"], template=content if isinstance(content, Template) else None),
        chunker=Chunker(size=size, content=content),
        channel=channel,
        minutes=minutes,
        balance=balance,
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
    made = plan([*good, *bad], Template("{x}"), balance=Decimal(47))
    assert (made.recipients, made.given, made.calls) == (25, 29, 4)
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
    assert (made.recipients, made.calls, made.estimated_units) == (0, 0, 0)


def test_robocall_costs_minutes() -> None:
    """Robocalls are charged by their minutes; segments and encodings are no matter of theirs."""
    made = plan([*numbers(4)], "https://x/a.mp3", channel="robocall", minutes=Decimal("1.5"), balance=Decimal(5))
    assert made.estimated_units == Decimal(6)
    assert made.affordable is False
    assert made.total_segments is None
    assert not made.segments_per_message


def test_robocall_without_minutes_is_refused_at_once() -> None:
    """Minutes are required, also for an empty input."""
    with pytest.raises(InvalidRequestError, match="minutes"):
        plan([], channel="robocall")


def test_q50_whatsapp_cost_is_not_predicted() -> None:
    """The document gives no cost of a WhatsApp message, so none is guessed."""
    made = plan([*numbers(31)], channel="whatsapp", size=30, balance=Decimal(1))
    assert (made.calls, made.estimated_units, made.affordable, made.total_segments) == (2, None, None, None)


@pytest.mark.parametrize(
    ("channel", "text", "minutes", "units"),
    [
        ("sms", "a" * 161, None, Decimal(2)),
        ("robocall", "https://x/a.mp3", Decimal("0.5"), Decimal("0.5")),
        ("whatsapp", "Hello", None, None),
    ],
)
def test_units_per_message(channel: Channel, text: str, minutes: Decimal | None, units: Decimal | None) -> None:
    """One recipient costs the segments, the minutes, or what nobody knows."""
    assert units_per_message(channel, text, minutes) == units


def test_robocall_units_need_minutes() -> None:
    """A robocall without minutes cannot be estimated."""
    with pytest.raises(InvalidRequestError, match="minutes"):
        units_per_message("robocall", "x")


def test_summary_for_people() -> None:
    """The summary says all that decides, one fact a line."""
    made = plan(["bad", *numbers(2)], "Hi\u2019ж\u00a0", balance=Decimal(1000))
    assert str(made).splitlines() == [
        "Recipients: 2 messages by sms in 1 call",
        "Skipped: 1 row (1 invalid)",
        "Encoding: UCS-2 for 2",
        "UCS-2 is forced by: \u2019 U+2019 (could be \"'\"), ж U+0436, U+00A0 (could be ' ')",
        "Segments: 2 (2 of 1)",
        "Units: about 2, which the balance of 1,000 covers",
    ]


@pytest.mark.parametrize(
    ("made", "lines"),
    [
        (
            Plan(channel="sms", recipients=0, calls=0, estimated_units=Decimal(0)),
            ["Recipients: 0 messages by sms in 0 calls", "Encoding: none", "Segments: 0", "Units: about 0"],
        ),
        (
            Plan(channel="whatsapp", recipients=1, calls=1),
            ["Recipients: 1 message by whatsapp in 1 call", "Units: cannot be told beforehand for whatsapp"],
        ),
        (
            Plan(channel="robocall", recipients=1, calls=1, estimated_units=Decimal(9), balance=Decimal(8)),
            [
                "Recipients: 1 message by robocall in 1 call",
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
    line = plan([*numbers(1)], "абвгдежзийклмно").summary_lines()[2]
    assert line.endswith("л U+043B and 3 more")


def test_plan_reads_its_input_once() -> None:
    """An iterator is enough: rows are not kept and not read again."""

    def rows() -> Iterator[str]:
        yield from numbers(3)

    made = make_plan(rows(), intake=Intake(), chunker=Chunker(size=2, content="x"), channel="sms")
    assert (made.recipients, made.calls) == (3, 2)


@given(st.lists(st.sampled_from(["+123456789", "+123456780", "bad", "+999999999", "+5551234567", ""])))
def test_plan_accounts_for_every_row(rows: list[str]) -> None:
    """Recipients and skipped rows are all the rows; segments per message count every recipient."""
    made = plan([*rows])
    assert made.given == len(rows)
    assert sum(made.segments_per_message.values()) == sum(made.encodings.values()) == made.recipients
