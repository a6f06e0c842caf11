"""The aiohttp backend, for asyncio: one session per event loop, or a user's session."""

from __future__ import annotations

import asyncio

import aiohttp

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.transport.backends.aiohttp_exchange import exchange
from callsavvy_async.transport.backends.mocks import find_patch
from callsavvy_async.transport.backends.per_loop import PerLoop
from callsavvy_async.transport.backends.proof import KEEPALIVE_EXPIRY, Borrowed
from callsavvy_async.transport.native.trust import Trust, Verify
from callsavvy_async.wire.request import HttpRequest
from callsavvy_async.wire.response import HttpResponse


class AiohttpBackend:
    """Sends over one session per event loop, which closes with it.

    Cookies and the proxy variables of the environment are ignored.

    Args:
        verify: See `Verify`.
        proxy: URL of a proxy.
    """

    def __init__(self, *, verify: Verify = True, proxy: str | None = None) -> None:
        self._trust = Trust(verify)
        self._proxy = proxy
        self._sessions = PerLoop(self._open_session, self._close_session)
        self._open: set[aiohttp.ClientSession] = set()

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        """See `Backend.exchange`."""
        loop = _running_asyncio()
        if request.template.secure and self._trust.ssl_context is None:  # a client has one base URL
            await loop.run_in_executor(None, self._trust.load)
        patch = find_patch(("aiohttp",))
        is_replaced = patch is not None and patch.where == "aiohttp.ClientSession"
        session = self._make_session() if is_replaced else await self._sessions.enter()  # a mock's session is not kept
        return await exchange(session, request, timeout=timeout, max_bytes=max_bytes)

    async def aclose(self) -> None:
        """See `Backend.aclose`."""
        await self._sessions.aclose()

    @property
    def is_open(self) -> bool:
        """See `Backend.is_open`."""
        return bool(self._open)

    def __repr__(self) -> str:
        return f"aiohttp ({len(self._open)} open)"

    def _open_session(self) -> aiohttp.ClientSession:
        session = self._make_session()
        self._open.add(session)
        return session

    def _make_session(self) -> aiohttp.ClientSession:
        ssl_context = self._trust.ssl_context or True
        return aiohttp.ClientSession(
            # Without a limit on connections, because the rate limiter bounds the requests in flight.
            connector=aiohttp.TCPConnector(limit=0, ssl=ssl_context, keepalive_timeout=KEEPALIVE_EXPIRY),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=self._proxy,
        )

    async def _close_session(self, session: aiohttp.ClientSession) -> None:
        self._open.discard(session)
        await session.close()


class BorrowedSession(Borrowed):
    """Sends over a user's ``aiohttp.ClientSession``."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__(f"aiohttp {type(session).__name__}")
        self._session = session

    async def exchange(self, request: HttpRequest, *, timeout: float, max_bytes: int) -> HttpResponse:
        """See `Backend.exchange`."""
        _ = _running_asyncio()
        return await exchange(self._session, request, timeout=timeout, max_bytes=max_bytes)


def _running_asyncio() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "backend='aiohttp' runs on asyncio only; on trio, omit backend= or pass backend='httpx'."
        ) from None
