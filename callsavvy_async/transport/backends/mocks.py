"""Detect patched HTTP libraries, because a test that mocks the API must never really send.

Theory. Mocks (respx, pytest-httpx, vcrpy, aioresponses, a manual `mock.patch`) and instrumentation (OpenTelemetry, Sentry,
Datadog, Elastic) replace methods of a library's classes, before or after a client is created. Names prove nothing:
wrappers copy them, and `wrapt` even copies a function's globals and compares as equal. So this module checks each member
of the classes that requests pass through. An original function has exactly the type of functions and the globals of its
module, and has no attributes. The result is cached as long as all members remain the same objects. If mocks and
instrumentation patch two libraries, the mock takes precedence.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from operator import is_
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType

import attrs

LIBRARIES = ("httpx", "httpx2", "aiohttp")

_CLASSES = {
    "httpx": (
        ("httpx", "httpx._client", "AsyncClient"),
        ("httpx", "httpx._transports.default", "AsyncHTTPTransport"),
        ("httpcore", "httpcore._async.connection_pool", "AsyncConnectionPool"),
        ("httpcore", "httpcore._async.connection", "AsyncHTTPConnection"),
    ),
    "httpx2": (
        ("httpx2", "httpx2._client", "AsyncClient"),
        ("httpx2", "httpx2._transports.default", "AsyncHTTPTransport"),
        ("httpcore2", "httpcore2._async.connection_pool", "AsyncConnectionPool"),
        ("httpcore2", "httpcore2._async.connection", "AsyncHTTPConnection"),
    ),
    "aiohttp": (("aiohttp", "aiohttp.client", "ClientSession"),),
}
"""The classes that requests pass through: package, module and name, by library."""


@attrs.frozen
class Patch:
    """A replaced part of a library.

    Attributes:
        library: Name of the library.
        where: Name of the replaced part, such as ``"httpx.AsyncClient.send"``.
        traces: True for known instrumentation, which sends the requests that it sees.
    """

    library: str
    where: str
    traces: bool

    def __str__(self) -> str:
        return self.where


def find_patch(libraries: Sequence[str] = LIBRARIES) -> Patch | None:
    """Return a patch of an imported library, or None. Mocks precede instrumentation."""
    found = [patch for name in libraries if name in sys.modules and (patch := _look_at(name)) is not None]
    return min(found, key=lambda patch: patch.traces) if found else None


def find_entry(client: object, names: Sequence[str], library: str) -> str:
    """Return the outermost patched method of a client; the last name if no method is patched.

    Args:
        client: Client of a library, or of a class that replaced it.
        names: Names of methods, each of which calls the next.
        library: Name of the library.
    """
    own = next((kind for kind in type(client).__mro__ if kind.__module__.partition(".")[0] == library), None)
    if own is None:
        return names[0]
    home = sys.modules[_CLASSES[library][0][1]]
    return next((name for name in names if name in vars(client) or _is_foreign(vars(own).get(name), home)), names[-1])


_known: dict[str, tuple[list[object], Patch | None]] = {}
"""By library: the members at the last check, and its result."""


def _look_at(library: str) -> Patch | None:
    """Return a library's patch. The comparison with the last check runs for each request, so it avoids a Python loop."""
    parts: list[object] = []
    for package, module, name in _CLASSES[library]:
        home = sys.modules.get(module)
        if home is not None:
            kind = home.__dict__.get(name)
            parts += kind, sys.modules[package].__dict__.get(name)
            parts += getattr(kind, "__dict__", _NOTHING).values()
    known, patch = _known.get(library, ([], None))
    if len(parts) != len(known) or not all(map(is_, parts, known)):
        patch = min(_patches(library), key=lambda patch: patch.traces, default=None)
        _known[library] = parts, patch
    return patch


def _patches(library: str) -> Iterator[Patch]:
    for package, module, name in _CLASSES[library]:
        home = sys.modules.get(module)
        if home is None:
            continue
        kind = home.__dict__.get(name)
        public = sys.modules[package].__dict__.get(name)
        if public is not kind or type(kind) is not type:
            yield Patch(library, f"{package}.{name}", traces=False)
            continue
        for key, member in kind.__dict__.items():
            if _is_foreign(member, home):
                yield Patch(library, f"{package}.{name}.{key}", _traces(member))


_NOTHING: dict[str, object] = {}
_DESCRIPTORS = (property, GetSetDescriptorType, MemberDescriptorType)


def _is_foreign(member: object, home: object) -> bool:
    """Return True if a member of a class is active code, but not a function of the class's module."""
    kind = type(member)
    if kind is staticmethod or kind is classmethod:
        member = vars(kind)["__func__"].__get__(member)
        kind = type(member)
    if kind is FunctionType:
        written = vars(kind)["__globals__"].__get__(member)
        if written is not vars(home):
            return bool(written.get("__name__") != "contextlib")  # @asynccontextmanager
        return bool(vars(member))  # wrapped in place
    return kind not in _DESCRIPTORS and (callable(member) or hasattr(kind, "__get__"))


_TRACERS = frozenset({"ddtrace", "elasticapm", "newrelic", "opentelemetry", "sentry_sdk"})


def _traces(member: object) -> bool:
    if type(member) is FunctionType:
        return str(member.__globals__.get("__name__")).partition(".")[0] in _TRACERS
    return type(member).__name__.endswith("FunctionWrapper")  # wrapt's
