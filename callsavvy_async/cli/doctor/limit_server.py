"""The server through which processes share a rate limit."""

from __future__ import annotations

from urllib.parse import urlsplit

from callsavvy_async.cli.doctor.finding import Finding, not_checked, ok, wrong, wrong_as_error
from callsavvy_async.errors import ConfigurationError
from callsavvy_async.transport.shared.reservation_store import UnreachableError
from callsavvy_async.transport.shared.settings import SharedPacing
from callsavvy_async.transport.shared.shared_limiter import reach


async def examine_limit_server(url: str | None) -> Finding:
    """Connect once, with the user and password of the URL."""
    check = "limit server"
    if url is None:
        return not_checked(check, "none; processes do not share a rate limit")
    try:
        await reach(SharedPacing(url))
    except ConfigurationError as error:
        return wrong_as_error(check, error)
    except UnreachableError as error:
        return wrong(check, f"{_shown(url)}: {error}", _advice(str(error)))
    return ok(check, f"{_shown(url)} accepts connections")


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _advice(error: str) -> str:
    if any(word in error for word in ("Auth", "password", "PASS", "NOPERM")):
        return "correct the user and password in --pacing or CALLSAVVY_PACING."
    return "start the server, or correct the host and port in --pacing or CALLSAVVY_PACING."
