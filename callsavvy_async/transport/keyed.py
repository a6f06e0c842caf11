"""Send one request for each key: look the key up, write ahead, send, record the outcome.

Theory:

1. A key has a row in the journal exactly while its request is in flight, and once the outcome is ACCEPTED or UNKNOWN. The
   row is committed before the first byte leaves, so a process that is killed cannot leave a request without a row.
2. A request that provably did nothing deletes the row: the next caller may send. This includes an attempt that waits for
   its retry.
3. Callers who find a row under way wait for its outcome. An UNKNOWN outcome stays until a person resolves it.

Waiting for the rate limit happens before the row, so a process that is killed while it waits leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

import anyio
import attrs

from callsavvy_async.config import Config, Destination
from callsavvy_async.errors import (
    ConfigurationError,
    DeadlineExceededError,
    KeyReusedError,
    Outcome,
    OutcomeUnknownError,
    RequestError,
)
from callsavvy_async.redaction import redact
from callsavvy_async.transport.clock import current_time
from callsavvy_async.transport.options import RequestOptions, apply_options, check_key
from callsavvy_async.transport.request_context import Exchange, RequestContext, current_context, tracking
from callsavvy_async.transport.request_templates import RequestTemplates
from callsavvy_async.wire.codec import Codec
from callsavvy_async.wire.endpoint import Endpoint
from callsavvy_async.wire.request import build_request
from callsavvy_async.wire.response import HttpResponse
from callsavvy_async.wire.response_headers import Headers

R = TypeVar("R")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25
"""Seconds between two looks at a key that is under way; the pause doubles."""


def new_token() -> int:
    """Return a token for a row. It is random by the system, because forked processes share the state of `random`."""
    return secrets.randbits(62)


def request_id_of(token: int) -> str:
    """Return the identifier of the request that a row's token names."""
    return f"{token:016x}"


@attrs.frozen
class Intent:
    """What a caller wants to happen once."""

    destination: Destination
    key: str
    resource: str
    digest: str
    """Digest of the content. The journal stores neither numbers nor texts of a keyed request."""
    token: int = attrs.field(factory=new_token)
    """Identifies this caller's row."""

    @property
    def request_id(self) -> str:
        """Identifier of the request that carries this row's token."""
        return request_id_of(self.token)


@attrs.frozen
class Found:
    """The row of a key.

    Attributes:
        digest: Digest of its content.
        outcome: ACCEPTED or UNKNOWN; None while it is under way.
        detail: Why the outcome is UNKNOWN.
        response: Status code and body of an ACCEPTED response.
    """

    digest: str
    outcome: Outcome | None
    detail: str
    response: tuple[int, bytes]


class KeyStore(Protocol):
    """The keys of an open journal."""

    async def look(self, intent: Intent, /) -> Found | None:
        """Return the row of a key; None if it has none, or has expired."""
        ...

    async def depart(self, intent: Intent, /) -> bool:
        """Create the row, durably. Return False if the key has one."""
        ...

    async def settle(self, intent: Intent, outcome: Outcome, /, response: HttpResponse | None, detail: str) -> None:
        """Record the outcome in the row that `depart` created. Never raises: the request has been made."""
        ...


class Keyring(Protocol):
    """A journal that opens when a client first needs it."""

    async def opened(self) -> KeyStore:
        """Open the journal, if it is not open."""
        ...

    async def aclose(self) -> None:
        """Close the journal, if the client opened it."""
        ...


class _Shared(Protocol):
    @property
    def keyring(self) -> Keyring | None: ...


class _Transport(Protocol):
    """The part of `Transport` that this module uses."""

    config: Config
    codec: Codec
    templates: RequestTemplates

    @property
    def shared(self) -> _Shared: ...

    async def send(self, endpoint: Endpoint[R], options: RequestOptions, /, **params: str | None) -> R: ...


class _KeyTakenError(Exception):
    """Another caller's request with this key left first."""


