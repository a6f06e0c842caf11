"""The proxy variables of the environment, and advice for errors about variables that the client does not read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.settings import RULES
from callsavvy_async.wire.failure import FailureKind


def find_proxy(url: str, environ: Mapping[str, str] = os.environ) -> tuple[str, str] | None:
    """Return the name and the value of the variable with the proxy for a URL, or None.

    HTTPS_PROXY precedes ALL_PROXY, lower case precedes upper case, and NO_PROXY exempts hosts.
    """
    import urllib.request  # noqa: PLC0415 - costs more than this whole package

    parts = urlsplit(url)
    found = next(((name, environ[name]) for name in _names(parts.scheme, environ) if environ.get(name)), None)
    exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if found is None or urllib.request.proxy_bypass_environment(parts.netloc, {"no": exempt}):  # type: ignore[attr-defined]
        return None
    return found


def _names(scheme: str, environ: Mapping[str, str]) -> Iterator[str]:
    for name in (f"{scheme}_proxy", "all_proxy"):
        yield name
        if not (
            name == "http_proxy" and "REQUEST_METHOD" in environ
        ):  # under CGI, it is the request's header field "Proxy"
            yield name.upper()


def proxy_for(url: str) -> str | None:
    """Return the proxy for a URL from the environment, or None.

    Raises:
        ConfigurationError: A variable has an invalid value; the text names it.
    """
    found = find_proxy(url)
    if found is None:
        return None
    name, proxy = found[0], found[1] if "://" in found[1] else f"http://{found[1]}"
    if not RULES["proxy"].holds(proxy):
        raise ConfigurationError(f"{name} is invalid; it must be {RULES['proxy'].words}.")
    return proxy


def unread_variables(kind: FailureKind, url: str) -> str:
    """Return advice about a variable that is set but not read, and may be the cause of a failure before sending.

    Args:
        kind: Stage of the failure.
        url: URL of the request.
    """
    if kind in {FailureKind.CONNECT, FailureKind.TIMEOUT}:
        found = find_proxy(url)
        return f"{found[0]} is set but not read: pass proxy='env' (--proxy env) to use it" if found else ""
    bundles = [name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(name)]
    if kind is FailureKind.CERTIFICATE and bundles:
        return f"{bundles[0]} is set but not read: pass verify=, or set SSL_CERT_FILE"
    return ""
