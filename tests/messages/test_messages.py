"""A message is a value: checked when it is made, written down and read back, silent about what it says."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import attrs
import pytest
from hypothesis import given, strategies as st

import callsavvy_async
from callsavvy_async import messages
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import CHANNELS, SMS, Message, Robocall, WhatsApp, require_message
from callsavvy_async.resources.account import Summary

TEXT, TEMPLATE, URL = "We open at nine.", "Hi {first_name}, we open at {hour|nine}.", "https://x.io/a.mp3"
MESSAGES = [
    SMS(TEXT),
    SMS(template=TEMPLATE, sender_id="Acme"),
    SMS("Hi {name}", literal=True),
    WhatsApp(TEXT, channel_uid="secret-uid"),
    WhatsApp(template=TEMPLATE, channel_uid="secret-uid"),
    Robocall(TEXT, duration=Decimal("1.5")),
    Robocall(template=TEMPLATE, duration=2),
    Robocall(audio_url=URL, duration=timedelta(seconds=90)),
]
by_channel = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.channel)


@by_channel
def test_a_message_is_a_value(message: Message) -> None:
    """It compares, hashes, pickles, cannot be changed, and comes back from JSON as it was."""
    assert message == attrs.evolve(message)
    assert hash(message) == hash(attrs.evolve(message))
    assert pickle.loads(pickle.dumps(message)) == message  # noqa: S301 - our own bytes
    assert Message.from_json(json.loads(json.dumps(message.to_json()))) == message
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        message.text = "x"  # type: ignore[misc]


@by_channel
def test_a_message_says_nothing_of_what_it_says(message: Message) -> None:
    """Neither text, template, URL nor channel stand in the repr."""
    shown = repr(message)
    assert not any(word in shown for word in ("nine", "Hi", "x.io", "secret-uid"))


@by_channel
def test_a_message_can_be_kept_without_its_texts(message: Message) -> None:
    """What is left after a purge is a message of the same kind, which can be written down and read."""
    kept = message.without_texts()
    assert Message.from_json(kept.to_json()) == kept
    assert type(kept) is type(message)
    assert not any(word in json.dumps(kept.to_json()) for word in ("nine", "Hi", "x.io"))


def test_every_channel_is_in_the_registry() -> None:
    """The channels are the classes that were defined, and no list beside them; the error for another one names them."""
    assert CHANNELS.items() >= {"sms": SMS, "whatsapp": WhatsApp, "robocall": Robocall}.items()
    assert {kind.__name__ for kind in CHANNELS.values()} <= {*messages.__all__} & {*callsavvy_async.__all__}
    with pytest.raises(InvalidRequestError, match=f"channel is 'fax'; it must be one of {', '.join(sorted(CHANNELS))}"):
        Message.from_json({"channel": "fax", "text": "x"})


def test_a_class_without_a_channel_of_its_own_takes_none() -> None:
    """A message that refines another one does not stand for its channel when a journal is read."""

    class Shout(SMS):
        pass

    assert CHANNELS["sms"] is SMS
    assert Shout("x").channel == "sms"


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (SMS, r"SMS\(\) takes exactly one of text=, template=; none was given"),
        (lambda: SMS("x", template="{y}"), "text= and template= were given"),
        (lambda: WhatsApp(channel_uid="c"), "exactly one"),
        (
            lambda: Robocall("x", audio_url=URL, duration=1),
            "text=, template=, audio_url=; text= and audio_url= were given",
        ),
        (lambda: Robocall(template="{x}", audio_url=URL, duration=1), "template= and audio_url= were given"),
        (lambda: SMS("  "), "text is blank"),
        (lambda: SMS(template="\n"), "template is blank"),
        (lambda: SMS(5), "text is of type int; it must be a str"),  # type: ignore[arg-type]
        (lambda: SMS(template=b"{x}"), "template is of type bytes"),  # type: ignore[arg-type]
        (lambda: SMS("Hi \ud83d"), "text holds a lone surrogate"),
        (lambda: SMS(template="Hi {x} \ud83d"), "template holds a lone surrogate"),
        (lambda: SMS("x", sender_id=" "), "sender_id is blank"),
        (lambda: WhatsApp("x", channel_uid=""), "channel_uid is blank"),
        (lambda: Robocall(audio_url="a.mp3", duration=1), "audio_url is not a URL"),
        (lambda: Robocall("x", duration=0), "duration is 0; it must be a number of minutes above 0"),
        (lambda: Robocall("x", duration="soon"), "duration is 'soon'"),  # type: ignore[arg-type]
        (
            lambda: Robocall("x", duration=timedelta(seconds=100)),
            "1.666666... minutes; give minutes with at most 4 decimals",
        ),
        (
            lambda: SMS("Hi {first_name}"),
            r"placeholder '\{first_name\}'.*template= \(--template\).*literal=True \(--literal\)",
        ),
        (lambda: WhatsApp("Hi *|FNAME|*", channel_uid="c"), r"placeholder '\*\|FNAME\|\*'"),
        (lambda: Robocall("Hi [[name]]", duration=1), "placeholder"),
        (lambda: SMS(template="Hi you"), "the template has no placeholder"),
        (lambda: SMS(template="Hi {{first_name}}"), "the template has no placeholder"),
        (lambda: SMS(template="Hi {name} %code%"), "placeholder '%code%'"),
        (lambda: SMS(template="Hi {name} {{code}}"), r"placeholder '\{code\}'"),
        (lambda: SMS(template="Hi {"), "single '{'"),
    ],
)
def test_bad_messages_are_refused_when_they_are_made(make: Callable[[], object], error: str) -> None:
    """The error names the argument, the rule and the fix."""
    with pytest.raises(InvalidRequestError, match=error):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: SMS("Hi {first_name}", literal=True),
        lambda: SMS(template="Hi", literal=True),
        lambda: SMS(template="Hi {name} %code% {{x}}", literal=True),
        lambda: SMS("50% off, [urgent]"),
        lambda: SMS(template="{{{name}}}"),
        lambda: Robocall(audio_url="https://x.io/{name}.mp3", duration=1),
    ],
)
def test_placeholders_may_be_literal(make: Callable[[], object]) -> None:
    """Whoever says so may send what looks like a placeholder; a recording's URL is not read by people."""
    make()


