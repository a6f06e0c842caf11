"""The options of a client, with their types. `Callsavvy` describes each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, TypedDict

from callsavvy_async.transport.backends.backend import Backend
from callsavvy_async.transport.backends.choose import BackendName
from callsavvy_async.transport.hooks import Hook
from callsavvy_async.transport.native.trust import Verify
from callsavvy_async.transport.rate_limiters import OnePacing

if TYPE_CHECKING:
    import aiohttp  # users bring them; each costs more to import than all of this package
    import httpx
    import httpx2

    from callsavvy_async.campaigns import Journal
    from callsavvy_async.transport.keyed import Keyring


class ClientOptions(TypedDict, total=False):
    """Options of a client, apart from its keys. `Callsavvy` describes each."""

    base_url: str
    timeout: float
    deadline: float | None
    max_retries: int
    timezone: tzinfo | None
    max_response_bytes: int
    allow_insecure: bool
    pacing: OnePacing | Mapping[str, OnePacing] | None
    rate: str | None
    burst: int
    max_in_flight: int | None
    hooks: Sequence[Hook]
    extra: Mapping[str, object]
    http_client: httpx.AsyncClient | httpx2.AsyncClient | None
    transport: httpx.AsyncBaseTransport | httpx2.AsyncBaseTransport | None
    session: aiohttp.ClientSession | None
    backend: BackendName | Backend
    verify: Verify
    proxy: str | None
    journal: str | Journal | None


def open_keyring(journal: str | Journal | None) -> Keyring | None:
    """Return the journal of a client, which opens with the client; None for none.

    Raises:
        ConfigurationError: the URL is invalid, or an extra is missing.
    """
    if journal is None:
        return None
    from callsavvy_async.campaigns.client_journal import ClientJournal  # noqa: PLC0415 - few programs have one

    return ClientJournal(journal)