async def send_once(
    transport: _Transport, endpoint: Endpoint[R], options: RequestOptions, params: Mapping[str, str | None]
) -> R:
    """Send a request unless its key has been used, and return the receipt of the key's only request.

    Raises:
        ConfigurationError: The client has no journal, or the request needs no key; nothing was sent.
        KeyReusedError: The key belongs to a request with other content; nothing was sent.
        OutcomeUnknownError: The outcome is unknown, of this request or of the key's earlier one.
        DeadlineExceededError: The key's request is still under way at the deadline.
        RequestError: The request failed.
        JournalError: The journal cannot be used; nothing was sent.
    """
    options = options.copy()
    key = options.pop("key")
    intent = _intent(transport, endpoint, key, options, params)
    deadline = options.get("deadline", transport.config.request.deadline)
    keys = await require_keyring(transport.shared.keyring, "key=").opened()
    began, pause = current_time(), _FIRST_PAUSE
    while True:
        if deadline is not None:
            options["deadline"] = _time_left(intent, deadline - (current_time() - began))
        found = await keys.look(intent)
        if found is None:
            try:
                return await _send_first(keys, intent, lambda: transport.send(endpoint, options, **params))
            except _KeyTakenError:
                intent = attrs.evolve(intent, token=new_token())
        else:
            _refuse_unless_same(found, intent)
            if found.outcome is Outcome.ACCEPTED:
                return _replay(transport, endpoint, *found.response)
            if found.outcome is Outcome.UNKNOWN:
                raise _unknown(intent, found.detail)
        await anyio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def require_keyring(keyring: Keyring | None, what: str) -> Keyring:
    """Return a client's journal.

    Raises:
        ConfigurationError: The client has none.
    """
    if keyring is None:
        raise ConfigurationError(
            f"{what} needs a journal; create the client with Callsavvy(..., journal='sqlite:///sends.db')."
        )
    return keyring


def _time_left(intent: Intent, seconds: float) -> float:
    if seconds > 0:
        return seconds
    raise DeadlineExceededError(
        "another request with this key is still under way", endpoint=intent.resource, outcome=Outcome.NOT_SENT
    )


def _intent(
    transport: _Transport,
    endpoint: Endpoint[object],
    key: str,
    options: RequestOptions,
    params: Mapping[str, str | None],
) -> Intent:
    """Check the request, and compute the digest of its content. The order of parameters does not matter."""
    check_key(key)
    if endpoint.effect.retryable:
        raise ConfigurationError(
            f"{endpoint.resource} takes no key=: repeating it does no harm. A key is for a request that creates or charges."
        )
    extra = apply_options(transport.config.request, options).extra
    content = build_request(
        endpoint,
        {name: params[name] for name in sorted(params) if name != endpoint.clock},
        {name: extra[name] for name in sorted(extra)},
        template=transport.templates[endpoint.resource],
    )
    digest = hashlib.sha256(b"\0".join((endpoint.resource.encode(), key.encode(), content.body))).hexdigest()
    return Intent(transport.config.destination, key, endpoint.resource, digest)


async def _send_first(keys: KeyStore, intent: Intent, send: Callable[[], Awaitable[R]]) -> R:
    """Send the request; its row is there from before its first byte until the proof that nothing was done."""
    has_row = False

    async def depart(_request_id: str) -> None:
        nonlocal has_row
        if not await keys.depart(intent):
            raise _KeyTakenError
        has_row = True
        await anyio.lowlevel.checkpoint_if_cancelled()

    async def take_back() -> None:
        nonlocal has_row
        await keys.settle(intent, Outcome.NOT_SENT, response=None, detail="")
        has_row = False

    outer = current_context.get() or RequestContext()
    context = outer.inner = RequestContext(
        outer.shield, request_id=intent.request_id, before_sending=depart, before_waiting=take_back
    )
    try:
        with tracking(context):
            value = await send()
    except BaseException as error:
        if has_row:
            await keys.settle(intent, _outcome(error, context), response=None, detail=_detail(error))
        raise
    finally:
        outer.inner = None
        outer.exchanges += context.exchanges
    await keys.settle(intent, Outcome.ACCEPTED, response=context.exchanges[-1].response, detail="")
    return value


def _outcome(error: BaseException, context: RequestContext) -> Outcome:
    """Return the outcome of a request that raised an error, with its row in the journal."""
    if isinstance(error, RequestError):
        return error.outcome
    return Outcome.UNKNOWN if context.in_doubt else Outcome.NOT_SENT


def _detail(error: BaseException) -> str:
    return redact(error.reason) if isinstance(error, RequestError) else "it was cancelled in flight"


def _refuse_unless_same(found: Found, intent: Intent) -> None:
    if found.digest != intent.digest:
        raise KeyReusedError(
            f"{intent.resource}: the key {redact(intent.key)!r} belongs to a request with other content; use a separate key"
            " for each intent. Nothing was sent."
        )


def _unknown(intent: Intent, detail: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"the request with the key {redact(intent.key)!r} may have been performed ({detail}), so nothing is sent under it"
        " until the outcome is resolved, by Keys.resolve or 'callsavvy keys resolve'",
        endpoint=intent.resource,
        outcome=Outcome.UNKNOWN,
    )


def _replay(transport: _Transport, endpoint: Endpoint[R], status_code: int, body: bytes) -> R:
    """Decode the recorded response, and show it to the task's context as an exchange without attempts."""
    context = current_context.get()
    if context is not None:
        context.exchanges.append(Exchange(HttpResponse(status_code, Headers([]), body), ()))
    return transport.codec.decode(endpoint, transport.codec.read_envelope(endpoint, body), body)
