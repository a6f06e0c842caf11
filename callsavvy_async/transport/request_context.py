"""Observe and control the requests of one task from above the transport.

`Callsavvy.with_raw_response` reads the exchanges. Bulk sends also shield requests in flight, so that stopping a bulk send
waits for the responses of paid requests instead of making their outcome UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

import anyio
import attrs

from callsavvy_async.errors import Attempt, Outcome
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind
from callsavvy_async.wire.response import HttpResponse

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@attrs.frozen
class Exchange:
    """The last response, if any, and all attempts of one request."""

    response: HttpResponse | None
    attempts: tuple[Attempt, ...]


@attrs.frozen
class RawResponse(Generic[R_co]):
    """A method's result together with its HTTP response."""

    value: R_co
    status_code: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    """Under lower-case names."""
    body: bytes = attrs.field(repr=False)
    attempts: tuple[Attempt, ...]


@attrs.define(eq=False)
class RequestContext:
    """The context of the running task's requests.

    Attributes:
        shield: True to shield a request in flight from cancellation until its response arrives or `abandon` is called.
        bulk: True for a bulk send, which lets interactive requests go first.
        exchanges: One exchange for each request that has ended.
        on_wire: True while a request is in flight.
        on_wait: Called when a request waits for the rate, but not when it waits for requests in flight.
        before_sending: Awaited before the first byte of each attempt leaves. An exception prevents the attempt. The
            journal writes ahead here. The returned parameters override those of the request.
        before_waiting: Awaited before the wait for each retry, when the failed attempt is proved not done or harmless to
            repeat. The journal takes its mark back here.
        inner: Context of a keyed request that runs inside this one.
    """

    shield: bool = False
    bulk: bool = False
    exchanges: list[Exchange] = attrs.field(factory=list[Exchange])
    on_wire: bool = False
    on_wait: Callable[[], object] | None = None
    before_sending: Callable[[], Awaitable[Mapping[str, str] | None]] | None = None
    before_waiting: Callable[[], Awaitable[None]] | None = None
    inner: RequestContext | None = None
    _scope: anyio.CancelScope | None = None

    @property
    def in_doubt(self) -> bool:
        """True if a request may have been processed although its caller has no response, after a cancellation or a bug."""
        last = (exchange.attempts[-1].outcome for exchange in self.exchanges if exchange.attempts)
        return self.on_wire or any(outcome in {Outcome.ACCEPTED, Outcome.UNKNOWN} for outcome in last)

    def raw_response(self, value: R) -> RawResponse[R] | None:
        """Return a result with the last response; None without a response."""
        for exchange in reversed(self.exchanges):
            if (response := exchange.response) is not None:
                return RawResponse(value, response.status_code, response.headers, response.body, exchange.attempts)
        return None

    async def about_to_send(self) -> Mapping[str, str] | None:
        """Run `before_sending`; return the parameters to override."""
        return None if self.before_sending is None else await self.before_sending()

    async def about_to_wait(self) -> None:
        """Run `before_waiting`."""
        if self.before_waiting is not None:
            await self.before_waiting()

    @contextmanager
    def exchanging(self) -> Generator[None, None, None]:
        """Mark one exchange as in flight, and shield it if `shield` is set."""
        self.on_wire = True
        if not self.shield:
            yield
            return
        with anyio.CancelScope(shield=True) as self._scope:
            yield
        if self._scope.cancelled_caught:
            raise ExchangeFailedError(FailureKind.CANCELLED, sent=True)

    def completed(self) -> None:
        """Record the end of the exchange."""
        self.on_wire = False
        self._scope = None

    def abandon(self) -> None:
        """Stop waiting for the response; the outcome is UNKNOWN."""
        if self.inner is not None:
            self.inner.abandon()
        if self._scope is not None:
            self._scope.cancel()


@contextmanager
def tracking(context: RequestContext) -> Generator[RequestContext, None, None]:
    """Use a context for the requests of the running task while the block runs."""
    token = current_context.set(context)
    try:
        yield context
    finally:
        current_context.reset(token)


current_context: ContextVar[RequestContext | None] = ContextVar("callsavvy_request_context", default=None)
"""The context of the running task, if it has one."""
