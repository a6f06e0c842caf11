"""What variables of the environment say of the way to a server; and what an error says where they were not asked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.settings import RULES
from callsavvy_async.wire.failure import FailureKind


def find_proxy(url: str, environ: Mapping[str, str] = os.environ) -> tuple[str, str] | None:
    """Return the variable that names a proxy for this URL, and its value; None where there is no proxy for it.

    HTTPS_PROXY goes before ALL_PROXY, small letters before capitals, and NO_PROXY exempts hosts.
    """
    import urllib.request  # noqa: PLC0415 - it costs more than this package

    parts = urlsplit(url)
    found = next(((name, environ[name]) for name in _names(parts.scheme, environ) if environ.get(name)), None)
    exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if found is None or urllib.request.proxy_bypass_environment(parts.netloc, {"no": exempt}):  # type: ignore[attr-defined]
        return None
    return found


def _names(scheme: str, environ: Mapping[str, str]) -> Iterator[str]:
    for name in (f"{scheme}_proxy", "all_proxy"):
        yield name
        if not (name == "http_proxy" and "REQUEST_METHOD" in environ):  # a CGI: that is the request's field "Proxy"
            yield name.upper()


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for a URL.

    Raises:
        ConfigurationError: naming the variable whose value is none.
    """
    found = find_proxy(url)
    if found is None:
        return None
    name, proxy = found[0], found[1] if "://" in found[1] else f"http://{found[1]}"
    if not RULES["proxy"].holds(proxy):
        raise ConfigurationError(f"{name} cannot be used; it must be {RULES['proxy'].words}.")
    return proxy


def unread_variables(kind: FailureKind, url: str) -> str:
    """Name what might have helped where an exchange failed before anything was sent, and is not read.

    Args:
        kind: the stage at which it failed.
        url: where to.
    """
    if kind in {FailureKind.CONNECT, FailureKind.TIMEOUT}:
        found = find_proxy(url)
        return f"{found[0]} is set but not read: give proxy='env' (--proxy env) to use it" if found else ""
    bundles = [name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(name)]
    if kind is FailureKind.CERTIFICATE and bundles:
        return f"{bundles[0]} is set but not read: give verify=, or set SSL_CERT_FILE"
    return ""
