"""What the hooks get of one request."""

from __future__ import annotations

import logging
from decimal import Decimal

import attrs

from callsavvy_async.errors import InvalidRequestError, Outcome
from callsavvy_async.policy.outcome import Verdict
from callsavvy_async.transport.hooks import (
    AttemptFailed,
    Hooks,
    RateLimited,
    RequestSettled,
    RequestStarted,
    RequestWaiting,
)
from callsavvy_async.transport.pending_request import PendingRequest
from callsavvy_async.transport.request_context import Exchange

_log = logging.getLogger("callsavvy_async")


def announce(hooks: Hooks, pending: PendingRequest) -> None:
    """Notify the hooks of a request's start, and add the header fields that they ask for."""
    resource, url = pending.endpoint.resource, pending.request.template.url
    started = RequestStarted(resource, request_id=pending.request_id, url=url, chunk=pending.chunk)
    hooks(started)
    if started.headers:
        try:
            template = pending.request.template.with_headers(started.headers)
        except InvalidRequestError as error:
            _log.error("the header fields of a hook are not sent: %s", error, extra={"request_id": pending.request_id})
        else:
            pending.request = attrs.evolve(pending.request, template=template)


def note_wait(hooks: Hooks, pending: PendingRequest, seconds: float | None, why: str, ahead: int) -> None:
    """Notify the hooks that a request waits for its turn; see `RequestWaiting`."""
    resource, number = pending.endpoint.resource, pending.number
    hooks(RequestWaiting(resource, seconds, why, ahead, request_id=pending.request_id, number=number))


def note_rate_limit(hooks: Hooks, pending: PendingRequest, verdict: Verdict, pause: float) -> None:
    """Notify the hooks of a 429, after which all requests pause for some seconds."""
    resource, number = pending.endpoint.resource, pending.number
    hooks(RateLimited(resource, pause, verdict.retry_after, request_id=pending.request_id, number=number))


def note_failure(hooks: Hooks, pending: PendingRequest, retry_in: float | None) -> None:
    """Notify the hooks of the last attempt, which failed."""
    attempts, resource = pending.attempts, pending.endpoint.resource
    hooks(AttemptFailed(resource, attempts[-1], len(attempts), retry_in, request_id=pending.request_id))


def note_end(
    hooks: Hooks, pending: PendingRequest, outcome: Outcome, value: object = None, *, cancelled: bool = False
) -> None:
    """Notify the hooks and the context of a request's end.

    Args:
        hooks: Hooks of the client.
        pending: The request.
        outcome: Its outcome.
        value: Its result, which may have a cost.
        cancelled: True if it was cancelled.
    """
    attempts, seconds = tuple(pending.attempts), pending.clock() - pending.began
    if pending.is_observed:
        cost: Decimal | None = getattr(value, "cost", None)
        settled = RequestSettled(
            pending.endpoint.resource,
            outcome,
            attempts,
            seconds,
            cancelled,
            request_id=pending.request_id,
            chunk=pending.chunk,
            cost=cost,
        )
        hooks(settled)
    if pending.context is not None:
        pending.context.exchanges.append(Exchange(pending.response, attempts, pending.request_id, seconds))
