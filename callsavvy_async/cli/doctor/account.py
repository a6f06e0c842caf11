"""What one free request (getSummary) says about the API, the clock, the keys, the white list and the balance."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime

import attrs

from callsavvy_async.cli.access import Access
from callsavvy_async.cli.client import client_of
from callsavvy_async.cli.doctor.finding import Finding, not_checked, ok, warning, wrong, wrong_as_error
from callsavvy_async.errors import (
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RedirectError,
    RequestError,
)
from callsavvy_async.models import Summary
from callsavvy_async.redaction import redact
from callsavvy_async.transport.request_context import RequestContext, tracking
from callsavvy_async.wording import quantity

CHECKS = ("api", "clock", "keys", "white list", "balance")

PATIENCE = 10.0
"""Seconds for the request."""
_CLOCK_TOLERANCE = 30.0
"""Seconds. Send windows are in minutes, and the header Date has a resolution of one second."""
_FEW_UNITS = 100
_WHITE_LIST = re.compile(r"white.?list|\bip\b|address|domain|origin", re.IGNORECASE)
"""A message about the white list. The API document does not say how the API rejects other hosts."""
_DASHBOARD = "(dashboard, Settings -> API & Integration)"


@attrs.frozen
class _Exchange:
    """The request and what became of it."""

    error: RequestError | None
    summary: Summary | None = attrs.field(repr=False)
    date: str | None
    """Header Date of the response."""
    began: float
    ended: float


async def examine_account(access: Access | None, why_not: str | None) -> list[Finding]:
    """Return the findings of `CHECKS`, in their order.

    Args:
        access: Keys and server; None if they are not known.
        why_not: Why no request is made; None to make it.
    """
    if access is None or why_not is not None:
        return [not_checked(check, why_not or "see settings") for check in CHECKS]
    try:
        made = await _request(access)
    except ConfigurationError as error:  # of the proxy, e.g. a missing package
        return [wrong_as_error("api", error), *(not_checked(check, "see api") for check in CHECKS[1:])]
    return [_api(made), _clock(made), *_permission(made, access), _balance(made.summary)]


async def _request(access: Access) -> _Exchange:
    began, error, summary = time.time(), None, None
    async with client_of(access, max_retries=0, timeout=PATIENCE, deadline=PATIENCE) as client:
        with tracking(RequestContext()) as context:
            try:
                summary = await client.account.summary()
            except RequestError as failed:
                error = failed
    response = context.exchanges[-1].response if context.exchanges else None
    date = None if response is None else response.headers.get("date")
    return _Exchange(error, summary, date, began, time.time())


def _api(made: _Exchange) -> Finding:
    error = made.error
    if error is None or _is_about_access(error):
        return ok("api", f"responded in {made.ended - made.began:.2f} s")
    if isinstance(error, RateLimitError):
        return warning("api", "the account's rate limit is used up (429)", "wait until its other programs send less.")
    what = redact(error.reason)
    if isinstance(error, NotFoundError | RedirectError):
        return wrong("api", what, "correct the server (CALLSAVVY_BASE_URL, or log in again); it must end in /v1.")
    if isinstance(error, PermissionDeniedError):
        return wrong(
            "api", f"{what}, without a message of the API", "a firewall or gateway blocks you: ask its operator."
        )
    return wrong(
        "api",
        what,
        "a gateway, a proxy or another server may respond: check the server and --proxy, then try again later.",
    )


def _is_about_access(error: RequestError) -> bool:
    """Return True if the API itself rejects the keys or the host."""
    return isinstance(error, AuthenticationError) or (
        isinstance(error, PermissionDeniedError) and error.message is not None
    )


def _clock(made: _Exchange) -> Finding:
    try:
        server = parsedate_to_datetime(made.date or "").timestamp() + 0.5  # the header cuts the fraction off
    except ValueError:
        return not_checked("clock", "no response with the server's time")
    ahead = (made.began + made.ended) / 2 - server
    if abs(ahead) <= _CLOCK_TOLERANCE + (made.ended - made.began) / 2:
        return ok("clock", "agrees with the server's")
    direction = "ahead of" if ahead > 0 else "behind"
    return wrong(
        "clock",
        f"this machine is {_duration(abs(ahead))} {direction} the server",
        "synchronise the clock, e.g. with timedatectl set-ntp true; send windows and waits depend on it.",
    )


def _duration(seconds: float) -> str:
    for size, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return quantity(round(seconds / size), noun)
    return quantity(round(seconds), "second")


def _permission(made: _Exchange, access: Access) -> list[Finding]:
    """Return the findings about the keys and the white list."""
    error = made.error
    if made.summary is not None:
        status = made.summary.account_status
        accepted = ok("keys", f'accepted; the account is "{status}"' if status else "accepted")
        return [accepted, ok("white list", "admits this machine")]
    if error is None or not _is_about_access(error):
        return [not_checked("keys", "see api"), not_checked("white list", "see api")]
    if isinstance(error, PermissionDeniedError) or _WHITE_LIST.search(error.message or ""):
        rejected = wrong(
            "white list",
            f"the API rejects this machine ({error.status_code})",
            f"add its public IP address to Whitelisted Domains {_DASHBOARD}, and check the account's permissions.",
        )
        return [not_checked("keys", "see white list"), rejected]
    return [_wrong_keys(access), not_checked("white list", "see keys")]


def _wrong_keys(access: Access) -> Finding:
    """Return the finding about rejected keys.

    The only proof that they are swapped would be a request with the private key in the place of the public one.
    """
    keys = access.credentials
    again = f"copy both keys again {_DASHBOARD}; they come from {access.source}."
    if len(keys.public_key) > len(keys.private_key):  # the document's own private key is the longer one
        return wrong(
            "keys", "the API rejects the keys (401); perhaps the two are swapped", f"exchange them, or {again}"
        )
    return wrong("keys", "the API rejects the keys (401)", again)


def _balance(summary: Summary | None) -> Finding:
    if summary is None:
        return not_checked("balance", "see keys, white list and api")
    sms = summary.sms_balance
    balances = {
        "SMS units": sms,
        "local call minutes": summary.outbound_local_call_balance,
        "international call minutes": summary.outbound_international_call_balance,
    }
    unreadable = [name for name, value in balances.items() if value is None]
    if unreadable:
        fix = "look it up in the dashboard; --balance and campaigns reconcile need a number."
        return warning("balance", f"not a number: {', '.join(unreadable)}", fix)
    if all(value is not None and value <= 0 for value in balances.values()):
        return wrong("balance", "the account has no units", "top up the account in the dashboard.")
    text = ", ".join(f"{value:,} {name}" for name, value in balances.items())
    if sms is not None and sms < _FEW_UNITS:
        return warning("balance", text, "top up the account before you send SMS to more people.")
    return ok("balance", text)
