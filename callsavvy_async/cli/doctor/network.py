"""The way to the server: its name, a TCP connection, and TLS."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from anyio.streams.tls import TLSAttribute, TLSStream

from callsavvy_async.cli.doctor.finding import CheckVerdict, Finding, not_checked, ok, wrong, wrong_as_error
from callsavvy_async.cli.doctor.settings import PATIENCE
from callsavvy_async.cli.option_words import in_option_words
from callsavvy_async.errors import ConfigurationError
from callsavvy_async.transport.backends.environment import unread_variables
from callsavvy_async.transport.native.trust import Trust
from callsavvy_async.wire.failure import FailureKind

CHECKS = ("dns", "tcp", "tls")

_UNKNOWN_AUTHORITY = (
    "an authority that this machine does not trust signed the certificate",
    (
        "if your company's proxy inspects TLS, set SSL_CERT_FILE to the file of its certificate; else do not send, because"
        " somebody may intercept the connection."
    ),
)
_OTHER_NAME = (
    "the certificate is for another host name",
    "correct the host in CALLSAVVY_BASE_URL; if it is right, do not send, because another server responds.",
)
_CERTIFICATE_FAULTS: Mapping[int, tuple[str, str]] = {
    9: (
        "the certificate is not valid yet, by this machine's date",
        "set this machine's date; if it is right, the certificate's owner must correct it.",
    ),
    10: (
        "the certificate has expired, by this machine's date",
        "set this machine's date; if it is right, the server's owner must renew the certificate.",
    ),
    **dict.fromkeys((18, 19, 20, 21), _UNKNOWN_AUTHORITY),
    **dict.fromkeys((62, 64), _OTHER_NAME),
}
"""Fault and fix of each code of OpenSSL (X509_V_ERR_..., openssl-verification-options(1))."""


async def examine_network(server: str | None, why_not: str | None) -> list[Finding]:
    """Return the findings of `CHECKS`, in their order. The first fault hides the later ones.

    Args:
        server: URL of the API; None if it is not known.
        why_not: Why the connection is not checked; None to check it.
    """
    if server is None or why_not is not None:
        return [not_checked(check, why_not or "see settings") for check in CHECKS]
    url = urlsplit(server)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    found = [await _look_up(host, port)]
    if found[-1].verdict is CheckVerdict.OK:
        found += await _connect(server, host, port, secure=url.scheme == "https")
    return [*found, *(not_checked(check, f"see {found[-1].check}") for check in CHECKS[len(found) :])]


async def _look_up(host: str, port: int) -> Finding:
    try:
        with anyio.fail_after(PATIENCE):
            entries = await anyio.to_thread.run_sync(
                socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM, abandon_on_cancel=True
            )
    except (OSError, UnicodeError) as error:  # UnicodeError: a label of more than 63 characters
        why = (
            error.strerror
            if isinstance(error, socket.gaierror)
            else "no response"
            if isinstance(error, TimeoutError)
            else "not a host name"
        )
        return wrong(
            "dns",
            f"{host} has no address ({why})",
            "correct the host in CALLSAVVY_BASE_URL, or this machine's DNS server; behind a proxy, give --proxy.",
        )
    addresses = dict.fromkeys(str(entry[4][0]) for entry in entries)
    return ok("dns", f"{host} is {', '.join(addresses)}" if [*addresses] != [host] else f"{host} is an address")


async def _connect(server: str, host: str, port: int, *, secure: bool) -> list[Finding]:
    try:
        with anyio.fail_after(PATIENCE):
            stream = await anyio.connect_tcp(host, port)
    except OSError as error:
        return [_no_connection(server, host, port, late=isinstance(error, TimeoutError))]
    async with stream:
        connected = ok("tcp", f"{host}:{port} accepts connections")
        return [
            connected,
            await _handshake(stream, host) if secure else not_checked("tls", "the server is plain http"),
        ]


def _no_connection(server: str, host: str, port: int, *, late: bool) -> Finding:
    what = f"{host}:{port} {'does not respond' if late else 'does not accept connections'}"
    unread = in_option_words(unread_variables(FailureKind.CONNECT, server), {"proxy"})
    if unread:
        return wrong("tcp", what, f"{unread}.")
    fix = "correct the host and port in CALLSAVVY_BASE_URL, start the server, or allow the connection in your firewall."
    return wrong("tcp", what, fix)


async def _handshake(stream: anyio.abc.SocketStream, host: str) -> Finding:
    try:
        context = await anyio.to_thread.run_sync(Trust(True).load)
        with anyio.fail_after(PATIENCE):
            tls = await TLSStream.wrap(stream, hostname=host, ssl_context=context)
    except ConfigurationError as error:
        return wrong_as_error("tls", error)
    except ssl.SSLCertVerificationError as error:
        return _refused(error)
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        late = "no response" if isinstance(error, TimeoutError) else "the connection ended"
        why = getattr(error, "reason", None) or late
        return wrong(
            "tls",
            f"the server does not complete the handshake ({why})",
            "write http:// in CALLSAVVY_BASE_URL if it is a simulator; else ask the operator of your firewall or proxy.",
        )
    detail = tls.extra
    version, certificate = detail(TLSAttribute.tls_version), detail(TLSAttribute.peer_certificate)
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(cast("Mapping[str, str]", certificate)["notAfter"]), UTC)
    return ok("tls", f"{version}, certificate valid until {until:%Y-%m-%d}")


def _refused(error: ssl.SSLCertVerificationError) -> Finding:
    other = f"the certificate was refused ({error.verify_message})", "the server's owner must correct it."
    return wrong("tls", *_CERTIFICATE_FAULTS.get(error.verify_code, other))
