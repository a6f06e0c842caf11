"""Notice what stands in httpx's way: a test that mocks the API through httpx must never really send.

respx, pytest-httpx and vcrpy replace methods of httpx or httpcore, before or after a client was made; so it is looked up
for every exchange, and httpx is not imported for it. Instrumentation replaces the same methods. The two cannot be told
apart, and both want to see what is sent.
"""

from __future__ import annotations

import sys

_WAYS = (
    ("httpx", "AsyncClient", ("send", "_send_single_request", "_transport_for_url"), "httpx._client"),
    ("httpx", "AsyncHTTPTransport", ("handle_async_request",), "httpx._transports.default"),
    ("httpcore", "AsyncConnectionPool", ("handle_async_request",), "httpcore._async.connection_pool"),
    ("httpcore", "AsyncHTTPConnection", ("handle_async_request",), "httpcore._async.connection"),
)
"""Where requests pass: package, class, methods, and the module in which these are written."""


def find_patch() -> str | None:
    """Name a method of httpx or httpcore that is not their own; None when all are."""
    for package, name, methods, home in _WAYS:
        if package not in sys.modules:
            continue
        where = getattr(sys.modules[package], name, None)
        for method in methods:
            # Not by name and not by `__wrapped__`, which wrappers copy: a function's globals are those of its module.
            function = getattr(where, method, None)
            if getattr(function, "__globals__", _NOWHERE).get("__name__") != home:
                return f"{package}.{name}.{method}"
    return None


_NOWHERE: dict[str, object] = {}
