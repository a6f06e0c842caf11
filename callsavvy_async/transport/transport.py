"""Send one request: on the straight path if its first attempt succeeds, else as `attempts` continues it."""

from __future__ import annotations

import math
from typing import TypeVar

from callsavvy_async.config import Config
from callsavvy_async.errors import ClientClosedError
from callsavvy_async.policy.ratelimit_headers import LIMIT_FIELDS
from callsavvy_async.transport.attempts import ADMITTED, Attempts
from callsavvy_async.transport.clock import running_clock
from callsavvy_async.transport.keyed import send_once
from callsavvy_async.transport.options import RequestOptions, apply_options
from callsavvy_async.transport.pending_request import PendingRequest
from callsavvy_async.transport.request_context import current_context
from callsavvy_async.transport.request_templates import RequestTemplates
from callsavvy_async.transport.shared_state import Shared
from callsavvy_async.wire.codec import Codec
from callsavvy_async.wire.endpoint import Endpoint
from callsavvy_async.wire.request import build_request
from callsavvy_async.wire.response import HttpResponse

R = TypeVar("R")
_OK = 200


class Transport:
    """Carries requests to the API under one set of settings."""

    def __init__(self, config: Config, shared: Shared) -> None:
        self.config = config
        self.shared = shared
        self.codec: Codec = Codec(config.timezone)
        self.templates: RequestTemplates = RequestTemplates(config)
        self.attempts: Attempts = Attempts(config, shared, self.codec)

    async def send(self, endpoint: Endpoint[R], options: RequestOptions, /, **params: str | None) -> R:
        """Send a request and return its decoded response.

        Args:
            endpoint: Endpoint of the request.
            options: Options of this request.
            params: Parameters under their wire names; None omits a parameter.

        Raises:
            InvalidRequestError: A parameter is invalid; nothing was sent.
            RequestError: The request failed; see the tree in `callsavvy_async.errors`.
        """
        shared, settings = self.shared, self.config.request
        if options:
            if "key" in options:
                return await send_once(self, endpoint, options, params)
            settings = apply_options(settings, options)
        request = build_request(endpoint, params, settings.extra, template=self.templates[endpoint.resource])
        if shared.closed:
            raise ClientClosedError(f"{endpoint.resource}: the client is closed. Enter it again with 'async with'.")
        clock = running_clock()
        began = clock()
        limiter = shared.pacing.limiter(endpoint.resource)
        observed, context = shared.hooks.listening, current_context.get()
        permit = limiter.try_acquire(began) if context is None and not observed else None
        exchange = None
        if permit is not None:
            # The straight path of a first attempt that succeeds, as nearly all do: nothing is made that only an observer, a
            # wait or a failure needs (58,000 of 207,000 instructions). Anything else continues below with what is known.
            value = None
            try:
                response = await shared.backend.exchange(
                    request, timeout=settings.first_timeout, max_bytes=self.config.max_response_bytes
                )
                if response.status_code == _OK and not response.headers.has_any(LIMIT_FIELDS):
                    value = self.codec.decode_usual(endpoint, response.body)
            except BaseException as error:  # noqa: BLE001 - raised again where failures are classified
                exchange = _failed(error)
            else:
                if value is not None:
                    limiter.done(permit, ADMITTED, clock())
                    shared.budget.succeeded()
                    return value
                exchange = _ended(response)
        ends_at = math.inf if settings.deadline is None else began + settings.deadline
        pending = PendingRequest(endpoint, params, request, settings, clock, began, ends_at, context, observed)
        return await self.attempts.send(endpoint, pending, permit, exchange)


async def _ended(response: HttpResponse) -> HttpResponse:
    """Return the response of an exchange that has ended."""
    return response


async def _failed(error: BaseException) -> HttpResponse:
    """Raise the error of an exchange that has ended, and keep no reference to it, which would be a cycle."""
    try:
        raise error
    finally:
        del error
