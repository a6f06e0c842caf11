"""Combine equal sends by many coroutines into few requests.

Theory: Nagle's algorithm (RFC 896), with recipients instead of bytes. The first send leaves at once. Later sends gather
while that request is in flight. They leave together when its response arrives, when the request is full, or after
`max_delay`. Recipients can join until the rate limiter admits the request, so requests get larger as the limit gets tighter.

Each batch runs in its own task, so cancelling one sender does not affect the others.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

import anyio
import attrs
from anyio.abc import TaskGroup

from callsavvy_async.errors import (
    ClientClosedError,
    ConfigurationError,
    NotSentError,
    Outcome,
    OutcomeUnknownError,
    RequestError,
)
from callsavvy_async.policy.rejection import names_recipient, too_large
from callsavvy_async.transport.loops import running_loop
from callsavvy_async.transport.request_context import RequestContext, current_context

R = TypeVar("R")


@attrs.frozen
class BatchKey(Generic[R]):
    """The kind of a send. Sends of the same kind differ only in the recipient and may share a request.

    Attributes:
        value: equal for sends that may share a request.
        resource: the endpoint, for errors.
        max_recipients: most recipients of one request.
        send: sends one request.
    """

    value: Hashable = attrs.field(repr=False)
    resource: str
    max_recipients: int
    send: Callable[[Sequence[str]], Awaitable[R]] = attrs.field(repr=False)


@attrs.define(eq=False)
class _Member(Generic[R]):
    """One send, which waits for its result."""

    batch: _Batch[R]
    settled: anyio.Event = attrs.field(factory=anyio.Event)
    value: R | None = None
    error: Exception | None = None


@attrs.define(eq=False)
class _Batch(Generic[R]):
    """Sends that share a request."""

    key: BatchKey[R]
    members: dict[str, _Member[R]] = attrs.field(factory=dict[str, _Member[R]], repr=False)
    go: anyio.Event = attrs.field(factory=anyio.Event)
    next: _Batch[R] | None = None
    leaving: bool = False
    """Whether the recipients are final."""
    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    context: RequestContext = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.context = RequestContext(shield=True, before_sending=self._fix_recipients)

    def accepts(self, number: str) -> bool:
        """Return whether a number may join. A second send to the same number needs another request."""
        return not self.leaving and len(self.members) < self.key.max_recipients and number not in self.members

    def join(self, number: str) -> _Member[R]:
        member = self.members[number] = _Member(self)
        if len(self.members) >= self.key.max_recipients:
            self.go.set()
        return member

    def cancel(self, number: str) -> None:
        """Remove a recipient. A request that has left is shielded and continues for the other recipients."""
        self.members.pop(number, None)
        if not self.members:
            self.leaving = True  # a send that joined now would never get a result
            self.scope.cancel()

    async def _fix_recipients(self, _request_id: str) -> Mapping[str, str]:
        self.leaving = True
        if not self.members:
            await anyio.sleep_forever()  # the last member was cancelled, and the scope with it
        return {"recipient": ",".join(self.members)}

    def settle(self, value: R | None, error: Exception | None) -> None:
        """Set the result of every member. Each gets a copy of the error, because raising an error modifies it."""
        for member in self.members.values():
            member.value = value
            if error is not None:
                member.error = _copy(error)
            member.settled.set()

    def abort(self) -> None:
        """Fail every member, because the request was cancelled."""
        resource = self.key.resource
        if self.context.in_doubt:
            why = "the batcher was closed while the request was in flight"
            self.settle(None, OutcomeUnknownError(why, endpoint=resource, outcome=Outcome.UNKNOWN))
        else:
            why = "the batcher was closed before the request could start"
            self.settle(None, NotSentError(why, endpoint=resource, outcome=Outcome.NOT_SENT))

    def halves(self) -> tuple[_Batch[R], _Batch[R]]:
        """Move the recipients into two closed batches."""
        numbers = list(self.members)
        middle = len(numbers) // 2
        first, second = _Batch(self.key, leaving=True), _Batch(self.key, leaving=True)
        for half, part in ((first, numbers[:middle]), (second, numbers[middle:])):
            for number in part:
                half.members[number] = self.members[number]
                half.members[number].batch = half
        self.members = {}
        return first, second


def _copy(error: Exception) -> Exception:
    try:
        copied = copy.copy(error)
    except Exception:  # noqa: BLE001 - a foreign error that cannot be copied is shared
        return error
    copied.__cause__ = error.__cause__
    return copied


class Coalescer:
    """Gathers sends into requests inside ``async with``. Leaving the block waits for all gathered sends.

    Args:
        max_delay: most seconds that a send waits for others, besides its wait for the limit.
    """

    def __init__(self, max_delay: float) -> None:
        self._max_delay = max_delay
        self._group: TaskGroup | None = None
        self._loop: object = None
        self._newest: dict[Hashable, _Batch[object]] = {}

    async def __aenter__(self) -> Self:
        self._loop, _ = running_loop()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        group, self._group = self._group, None
        if group is not None:
            if error is not None:
                group.cancel_scope.cancel()  # requests in flight are shielded and awaited
            await group.__aexit__(None, None, None)  # no ExceptionGroup around the block's own error

    async def send(self, key: BatchKey[R], number: str) -> R:
        """Send to one number, together with equal sends of other coroutines.

        Raises:
            ClientClosedError: the block was left.
            ConfigurationError: the block was entered in another event loop.
            RequestError: the request failed.
        """
        if self._group is None:
            raise ClientClosedError(f"{key.resource}: the batcher is closed. Send inside its 'async with' block.")
        if running_loop()[0] is not self._loop:
            raise ConfigurationError(
                f"{key.resource}: the batcher was entered in another event loop, and its requests run there."
                " Enter one batcher per loop; they may share a client."
            )
        batch: _Batch[R] | None = self._newest.get(key.value)  # type: ignore[assignment] # one key, one result type
        if batch is None or not batch.accepts(number):
            fresh = _Batch(key)
            if batch is None:
                fresh.go.set()
            else:
                batch.next = fresh
            batch = self._newest[key.value] = fresh  # type: ignore[assignment]
            self._group.start_soon(self._run, fresh, self._group)
        member = batch.join(number)
        try:
            await member.settled.wait()
        except BaseException:
            member.batch.cancel(number)
            raise
        if member.error is not None:
            raise member.error
        return member.value  # type: ignore[return-value] # set, because there is no error

    async def _run(self, batch: _Batch[R], group: TaskGroup) -> None:
        try:
            with batch.scope:
                with anyio.move_on_after(self._max_delay):
                    await batch.go.wait()
                current_context.set(batch.context)
                batch.settle(await batch.key.send(tuple(batch.members)), None)
        except RequestError as error:
            if len(batch.members) > 1 and (names_recipient(error, batch.members) or too_large(error)):
                for half in batch.halves():  # nothing was charged, so only the bad number has to fail
                    half.go.set()
                    group.start_soon(self._run, half, group)
            batch.settle(None, error)
        except Exception as error:  # noqa: BLE001 - raised by the waiting members
            batch.settle(None, error)
        except BaseException:
            batch.abort()
            raise
        finally:
            batch.leaving = True
            if batch.next is not None:
                batch.next.go.set()
            if self._newest.get(batch.key.value) is batch:
                del self._newest[batch.key.value]
