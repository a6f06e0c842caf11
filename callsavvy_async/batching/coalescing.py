"""Single sends of one text, by many coroutines, in as few requests as the limit demands.

Theory. Nagle's algorithm (RFC 896) with recipients for bytes: the first goes at once; while it is on its way those that
come gather, and leave together when it is answered, when a request takes no more of them, or after `max_delay`. The
recipients of a request are settled only when its turn has come at the limiter, so whoever comes while it waits there joins
too: the scarcer requests are, the more go into one.

Each batch has a task of its own in the task group of the context, so cancelling one sender harms no other.
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
    """What can share requests: everything is alike but the recipient.

    Attributes:
        key: equal for what is alike, whatever it is.
        resource: the endpoint, for errors.
        most: recipients that one request takes.
        send: sends one request.
    """

    key: Hashable = attrs.field(repr=False)
    resource: str
    most: int
    send: Callable[[Sequence[str]], Awaitable[R]] = attrs.field(repr=False)


@attrs.define(eq=False)
class _Member(Generic[R]):
    """One send: waits for what becomes of its recipient."""

    batch: _Batch[R]
    settled: anyio.Event = attrs.field(factory=anyio.Event)
    value: R | None = None
    error: Exception | None = None


@attrs.define(eq=False)
class _Batch(Generic[R]):
    """The sends that will share a request."""

    key: BatchKey[R]
    members: dict[str, _Member[R]] = attrs.field(factory=dict[str, _Member[R]], repr=False)
    go: anyio.Event = attrs.field(factory=anyio.Event)
    next: _Batch[R] | None = None
    leaving: bool = False
    """Whether its recipients are settled: nobody joins any more."""
    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    context: RequestContext = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.context = RequestContext(shield=True, before_sending=self._settle_recipients)

    def takes(self, number: str) -> bool:
        """Whether one more may join. A number that is in it already is another send, and goes with another request."""
        return not self.leaving and len(self.members) < self.key.most and number not in self.members

    def join(self, number: str) -> _Member[R]:
        member = self.members[number] = _Member(self)
        if len(self.members) >= self.key.most:
            self.go.set()
        return member

    def cancel(self, number: str) -> None:
        """Leave a recipient out of every request that has not left; one that has is shielded, and answered for the rest."""
        self.members.pop(number, None)
        if not self.members:
            self.leaving = True  # who came before the scope has ended would be told nothing
            self.scope.cancel()

    async def _settle_recipients(self) -> Mapping[str, str]:
        self.leaving = True
        if not self.members:
            await anyio.sleep_forever()  # the last one has just withdrawn and cancelled the scope
        return {"recipient": ",".join(self.members)}

    def settle(self, value: R | None, error: Exception | None) -> None:
        """Tell everybody. Each gets an error of their own, since raising one writes into it."""
        for member in self.members.values():
            member.value = value
            if error is not None:
                member.error = _copy(error)
            member.settled.set()

    def abort(self) -> None:
        """Tell everybody that nobody waits for the request any more, and what is known of it."""
        resource = self.key.resource
        if self.context.in_doubt:
            why = "the batching was broken off while the request was under way"
            self.settle(None, OutcomeUnknownError(why, endpoint=resource, outcome=Outcome.UNKNOWN))
        else:
            why = "the batching was left before the request could start"
            self.settle(None, NotSentError(why, endpoint=resource, outcome=Outcome.NOT_SENT))

    def halves(self) -> tuple[_Batch[R], _Batch[R]]:
        """Move the recipients into two batches that nobody joins."""
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
    except Exception:  # noqa: BLE001 - not ours, and made so that it cannot be: better shared than untold
        return error
    copied.__cause__ = error.__cause__
    return copied


class Coalescer:
    """Gathers sends into requests, inside ``async with``; leaving waits for everything that is gathered.

    Args:
        max_delay: seconds for which a send may be held back, beside waiting for the limit, to gather company.
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
                group.cancel_scope.cancel()  # what is on the wire is shielded, and waited for
            await group.__aexit__(None, None, None)  # no ExceptionGroup around what the block raised

    async def send(self, key: BatchKey[R], number: str) -> R:
        """Send to one number, with whoever sends the same at the same time.

        Raises:
            ClientClosedError: the context was left.
            ConfigurationError: it was entered in another event loop.
            RequestError: what became of the request.
        """
        if self._group is None:
            raise ClientClosedError(f"{key.resource}: the batching was left. Send inside its 'async with' block.")
        if running_loop()[0] is not self._loop:
            raise ConfigurationError(
                f"{key.resource}: the batching was entered in another event loop, and its requests run there."
                " Enter one in each loop; they may be of one client."
            )
        batch: _Batch[R] | None = self._newest.get(key.key)  # type: ignore[assignment] # one key, one type of answer
        if batch is None or not batch.takes(number):
            fresh = _Batch(key)
            if batch is None:
                fresh.go.set()
            else:
                batch.next = fresh
            batch = self._newest[key.key] = fresh  # type: ignore[assignment]
            self._group.start_soon(self._run, fresh, self._group)
        member = batch.join(number)
        try:
            await member.settled.wait()
        except BaseException:
            member.batch.cancel(number)
            raise
        if member.error is not None:
            raise member.error
        return member.value  # type: ignore[return-value] # there is no error, so there is a value

    async def _run(self, batch: _Batch[R], group: TaskGroup) -> None:
        try:
            with batch.scope:
                with anyio.move_on_after(self._max_delay):
                    await batch.go.wait()
                current_context.set(batch.context)
                batch.settle(await batch.key.send(tuple(batch.members)), None)
        except RequestError as error:
            if len(batch.members) > 1 and (names_recipient(error, batch.members) or too_large(error)):
                for half in batch.halves():  # nothing was charged: only the bad number is to fail
                    half.go.set()
                    group.start_soon(self._run, half, group)
            batch.settle(None, error)
        except Exception as error:  # noqa: BLE001 - raised by those who wait
            batch.settle(None, error)
        except BaseException:
            batch.abort()
            raise
        finally:
            batch.leaving = True
            if batch.next is not None:
                batch.next.go.set()
            if self._newest.get(batch.key.key) is batch:
                del self._newest[batch.key.key]
