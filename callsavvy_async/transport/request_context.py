"""Follow the requests of one task from above the transport: what went over the wire, and whether something is under way.

`Callsavvy.with_raw_response` reads the exchanges; bulk sends also shield what is on the wire, so that stopping them
waits for the answers to paid requests instead of making them unknown.
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
    """What went over the wire in one request: the last answer, if any, and every attempt."""

    response: HttpResponse | None
    attempts: tuple[Attempt, ...]


@attrs.frozen
class RawResponse(Generic[R_co]):
    """A method's result with what went over the wire."""

    value: R_co
    status_code: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    """Under lower-case names."""
    body: bytes = attrs.field(repr=False)
    attempts: tuple[Attempt, ...]


@attrs.define(eq=False)
class RequestContext:
    """A view of the running task's requests.

    Attributes:
        shield: whether a request on the wire is kept from cancellation until its answer comes or `abandon` is called.
        bulk: whether its requests belong to a bulk send, which lets interactive ones go first.
        exchanges: one for each request that settled.
        on_wire: whether a request was on the wire when it was last seen.
        on_wait: called when the limit lets a request wait for its turn; not for one that waits for others to come back.
        before_sending: awaited before the first byte of each request leaves; what it raises keeps the request from being
            sent. A journal writes ahead here. The parameters that it returns take the place of those of the request.
        before_waiting: awaited before each wait for a repeat: nothing is on the wire, and what was is proved not done,
            or may be done twice. A journal takes its mark back here.
    """

    shield: bool = False
    bulk: bool = False
    exchanges: list[Exchange] = attrs.field(factory=list[Exchange])
    on_wire: bool = False
    on_wait: Callable[[], object] | None = None
    before_sending: Callable[[], Awaitable[Mapping[str, str] | None]] | None = None
    before_waiting: Callable[[], Awaitable[None]] | None = None
    _scope: anyio.CancelScope | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether something may have been done, for when the caller was left without its answer: by a cancellation, a bug."""
        last = (exchange.attempts[-1].outcome for exchange in self.exchanges if exchange.attempts)
        return self.on_wire or any(outcome in {Outcome.ACCEPTED, Outcome.UNKNOWN} for outcome in last)

    def raw_response(self, value: R) -> RawResponse[R] | None:
        """Return a result with the last response that came; None when none did."""
        for exchange in reversed(self.exchanges):
            if (response := exchange.response) is not None:
                return RawResponse(value, response.status_code, response.headers, response.body, exchange.attempts)
        return None

    async def about_to_send(self) -> Mapping[str, str] | None:
        """Let whoever watches write down that a request is about to leave, and settle what it says."""
        return None if self.before_sending is None else await self.before_sending()

    async def about_to_wait(self) -> None:
        """Let whoever watches write down that nothing is on the wire until the repeat."""
        if self.before_waiting is not None:
            await self.before_waiting()

    @contextmanager
    def exchanging(self) -> Generator[None, None, None]:
        """Surround one exchange."""
        self.on_wire = True
        if not self.shield:
            yield
            return
        with anyio.CancelScope(shield=True) as self._scope:
            yield
        if self._scope.cancelled_caught:
            raise ExchangeFailedError(FailureKind.CANCELLED, sent=True)

    def completed(self) -> None:
        """Note that the exchange ended with a verdict."""
        self.on_wire = False
        self._scope = None

    def abandon(self) -> None:
        """Stop waiting for the answer; the outcome will be UNKNOWN."""
        if self._scope is not None:
            self._scope.cancel()


@contextmanager
def tracking(context: RequestContext) -> Generator[RequestContext, None, None]:
    """Let a context follow the requests of the running task while the block runs."""
    token = current_context.set(context)
    try:
        yield context
    finally:
        current_context.reset(token)


current_context: ContextVar[RequestContext | None] = ContextVar("callsavvy_watch", default=None)
"""The context of the running task, if somebody watches."""