def test_rendering() -> None:
    """All get the text or the recording; with a template each gets their own."""
    assert [message.render({"first_name": "Ada"}) for message in MESSAGES] == [
        TEXT,
        "Hi Ada, we open at nine.",
        "Hi {name}",
        TEXT,
        "Hi Ada, we open at nine.",
        TEXT,
        "Hi Ada, we open at nine.",
        URL,
    ]
    assert [message.common for message in MESSAGES] == [TEXT, None, "Hi {name}", TEXT, None, TEXT, None, URL]


def test_estimates() -> None:
    """An SMS costs its segments, a robocall its minutes; of WhatsApp no cost is documented (quirk Q50)."""
    sms, whatsapp, robocall = SMS("x"), WhatsApp("x", channel_uid="c"), Robocall("x", duration=Decimal("0.5"))
    assert (sms.units("a" * 161), whatsapp.units("x"), robocall.units("x")) == (2, None, Decimal("0.5"))
    assert (sms.estimate("a" * 161, 3), whatsapp.estimate("x", 3), robocall.estimate("x", 3)) == (6, 0, Decimal("1.5"))
    assert (sms.is_priced, whatsapp.is_priced, robocall.is_priced) == (True, False, True)
    assert [message.segments("x") is None for message in (sms, whatsapp, robocall)] == [False, True, True]


def test_balances() -> None:
    """Each channel is paid from its own part of the account, if the API tells it."""
    summary = Summary(
        sms_balance=Decimal(1), outbound_local_call_balance=Decimal(2), outbound_international_call_balance=Decimal(3)
    )
    assert SMS("x").balance(summary) == 1
    assert WhatsApp("x", channel_uid="c").balance(summary) is None
    assert Robocall("x", duration=1).balance(summary) == 2  # which is charged is not documented
    assert Robocall("x", duration=1).balance(Summary()) is None


def test_sizes_of_requests() -> None:
    """A request takes 100 unless told, and by WhatsApp never more than 30 (quirk Q49)."""
    sms, whatsapp = SMS("x"), WhatsApp("x", channel_uid="c")
    assert (sms.chunk_size(None), sms.chunk_size(500), whatsapp.chunk_size(None), whatsapp.chunk_size(7)) == (
        100,
        500,
        30,
        7,
    )
    with pytest.raises(InvalidRequestError, match="at most 30"):
        whatsapp.chunk_size(31)
    with pytest.raises(InvalidRequestError, match="at least 1"):
        sms.chunk_size(0)


def test_only_messages_are_messages() -> None:
    """A bare text names no channel."""
    with pytest.raises(InvalidRequestError, match=r"of type str; give one of SMS\(...\), WhatsApp\(...\), "):
        require_message("Hello")


@given(st.text(), st.booleans())
def test_any_text_is_a_message_or_an_error(text: str, literal: bool) -> None:
    """No text makes another error than InvalidRequestError, and one that is taken comes out as it was."""
    try:
        message = SMS(text, literal=literal)
    except InvalidRequestError:
        return
    assert message.render({"x": "y"}) == text
