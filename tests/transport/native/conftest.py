"""Connections are asyncio's."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from callsavvy_async.transport.native.backend import NativeBackend

from .hostile import descriptors, seen


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio only."""
    return "asyncio"


@pytest.fixture
async def backend(anyio_backend: str) -> AsyncIterator[NativeBackend]:
    """Make a backend; it must close whatever it opened."""
    before = descriptors()
    made = NativeBackend()
    yield made
    await made.aclose()
    assert not made.is_open
    assert made._last is None
    await seen(lambda: descriptors() <= before)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Make a certificate authority."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """Make the settings of a server that the authority vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    context.set_alpn_protocols(["http/1.1"])
    return context


@pytest.fixture
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    """Make the settings of a client that trusts the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
