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

from callsavvy_async.errors import Attempt, ConfigurationError, Outcome
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind
from callsavvy_async.wire.response import HttpResponse

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@attrs.frozen
class BulkChunk:
    """The chunk of a bulk send or campaign that a request carries.

    Attributes:
        number: Number of the chunk.
        recipients: Number of recipients.
        campaign: Number of the campaign in its journal; None for a bulk send.
        run: Number of the run in its journal; None for a bulk send.
    """

    number: int
    recipients: int
    campaign: int | None = None
    run: int | None = None


@attrs.frozen
class Exchange:
    """One request that has ended.

    Attributes:
        response: Last response; None without one.
        attempts: The attempts, in order.
        request_id: Identifier of the request; empty for the recorded response of a key.
        seconds: Seconds from its start to its end.
    """

    response: HttpResponse | None
    attempts: tuple[Attempt, ...]
    request_id: str = ""
    seconds: float = 0.0


@attrs.frozen
class RawResponse(Generic[R_co]):
    """A method's result together with its HTTP response.

    Attributes:
        value: The result of the method.
        status_code: HTTP status of the last response.
        headers: Header fields of the last response, under lower-case names.
        body: Body of the last response, after decompression.
        attempts: The attempts, in order; none if the response of a key was recorded before.
        request_id: Identifier of the request, as in events, logs and spans.
        seconds: Seconds for the request, with its waits and retries.
    """

    value: R_co
    status_code: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    attempts: tuple[Attempt, ...]
    request_id: str
    seconds: float


@attrs.define(eq=False)
class RequestContext:
    """The context of the running task's requests.

    Attributes:
        shield: True to shield a request in flight from cancellation until its response arrives or `abandon` is called.
        chunk: Chunk that a request of a bulk send carries. Such a request lets interactive requests go first.
        request_id: Identifier of the request; empty for a random one.
        exchanges: One exchange for each request that has ended.
        on_wire: True while a request is in flight.
        on_wait: Called when a request waits for the rate, but not when it waits for requests in flight.
        before_sending: Awaited before the first byte of each attempt leaves. An exception prevents the attempt. The
            journal writes ahead here. It gets the request's identifier. The returned parameters override those of the
            request.
        before_waiting: Awaited before the wait for each retry, when the failed attempt is proved not done or harmless to
            repeat. The journal takes its mark back here.
        inner: Context of a keyed request that runs inside this one.
    """

    shield: bool = False
    chunk: BulkChunk | None = None
    request_id: str = ""
    exchanges: list[Exchange] = attrs.field(factory=list[Exchange])
    on_wire: bool = False
    on_wait: Callable[[], object] | None = None
    before_sending: Callable[[str], Awaitable[Mapping[str, str] | None]] | None = None
    before_waiting: Callable[[], Awaitable[None]] | None = None
    inner: RequestContext | None = None
    _scope: anyio.CancelScope | None = None

    @property
    def in_doubt(self) -> bool:
        """True if a request may have been processed although its caller has no response, after a cancellation or a bug."""
        last = (exchange.attempts[-1].outcome for exchange in self.exchanges if exchange.attempts)
        return self.on_wire or any(outcome in {Outcome.ACCEPTED, Outcome.UNKNOWN} for outcome in last)

    @property
    def last_request_id(self) -> str:
        """Identifier of the last request that has ended; empty if there is none."""
        return self.exchanges[-1].request_id if self.exchanges else ""

    def raw_response(self, value: R, method: object) -> RawResponse[R]:
        """Return a method's result with the last response.

        Args:
            value: Result of the method.
            method: The method.

        Raises:
            ConfigurationError: The method sent no request.
        """
        for exchange in reversed(self.exchanges):
            if (response := exchange.response) is not None:
                return RawResponse(
                    value,
                    response.status_code,
                    response.headers,
                    response.body,
                    exchange.attempts,
                    exchange.request_id,
                    exchange.seconds,
                )
        raise ConfigurationError(
            f"{method!r} did not send a request; pass a method of the client, such as client.tickets.list."
        )

    async def about_to_send(self, request_id: str) -> Mapping[str, str] | None:
        """Run `before_sending`; return the parameters to override."""
        return None if self.before_sending is None else await self.before_sending(request_id)

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
