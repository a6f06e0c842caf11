"""The semantics table over real sockets: every fault on every effect, with the requests counted at the server.

The simulator is the witness: it knows how many requests arrived, and who was charged. The client's word is compared
with it and never asked about itself.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import product

import attrs
import pytest

from callsavvy_async import (
    AuthenticationError,
    BadRequestError,
    Callsavvy,
    ConnectionLostError,
    DecodeError,
    InsufficientBalanceError,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    RedirectError,
    RequestError,
    RequestTimeoutError,
    ResponseTooLargeError,
    SendReceipt,
    ServerError,
    ServiceUnavailableError,
)
from callsavvy_async.models import SendStatus
from callsavvy_async.simulator import FAULTS, PRIVATE_KEY, PUBLIC_KEY, Fault, Simulator, SimulatorServer
from callsavvy_async.transport.backends.choose import BackendName
from callsavvy_async.wire.endpoint import Effect
from tests.conftest import EVERY_BACKEND, marks_of

pytestmark = [pytest.mark.anyio, pytest.mark.sockets, pytest.mark.every_backend]

NUMBER = "+2348012345678"
HARMFUL = {Effect.WRITE, Effect.SPEND}


@attrs.frozen
class Row:
    """What the table says of one fault."""

    fault: Fault
    outcome: Outcome
    error: type[RequestError] = RequestError
    """The error that tells it; for UNKNOWN the one for reads."""
    passing: bool = False
    """Whether the same request may fare better later."""


def accepted(fault: Fault) -> Row:
    return Row(fault, Outcome.ACCEPTED)


def refused(fault: Fault, error: type[RequestError], *, passing: bool = False) -> Row:
    return Row(fault, Outcome.REJECTED, error, passing)


def unknown(fault: Fault, error: type[RequestError], *, passing: bool = True) -> Row:
    return Row(fault, Outcome.UNKNOWN, error, passing)


def unreadable(fault: Fault) -> Row:
    return unknown(fault, DecodeError, passing=False)


MEBIBYTE = 2**20
STATUS = Fault.with_status

TABLE: dict[str, Row] = {
    # The connection breaks, or nothing comes.
    "drop-before-read": unknown(Fault.DROP_BEFORE_READ, ConnectionLostError),
    "reset-before-read": unknown(Fault.RESET_BEFORE_READ, ConnectionLostError),
    "hang-before-read": unknown(Fault.HANG_BEFORE_READ, RequestTimeoutError),
    "drop-after-read": unknown(Fault.DROP_AFTER_READ, ConnectionLostError),
    "drop-unprocessed": unknown(Fault.DROP_UNPROCESSED, ConnectionLostError),
    "reset-after-read": unknown(Fault.RESET_AFTER_READ, ConnectionLostError),
    "reset-unprocessed": unknown(Fault.RESET_UNPROCESSED, ConnectionLostError),
    "hang": unknown(Fault.HANG, RequestTimeoutError),
    "garbage": unknown(Fault.GARBAGE, ConnectionLostError),
    "truncated-body": unknown(Fault.TRUNCATED_BODY, ConnectionLostError),
    # Statuses that refuse by themselves.
    "400": refused(STATUS(400), BadRequestError),
    "401": refused(STATUS(401), AuthenticationError),
    "402": refused(STATUS(402), InsufficientBalanceError),
    "403": refused(STATUS(403), PermissionDeniedError),
    "403-html": refused(STATUS(403, body="html"), PermissionDeniedError),
    "404": refused(STATUS(404), NotFoundError),
    "404-empty": refused(STATUS(404, body="empty"), NotFoundError),
    "405": refused(STATUS(405), BadRequestError),
    "413": refused(STATUS(413), BadRequestError),
    "early-413": refused(Fault.EARLY_413, BadRequestError),
    "415": refused(STATUS(415), BadRequestError),
    "422": refused(STATUS(422), BadRequestError),
    "422-html": refused(STATUS(422, body="html"), BadRequestError),
    "429": refused(STATUS(429, retry_after="0.01"), RateLimitError, passing=True),
    "429-html": refused(STATUS(429, body="html", retry_after="0.01"), RateLimitError, passing=True),
    "503-retry-after": refused(STATUS(503, retry_after="0.01"), ServiceUnavailableError, passing=True),
    # Statuses that say nothing of what stood behind them.
    "408": unknown(STATUS(408), ServerError),
    "409": unknown(STATUS(409), ServerError, passing=False),
    "425": unknown(STATUS(425), ServerError),
    "500": unknown(STATUS(500), ServerError),
    "500-charged": unknown(STATUS(500, processed=True), ServerError),
    "500-empty": unknown(STATUS(500, body="empty"), ServerError),
    "502-html": unknown(STATUS(502, body="html", processed=True), ServerError),
    "503-envelope": unknown(STATUS(503), ServerError),
    "503-html-retry-after": unknown(STATUS(503, body="html", retry_after="0.01", processed=True), ServerError),
    "504-html": unknown(STATUS(504, body="html", processed=True), ServerError),
    # Redirects.
    "301": unknown(Fault.redirect(301, processed=True), ServerError, passing=False),
    "302": unknown(Fault.redirect(302, processed=True), ServerError, passing=False),
    "303": unknown(Fault.redirect(303, processed=True), ServerError, passing=False),
    "307": refused(Fault.redirect(307), RedirectError),
    "308": refused(Fault.redirect(308), RedirectError),
    # A success that cannot be read.
    "malformed-json": unreadable(Fault.MALFORMED_JSON),
    "truncated-json": unreadable(Fault.TRUNCATED_JSON),
    "empty-response": unreadable(Fault.EMPTY_RESPONSE),
    "html-response": unreadable(Fault.HTML_RESPONSE),
    "double-encoded": unreadable(Fault.DOUBLE_ENCODED),
    "nan": unreadable(Fault.NAN),
    "no-break-spaces": unreadable(Fault.NO_BREAK_SPACES),
    "huge-body": unknown(Fault.HUGE_BODY.but(size=4 * MEBIBYTE), ResponseTooLargeError, passing=False),
    "gzip-bomb": unknown(Fault.GZIP_BOMB.but(size=4 * MEBIBYTE), ResponseTooLargeError, passing=False),
    # The API's own words.
    "error-envelope": refused(Fault.ERROR_ENVELOPE, BadRequestError),
    "send-failed": accepted(Fault.SEND_FAILED),
    "unknown-word": accepted(Fault.UNKNOWN_WORD),
    "missing-data": accepted(Fault.MISSING_DATA),
    "missing-fields": accepted(Fault.MISSING_FIELDS),
    "null-fields": accepted(Fault.NULL_FIELDS),
    "json-numbers": accepted(Fault.JSON_NUMBERS),
    "php-arrays": accepted(Fault.PHP_ARRAYS),
    "shouted-status": accepted(Fault.SHOUTED_STATUS),
    "wrong-content-type": accepted(Fault.WRONG_CONTENT_TYPE),
    "byte-order-mark": accepted(Fault.BYTE_ORDER_MARK),
    "close-after-response": accepted(Fault.CLOSE_AFTER_RESPONSE),
    "slow-drip": accepted(Fault.SLOW_DRIP.but(size=64, seconds=0.001)),
}

LOWEST = EVERY_BACKEND[0]
"""Proves the most about a failure; the others prove no more than it does."""


def every_case() -> Iterator[object]:
    """Yield each row with each effect over one backend, and with spending over all.

    What an effect allows, and what a status and a body mean, is the policy's (tests/policy/test_outcome.py). What a broken
    exchange proves is the backend's, so the quick suite plays those rows over each adapter.
    """
    for (name, row), pair, effect in product(TABLE.items(), EVERY_BACKEND, Effect):
        if effect is Effect.SPEND or pair == LOWEST:
            whole = row.error not in {ConnectionLostError, RequestTimeoutError, ResponseTooLargeError}
            long = effect not in {Effect.SPEND, Effect.READ} or (whole and pair != LOWEST)
            marks = pytest.mark.long if long else marks_of(pair)
            yield pytest.param(*pair, effect, row, marks=marks, id="-".join((name, *pair, effect.name)))


rows = pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)

RESOURCES = {
    Effect.READ: "getSummary",
    Effect.IDEMPOTENT: "deleteContact",
    Effect.WRITE: "createContact",
    Effect.SPEND: "sendSMS",
}
CALLS: dict[Effect, Callable[[Callsavvy, Simulator], Awaitable[object]]] = {
    Effect.READ: lambda client, _: client.account.summary(),
    Effect.IDEMPOTENT: lambda client, sim: client.contacts.delete(next(iter(sim.world.contacts))),
    Effect.WRITE: lambda client, _: client.contacts.create("Ada", email="ada@example.com"),
    Effect.SPEND: lambda client, _: client.messaging.send_sms(NUMBER, "Hello"),
}


@pytest.fixture
async def client(
    anyio_backend: object,
    backend: BackendName,
    server: SimulatorServer,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Callsavvy]:
    """A client that repeats without delay, and waits for what hangs only briefly."""
    monkeypatch.setattr(random, "random", lambda: 0.0)
    hangs = "hang" in request.node.callspec.id
    async with Callsavvy(
        public_key=PUBLIC_KEY,
        private_key=PRIVATE_KEY,
        base_url=server.url,
        backend=backend,
        timeout=0.5 if hangs else 10,  # long enough to connect on a busy machine
        max_retries=1,
        max_response_bytes=MEBIBYTE,
    ) as opened:
        yield opened


def arrived(sim: Simulator, effect: Effect) -> int:
    """Count the requests that reached the server, read or not."""
    return sum(request.resource == RESOURCES[effect] for request in sim.requests)


def test_every_fault_has_its_row() -> None:
    """A fault that the simulator can stage has its place in the table."""
    assert FAULTS.keys() <= TABLE.keys()


@pytest.mark.parametrize(("anyio_backend", "backend", "effect", "row"), [*every_case()], indirect=["anyio_backend"])
async def test_one_fault(row: Row, effect: Effect, client: Callsavvy, sim: Simulator) -> None:
    """What may be repeated is repeated once and succeeds; all else is posted once, and told as what it is."""
    sim.faults.next(RESOURCES[effect], row.fault)
    may_retry = row.passing and (row.outcome is Outcome.REJECTED or effect not in HARMFUL)
    if row.outcome is Outcome.ACCEPTED or may_retry:
        await CALLS[effect](client, sim)
        assert arrived(sim, effect) == (2 if may_retry else 1)
    else:
        error = OutcomeUnknownError if row.outcome is Outcome.UNKNOWN and effect in HARMFUL else row.error
        with pytest.raises(error) as caught:
            await CALLS[effect](client, sim)
        assert type(caught.value) is error
        assert caught.value.outcome is row.outcome
        assert caught.value.safe_to_resend is (row.outcome is Outcome.REJECTED)
        assert caught.value.endpoint == RESOURCES[effect]
        assert [attempt.outcome for attempt in caught.value.attempts] == [row.outcome]
        assert arrived(sim, effect) == 1
    if effect is Effect.SPEND:
        assert sim.ledger.charged_count(NUMBER) == (1 if row.fault.processed or may_retry else 0)
    assert sim.faults.waiting == 0


@pytest.mark.long
@pytest.mark.parametrize(("anyio_backend", "backend"), [LOWEST, EVERY_BACKEND[-1]], indirect=["anyio_backend"])
@rows
async def test_a_fault_that_stays(row: Row, client: Callsavvy, sim: Simulator) -> None:
    """A read is given up after its retries, and every try is told."""
    if row.outcome is Outcome.ACCEPTED or row.error is RateLimitError:
        return  # nothing fails, or only the deadline ends it (tests/transport/test_transport.py)
    sim.faults.rule(row.fault, resource="getSummary")
    with pytest.raises(row.error) as caught:
        await client.account.summary()
    tries = 2 if row.passing else 1
    assert [attempt.outcome for attempt in caught.value.attempts] == [row.outcome] * tries
    assert arrived(sim, Effect.READ) == tries
    assert ("after 2 attempts" in str(caught.value)) is row.passing


async def test_an_accepted_call_whose_sending_failed_is_not_repeated(client: Callsavvy, sim: Simulator) -> None:
    """``data.status`` "failed" is an answer: the receipt says so, and nothing is sent again (quirk Q12)."""
    sim.faults.next("sendSMS", Fault.SEND_FAILED)
    receipt = await client.messaging.send_sms(NUMBER, "Hello")
    assert receipt.failed
    assert receipt.status is SendStatus.FAILED
    assert arrived(sim, Effect.SPEND) == 1


@pytest.mark.parametrize("name", ["missing-data", "missing-fields", "null-fields", "php-arrays"])
async def test_an_accepted_send_keeps_what_came(name: str, client: Callsavvy, sim: Simulator) -> None:
    """A success without its fields is a receipt without them, with the raw answer: the money is spent all the same."""
    sim.faults.next("sendSMS", FAULTS[name])
    receipt = await client.messaging.send_sms(NUMBER, "Hello")
    assert receipt == SendReceipt()
    assert b'"success"' in receipt.raw


async def test_a_lost_delete_that_is_gone_is_done(client: Callsavvy, sim: Simulator) -> None:
    """A "not found" after a lost answer means that the first try deleted it; without one it is an error (quirk Q38)."""
    contact_id = next(iter(sim.world.contacts))
    sim.faults.next("deleteContact", Fault.DROP_AFTER_READ)
    await client.contacts.delete(contact_id)
    assert contact_id not in sim.world.contacts
    with pytest.raises(NotFoundError):
        await client.contacts.delete(contact_id)
    assert arrived(sim, Effect.IDEMPOTENT) == 3


async def test_a_refused_redirect_names_where_the_keys_would_have_gone(client: Callsavvy, sim: Simulator) -> None:
    """The error of a 307 says which host it points to, and the keys never travel there (quirk Q08)."""
    sim.faults.next("sendSMS", Fault.redirect(307))
    with pytest.raises(RedirectError, match=r"elsewhere\.example"):
        await client.messaging.send_sms(NUMBER, "Hello")
