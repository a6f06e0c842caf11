"""The assertions hold for what was charged, and fail without a number or a text in clear."""

from __future__ import annotations

import re

import httpx
import pytest

from callsavvy_async import InvalidRequestError
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, ConnectionDropped, Fault, Simulator
from callsavvy_async.testing.assertions import assert_charged_once, assert_nobody_charged, assert_nobody_twice

ADA, BAYO = "+2348012345678", "+2348023456789"
TEXT = "Your order is ready."


async def send(sim: Simulator, *numbers: str, text: str = TEXT) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sim), base_url=sim.base_url) as client:
        headers = {"public-key": PUBLIC_KEY, "private-key": PRIVATE_KEY}
        await client.post("sendSMS", json={"recipient": ",".join(numbers), "message": text}, headers=headers)


pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)]


async def test_what_was_charged_once() -> None:
    """Numbers are written as for a send, and the text may be asked too."""
    sim = Simulator()
    assert_nobody_charged(sim)
    await send(sim, ADA, BAYO)
    assert_charged_once(sim, "+234 801 234 5678", BAYO)
    assert_charged_once(sim, ADA, text=TEXT)
    assert_nobody_twice(sim)
    assert sim.ledger.messages(BAYO) == (TEXT,)


async def test_what_was_not_charged() -> None:
    """A failure shows the number's requests and their faults, since they say why there was no charge."""
    sim = Simulator()
    sim.faults.next("sendSMS", Fault.DROP_UNPROCESSED)
    with pytest.raises(ConnectionDropped):
        await send(sim, ADA)
    assert_nobody_charged(sim)
    assert sim.ledger.messages(ADA) == ()
    expected = (
        r"expected one charge for \+234\*{8}78: found 0\n  LedgerEntry\(sendSMS, 1 recipient,.*'drop, unprocessed'"
    )
    with pytest.raises(AssertionError, match=expected):
        assert_charged_once(sim, ADA)


async def test_second_charges() -> None:
    """Each assertion finds a second charge, also one within a single request, and masks the number."""
    for requests in ([[ADA, BAYO], [ADA]], [[ADA, ADA]]):
        sim = Simulator()
        for numbers in requests:
            await send(sim, *numbers)
        with pytest.raises(AssertionError, match=r"^expected one charge for \+234\*{8}78: found 2\n"):
            assert_charged_once(sim, ADA)
        with pytest.raises(
            AssertionError, match=r"^expected no second charge for 1 recipient\n\+234\*{8}78: found 2\n"
        ):
            assert_nobody_twice(sim)
        with pytest.raises(AssertionError, match=r"^expected no charge for \d recipients?\n"):
            assert_nobody_charged(sim)


async def test_long_lists_are_cut() -> None:
    """A failure of a large send stays readable: five recipients, five requests of each, and how many more."""
    sim = Simulator()
    for _ in range(7):
        await send(sim, *(f"+23480123456{number:02d}" for number in range(8)))
    with pytest.raises(AssertionError) as caught:
        assert_nobody_twice(sim)
    lines = str(caught.value).splitlines()
    assert lines[0] == "expected no second charge for 8 recipients"
    assert lines[7] == "  and 2 more"
    assert len(lines) == 1 + 5 * 7 + 1
    assert lines[-1] == "  and 3 more"


@pytest.mark.parametrize(
    ("sent", "rest"),
    [
        ("Your order is late.", "expected 20 characters, found 19, different from character 15 on."),
        ("Your order is ready", "expected 20 characters, found 19, different from character 20 on."),
        (f"{TEXT} Bye.", "expected 20 characters, found 25, different from character 21 on."),
    ],
)
async def test_another_text(sent: str, rest: str) -> None:
    """A failure says where the texts part, and shows neither."""
    sim = Simulator()
    await send(sim, ADA, text=sent)
    with pytest.raises(AssertionError) as caught:
        assert_charged_once(sim, ADA, text=TEXT)
    assert str(caught.value) == f"+234********78 got another text: {rest}"


async def test_misuse() -> None:
    """An assertion about nothing, or about a number that cannot be sent to, is an error and never a silent pass."""
    sim = Simulator()
    with pytest.raises(TypeError, match="at least one number"):
        assert_charged_once(sim)
    with pytest.raises(InvalidRequestError, match=re.escape("'0801*******78' is not a phone number")):
        assert_charged_once(sim, "0801 234 5678")
