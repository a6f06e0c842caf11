"""Classify the outcome of an attempt.

Theory. The server either processed a request or did not, and the client sees only the response. Three kinds of evidence
are proof: the body never left (NOT_SENT), the API's own error (REJECTED), the API's own success (ACCEPTED). A 429 is
REJECTED even from a gateway, because it says that the request was not processed (RFC 6585, 4). Everything
else is UNKNOWN: a time-out, a reset, a gateway's page, an unreadable body. The name of an exception proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from urllib.parse import urlsplit

import attrs

from callsavvy_async.errors import (
    Attempt,
    AuthenticationError,
    BadRequestError,
    ConnectError,
    ConnectionLostError,
    DecodeError,
    InsufficientBalanceError,
    NotFoundError,
    NotSentError,
    Outcome,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    RedirectError,
    RequestError,
    RequestTimeoutError,
    ResponseTooLargeError,
    ServerError,
    ServiceUnavailableError,
)
from callsavvy_async.policy.feedback import Signal
from callsavvy_async.redaction import redact
from callsavvy_async.slim import slim
from callsavvy_async.wire.endpoint import Effect
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind
from callsavvy_async.wire.response import Envelope, EnvelopeStatus, HttpResponse
from callsavvy_async.wire.retry_after import parse_retry_after


@slim
class Verdict:
    """The classification of one attempt.

    Attributes:
        outcome: Proven outcome, or UNKNOWN.
        reason: Explanation in the SDK's words.
        error: Error class to raise (for UNKNOWN: the class for reads).
        transient: True if the same request may succeed later.
        status_code: HTTP status; None without a response.
        envelope: The response's envelope; None if it was unreadable.
        retry_after: Seconds of the response's Retry-After.
    """

    outcome: Outcome
    reason: str
    error: type[RequestError]
    transient: bool = False
    status_code: int | None = None
    envelope: Envelope | None = None
    retry_after: float | None = None

    @property
    def limited(self) -> bool:
        """True for a 429."""
        return self.error is RateLimitError

    @property
    def message(self) -> str | None:
        """The API's own words."""
        return self.envelope.message if self.envelope else None

    def masked(self, mask: Callable[[str], str]) -> Verdict:
        """Return the same verdict with its texts masked."""
        envelope = self.envelope
        if envelope is not None and envelope.message:
            envelope = attrs.evolve(envelope, message=mask(envelope.message))
        return attrs.evolve(self, reason=mask(self.reason), envelope=envelope)


