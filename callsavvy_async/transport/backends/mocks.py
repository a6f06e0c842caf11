"""Notice what stands in the way of HTTP libraries: a test that mocks the API must never really send.

Theory. Mocks (respx, pytest-httpx, vcrpy, aioresponses, `mock.patch` by hand) and instrumentation (OpenTelemetry, Sentry,
Datadog, Elastic) replace methods of a library's classes, before or after a client was made. Names prove nothing: wrappers
copy them, and `wrapt` copies a function's globals and passes for the function in every comparison. So this looks at each
member of the classes through which requests pass: an own function is of the very type of functions, has the very globals
of its module, and carries no attributes. What was found is kept for as long as every member stays the same object.
Instrumentation and mocks want the same, to see the request; where both are there, in two libraries, mocks go first.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from operator import is_
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType

import attrs

LIBRARIES = ("httpx", "httpx2", "aiohttp")

_WATCHED = {
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
"""The classes through which requests pass: packages, the modules in which they are written, and names."""


@attrs.frozen
class Patch:
    """Something that is not a library's own.

    Attributes:
        library: whose place it takes.
        where: what it replaced, such as ``"httpx.AsyncClient.send"``.
        traces: whether it is known to send what it sees: instrumentation.
    """

    library: str
    where: str
    traces: bool

    def __str__(self) -> str:
        return self.where


def find_patch(libraries: Sequence[str] = LIBRARIES) -> Patch | None:
    """Find a patch in libraries that are imported; a mock goes before instrumentation."""
    found = [patch for name in libraries if name in sys.modules and (patch := _look_at(name)) is not None]
    return min(found, key=lambda patch: patch.traces) if found else None


def find_entry(client: object, names: Sequence[str], library: str) -> str:
    """Return the outermost method of a client that is patched, on itself or its class; the last name if none is.

    Args:
        client: that of a library, or of a class that took its place.
        names: of methods, each of which requests the next.
        library: whose client it is.
    """
    own = next((kind for kind in type(client).__mro__ if kind.__module__.partition(".")[0] == library), None)
    if own is None:
        return names[0]
    home = sys.modules[_WATCHED[library][0][1]]
    return next((name for name in names if name in vars(client) or _is_foreign(vars(own).get(name), home)), names[-1])


_known: dict[str, tuple[list[object], Patch | None]] = {}
"""What libraries were made of when they were last looked through, and what was found."""


def _look_at(library: str) -> Patch | None:
    """Look a library through, unless all is as it was. The first is for every request, so it is done without a loop."""
    parts: list[object] = []
    for package, module, name in _WATCHED[library]:
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
    for package, module, name in _WATCHED[library]:
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
    """Whether a member of a class does something, and is not a function of the module."""
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
    return type(member).__name__.endswith("FunctionWrapper")  # of wrapt
