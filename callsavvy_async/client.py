"""`Callsavvy`, the client of the API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar, Unpack, cast

import attrs

from callsavvy_async.client_options import ClientOptions, open_keyring
from callsavvy_async.config import BASE_URL, Config, Credentials, RequestSettings, choose_credentials, read_environment
from callsavvy_async.keywords import refuse_unknown
from callsavvy_async.policy.budget import RetryBudget
from callsavvy_async.policy.retry import RetryPolicy
from callsavvy_async.resources import check_resources
from callsavvy_async.settings import check_settings
from callsavvy_async.tracebacks import private_arguments
from callsavvy_async.transport.backends.backend import Backend
from callsavvy_async.transport.backends.choose import BackendName, Brought, choose_backend, goes_directly
from callsavvy_async.transport.hooks import Hook, Hooks, log_event
from callsavvy_async.transport.keyed import require_keyring
from callsavvy_async.transport.native.trust import Verify
from callsavvy_async.transport.options import RequestOptions, apply_options
from callsavvy_async.transport.rate_limiters import OnePacing, RateLimiters, choose_pacing
from callsavvy_async.transport.request_context import RawResponse, RequestContext, tracking
from callsavvy_async.transport.shared_state import Shared
from callsavvy_async.transport.transport import Transport
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.model import Receipt

if TYPE_CHECKING:
    import aiohttp  # users bring them; each costs more to import than all of this package
    import httpx
    import httpx2

    from callsavvy_async.batching.batcher import Batcher
    from callsavvy_async.bulk.bulk import Bulk
    from callsavvy_async.campaigns import Journal, Keys
    from callsavvy_async.config import Destination
    from callsavvy_async.resources.account import Account
    from callsavvy_async.resources.calls import Calls
    from callsavvy_async.resources.chats import Chats
    from callsavvy_async.resources.contacts import Contacts
    from callsavvy_async.resources.meetings import Meetings
    from callsavvy_async.resources.messaging import Messaging
    from callsavvy_async.resources.tickets import Tickets

P = ParamSpec("P")
R = TypeVar("R")


@private_arguments
class Callsavvy:
    """Client of the Callsavvy API, for asyncio and trio.

    Use it as ``async with Callsavvy(...) as callsavvy``. A closed client may be entered again. It may serve several event
    loops, also concurrently in several threads; its rate limit is shared by all of them.

    Args:
        credentials: the account's keys; alternatively, give `public_key` and `private_key`.
        public_key: the API Public Key.
        private_key: the API Private Key.
        base_url: URL of the API, including ``/v1``. Plain http is allowed only to loopback, unless `allow_insecure`.
        timeout: seconds for one attempt, connecting included.
        deadline: seconds for a request, with its waits and retries; None for no limit.
        max_retries: retries after failures that are safe to retry. After a 429 only the deadline limits retries.
        timezone: time zone of the API's naive times; None leaves them naive.
        max_response_bytes: largest response in bytes, after decompression.
        allow_insecure: allow plain http to any host, which sends the keys unencrypted.
        pacing: the pacer, which decides when requests may start: ``Adaptive()``, ``FixedRate("10/s")``, ``Unlimited()`` or
            a custom `Pacer`. By default the client measures the limit, unless `rate` is given. If endpoints have separate
            limits, give a pacer for each: ``{"sendSMS": FixedRate("10/s"), "*": Adaptive()}``. To share a limit between
            processes, give the URL of a Redis, Valkey or PostgreSQL server, or a `SharedPacing`.
        rate: short for ``pacing=FixedRate(rate)``: the request rate, such as ``"10/s"`` or ``"600/min"``.
        burst: with `rate`, number of requests that may start at once after a pause.
        max_in_flight: most requests in flight, 64 by default; not together with `pacing`.
        hooks: functions to call with each event of a request, after the logging hook.
        extra: undocumented parameters of the API, sent with every request.
        http_client: an `httpx.AsyncClient`, of httpx or httpx2, to send with. The client does not close it.
        transport: an `httpx.AsyncBaseTransport`, of httpx or httpx2, to send with. The client does not close it.
        session: an `aiohttp.ClientSession` to send with. The client does not close it.
        backend: the HTTP backend: ``"native"``, the fastest, for asyncio only; ``"httpx"``, for trio and proxies;
            ``"aiohttp"``; or a custom `Backend`. ``"auto"`` is the native backend where it can run, and httpx if a mock or
            instrumentation has patched httpx.
        verify: True; the path of a file or directory of certificates; an SSL context; or False to skip verification.
        proxy: URL of a proxy, or ``"env"`` for the variables HTTPS_PROXY, ALL_PROXY and NO_PROXY.
        journal: URL of the journal for requests with ``key=``, or an open `Journal`, which stays open.

    Raises:
        ConfigurationError: a setting breaks a rule, or settings exclude each other.
    """

    def __init__(
        self,
        credentials: Credentials | None = None,
        *,
        public_key: str | None = None,
        private_key: str | None = None,
        base_url: str = BASE_URL,
        timeout: float = 30.0,
        deadline: float | None = 300.0,
        max_retries: int = 3,
        timezone: tzinfo | None = None,
        max_response_bytes: int = 64 * 2**20,
        allow_insecure: bool = False,
        pacing: OnePacing | Mapping[str, OnePacing] | None = None,
        rate: str | None = None,
        burst: int = 1,
        max_in_flight: int | None = None,
        hooks: Sequence[Hook] = (),
        extra: Mapping[str, object] | None = None,
        http_client: httpx.AsyncClient | httpx2.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport | None = None,
        session: aiohttp.ClientSession | None = None,
        backend: BackendName | Backend = "auto",
        verify: Verify = True,
        proxy: str | None = None,
        journal: str | Journal | None = None,
    ) -> None:
        check_settings(hooks=hooks, extra=extra, journal=journal)
        check_resources(pacing)
        config = Config(
            credentials=choose_credentials(credentials, public_key, private_key),
            base_url=base_url,
            timezone=timezone,
            max_response_bytes=max_response_bytes,
            allow_insecure=allow_insecure,
            request=RequestSettings(
                timeout=timeout, deadline=deadline, retry=RetryPolicy(max_retries), extra={**(extra or {})}
            ),
        )
        all_hooks = Hooks((log_event, *hooks))
        paced = choose_pacing(pacing, rate, burst, max_in_flight)
        limiters = RateLimiters(paced, config.credentials.public_key, all_hooks, "" if transport else config.base_url)
        brought = Brought(http_client, transport, session)
        chosen = choose_backend(backend, brought, verify=verify, proxy=proxy, base_url=config.base_url)
        direct = goes_directly(chosen, backend, proxy)
        shared = Shared(chosen, limiters, all_hooks, RetryBudget(), direct, open_keyring(journal))
        self._transport = Transport(config, shared)

    @classmethod
    def from_env(cls, **options: Unpack[ClientOptions]) -> Self:
        """Create a client from CALLSAVVY_PUBLIC_KEY, CALLSAVVY_PRIVATE_KEY and, if set, CALLSAVVY_BASE_URL.

        Raises:
            ConfigurationError: a variable is missing, or an option does not exist.
        """
        refuse_unknown(options, ClientOptions.__annotations__, kind="option", where="a client")
        credentials, base_url = read_environment()
        settings: ClientOptions = {"base_url": base_url, **options}
        return cls(credentials, **settings)

    # The groups of the API are imported on first use, because most programs use few.
    @cached_property
    def account(self) -> Account:
        """The account: balances, departments, categories, agents."""
        from callsavvy_async.resources.account import Account  # noqa: PLC0415

        return Account(self._transport)

    @cached_property
    def tickets(self) -> Tickets:
        """Support tickets."""
        from callsavvy_async.resources.tickets import Tickets  # noqa: PLC0415

        return Tickets(self._transport)

    @cached_property
    def calls(self) -> Calls:
        """Phone calls, outgoing and incoming."""
        from callsavvy_async.resources.calls import Calls  # noqa: PLC0415

        return Calls(self._transport)

    @cached_property
    def chats(self) -> Chats:
        """Live chats and messengers."""
        from callsavvy_async.resources.chats import Chats  # noqa: PLC0415

        return Chats(self._transport)

    @cached_property
    def messaging(self) -> Messaging:
        """SMS, robocalls and WhatsApp messages, one request each."""
        from callsavvy_async.resources.messaging import Messaging  # noqa: PLC0415

        return Messaging(self._transport)

    @cached_property
    def meetings(self) -> Meetings:
        """Video meetings."""
        from callsavvy_async.resources.meetings import Meetings  # noqa: PLC0415

        return Meetings(self._transport)

    @cached_property
    def contacts(self) -> Contacts:
        """Contacts and their groups."""
        from callsavvy_async.resources.contacts import Contacts  # noqa: PLC0415

        return Contacts(self._transport)

    @cached_property
    def bulk(self) -> Bulk:
        """Messages to many recipients."""
        from callsavvy_async.bulk.bulk import Bulk  # noqa: PLC0415

        return Bulk(self.messaging)

    def batcher(self, *, max_delay: float = 0.05) -> Batcher:
        """Let single sends share requests: ``async with callsavvy.batcher() as batcher:``.

        Args:
            max_delay: most seconds that a send waits for others, besides its wait for the limit. The first send of a text
                never waits for others.
        """
        from callsavvy_async.batching.batcher import Batcher  # noqa: PLC0415

        return Batcher(self.messaging, max_delay)

    def with_options(self, **options: Unpack[RequestOptions]) -> Self:
        """Return a client with other options that shares the connections, rate limiters and hooks of this one."""
        client = object.__new__(type(self))
        config, shared = self._transport.config, self._transport.shared
        client._transport = Transport(attrs.evolve(config, request=apply_options(config.request, options)), shared)
        return client

    @property
    def destination(self) -> Destination:
        """The server and an identifier of the account, without its keys."""
        return self._transport.config.destination

    @property
    def pacing(self) -> RateLimiters:
        """The rate limiters. Their state can be read and restored."""
        return self._transport.shared.pacing

    async def keys(self) -> Keys:
        """Return the keys of requests with ``key=``, to list and resolve unknown outcomes. Open the journal if necessary.

        Raises:
            ConfigurationError: the client has no journal.
        """
        return cast("Keys", await require_keyring(self._transport.shared.keyring, "keys()").opened())

    async def with_raw_response(
        self, method: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs
    ) -> RawResponse[R]:
        """Run a method of the client, and return its result with the response, its attempts and its `request_id`.

        Args:
            method: method of the client: ``raw = await client.with_raw_response(client.tickets.list, period="2026-11")``.
            *args: its arguments.
            **kwargs: its keyword arguments.

        Raises:
            ConfigurationError: `method` sends no request.
        """
        with tracking(RequestContext()) as context:
            value = await method(*args, **kwargs)
        return context.raw_response(value, method)

    async def request(
        self,
        resource: str,
        params: Mapping[str, str] | None = None,
        *,
        effect: Effect = Effect.SPEND,
        **options: Unpack[RequestOptions],
    ) -> Receipt:
        """Send a request to any resource of the API, also one that this release does not know.

        Args:
            resource: name of the resource in the API document, such as ``"getSummary"``.
            params: parameters, by their names in the API document.
            effect: effect of the request. The default, SPEND, is the safest: an ambiguous failure is never retried.
            **options: see `RequestOptions`.

        Returns:
            A receipt with the response in ``raw``, and the fields of its data, if it is one object, in ``extra``.
        """
        return await self._transport.send(Endpoint(resource, Receipt, effect), options, **(params or {}))

    async def aclose(self) -> None:
        """Close the connections of this event loop. Closing twice is harmless."""
        await self._transport.shared.aclose()

    async def __aenter__(self) -> Self:
        await self._transport.shared.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        shared = self._transport.shared
        state = f"{self._transport.config.base_url} {'closed' if shared.closed else 'open'}"
        return f"<Callsavvy {state}, {shared.backend!r}, {shared.pacing!r}>"