_REJECTED: dict[int, type[RequestError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: InsufficientBalanceError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: BadRequestError,
    413: BadRequestError,
    415: BadRequestError,
    422: BadRequestError,
}
"""Statuses that prove that nothing was done, and that the same request will fail again."""

_ERROR_BY_WORDS: tuple[tuple[re.Pattern[str], type[RequestError]], ...] = (
    (re.compile(r"credential|api key|unauthori[sz]ed", re.IGNORECASE), AuthenticationError),
    (
        re.compile(
            r"insufficient|\b(no|low|not enough)\b.{0,20}\b(balance|credit|units?)"
            r"|\b(balance|credit|units?)\b.{0,20}\b(exhausted|too low|used up)",
            re.IGNORECASE,
        ),
        InsufficientBalanceError,
    ),
    (re.compile(r"not found|does ?n[o']t exist|no such", re.IGNORECASE), NotFoundError),
)
"""Words of an error message. They are only a hint: the API has no error codes (docs/explanation/api-quirks.md)."""

_LOST_READ: dict[FailureKind, tuple[type[RequestError], bool]] = {
    FailureKind.TIMEOUT: (RequestTimeoutError, True),
    FailureKind.CANCELLED: (ConnectionLostError, False),
    FailureKind.TOO_LARGE: (ResponseTooLargeError, False),
    FailureKind.ENCODING: (DecodeError, False),
}

_TRANSIENT_CONNECT = {FailureKind.CONNECT, FailureKind.TIMEOUT, FailureKind.CONNECTION_LOST}


def classify_failure(failure: ExchangeFailedError) -> Verdict:
    """Classify an exchange without a complete response."""
    reason = f"{failure.kind.value} ({failure.detail})" if failure.detail else failure.kind.value
    if not failure.sent:
        transient = failure.kind in _TRANSIENT_CONNECT
        is_connect = transient or failure.kind is FailureKind.CERTIFICATE
        return Verdict(Outcome.NOT_SENT, reason, ConnectError if is_connect else NotSentError, transient)
    error, transient = _LOST_READ.get(failure.kind, (ConnectionLostError, True))
    return Verdict(Outcome.UNKNOWN, reason, error, transient=transient)


_RETRY_AFTER = frozenset({b"retry-after"})
_ACCEPTED, _SUCCESS = Outcome.ACCEPTED, EnvelopeStatus.SUCCESS  # bound once: a lookup takes 1,000 instructions on 3.11


def classify_response(response: HttpResponse, envelope: Envelope | None, *, now: Callable[[], datetime]) -> Verdict:
    """Classify a complete response, by its HTTP status and by its envelope.

    The API reports errors with a status of 2xx as well, so a 2xx alone is not a success.

    Args:
        response: The complete response.
        envelope: Envelope of the body; None if the body was unreadable.
        now: Returns the local time, for a Retry-After in the form of a date.
    """
    status, headers = response.status_code, response.headers
    if 200 <= status < 300 and envelope is not None and envelope.status is _SUCCESS:  # noqa: PLR2004
        return Verdict(_ACCEPTED, "the API says success", RequestError, status_code=status, envelope=envelope)
    retry_after = parse_retry_after(headers, now=now) if headers.has_any(_RETRY_AFTER) else None
    outcome, reason, error, transient = _judge(status, envelope, retry_after, headers)
    return Verdict(outcome, reason, error, transient, status, envelope, retry_after)


def _judge(
    status: int, envelope: Envelope | None, retry_after: float | None, headers: Mapping[str, str]
) -> tuple[Outcome, str, type[RequestError], bool]:
    is_error = envelope is not None and envelope.status is EnvelopeStatus.ERROR
    if 200 <= status < 300:  # noqa: PLR2004
        if is_error:
            words = _by_words(envelope, BadRequestError)
            return Outcome.REJECTED, f"{status}, but the API says error", words, False
        return Outcome.UNKNOWN, f"{status} with a body that says neither success nor error", DecodeError, False
    if status in _REJECTED:
        error = _REJECTED[status]
        return Outcome.REJECTED, str(status), _by_words(envelope, error) if error is BadRequestError else error, False
    if status == 429:  # noqa: PLR2004
        return Outcome.REJECTED, "429, too many requests", RateLimitError, True
    if status == 503 and is_error and retry_after is not None:  # noqa: PLR2004
        return Outcome.REJECTED, "503, come back later", ServiceUnavailableError, True
    if 300 <= status < 400:  # noqa: PLR2004
        return _judge_redirect(status, headers.get("location", ""))
    return Outcome.UNKNOWN, f"status {status}", ServerError, status >= 500 or status in {408, 425}  # noqa: PLR2004


def _judge_redirect(status: int, location: str) -> tuple[Outcome, str, type[RequestError], bool]:
    """Only 307 and 308 ask for the same request elsewhere, so that nothing was done (RFC 9110, 15.4)."""
    if status in {307, 308}:
        return Outcome.REJECTED, f"{status}, a redirect to {_host(location)} was not followed", RedirectError, False
    return Outcome.UNKNOWN, f"{status}, a redirect after the request was not followed", ServerError, False


def _host(location: str) -> str:
    try:
        host = urlsplit(location).hostname
    except ValueError:  # "http://["
        host = None
    return redact(host) if host else "an unnamed place"


def _by_words(envelope: Envelope | None, default: type[RequestError]) -> type[RequestError]:
    words = (envelope.message if envelope else None) or ""
    return next((error for pattern, error in _ERROR_BY_WORDS if pattern.search(words)), default)


def signal_of(verdict: Verdict) -> Signal:
    """Return the signal for the pacer of an attempt that was not ACCEPTED."""
    if verdict.limited or (verdict.outcome is Outcome.REJECTED and verdict.transient):
        return Signal.RATE_LIMITED
    if verdict.outcome is Outcome.NOT_SENT:
        return Signal.NOTHING
    return Signal.FAILED if verdict.outcome is Outcome.UNKNOWN else Signal.ADMITTED


def error_type(verdict: Verdict, effect: Effect) -> type[RequestError]:
    """Return the error class of a verdict: `OutcomeUnknownError` only if a repeated request could do harm."""
    if verdict.outcome is Outcome.UNKNOWN and not effect.retryable:
        return OutcomeUnknownError
    return verdict.error


def means_done(verdict: Verdict, effect: Effect, earlier: Iterable[Attempt]) -> bool:
    """Return True if "not found" is a success: an earlier attempt of the idempotent request was lost after it worked."""
    return (
        verdict.error is NotFoundError
        and effect is Effect.IDEMPOTENT
        and any(attempt.outcome is Outcome.UNKNOWN for attempt in earlier)
    )
