"""The errors of the SDK. The branches of the tree say what the API may have done; the leaves say why.

```
CallsavvyError
├── ConfigurationError                 a setting of the client breaks a rule; nothing was sent           (ValueError)
├── InvalidRequestError                an argument breaks a rule of the API document; nothing was sent  (ValueError)
│   └── KeyReusedError                 the key belongs to a send with other content; nothing was sent
├── ClientClosedError                  the client is closed; nothing was sent                         (RuntimeError)
└── RequestError                       a request failed; has outcome, safe_to_resend, attempts, status_code, ...
    ├── NotSentError                   NOT_SENT: the request's body did not leave this process
    │   ├── ConnectError               connecting failed: DNS, refused, TLS, proxy
    │   └── DeadlineExceededError      the deadline would pass before the request could start         (TimeoutError)
    ├── RejectedError                  REJECTED: the API said that it did not perform the request
    │   ├── BadRequestError            400 404-method 405 413 415 422, or "error" on a 2xx
    │   ├── AuthenticationError        401
    │   ├── PermissionDeniedError      403
    │   ├── InsufficientBalanceError   402, or a message about the balance
    │   ├── NotFoundError              404
    │   ├── RateLimitError             429
    │   ├── ServiceUnavailableError    503 with the API's envelope and Retry-After
    │   └── RedirectError              307, 308; never followed, to protect the keys
    ├── OutcomeUnknownError            UNKNOWN for WRITE and SPEND: perhaps performed; check before you resend
    └── NoResponseError                UNKNOWN for READ and IDEMPOTENT: harmless to resend
        ├── ConnectionLostError        the connection broke before the response was complete
        ├── RequestTimeoutError        the response was not complete within the timeout               (TimeoutError)
        ├── ServerError                5xx, a gateway's page, an unexpected status
        ├── DecodeError                a 2xx that cannot be decoded
        └── ResponseTooLargeError      a 2xx larger than max_response_bytes
```

All errors can be pickled and copied. Their texts mask phone numbers and e-mail addresses. `RequestError.message` and
`RequestError.body` hold the API's words unmasked.
"""

from __future__ import annotations

import enum

import attrs

from callsavvy_async.redaction import redact


class Outcome(enum.Enum):
    """Outcome of an attempt."""

    NOT_SENT = "not_sent"
    """The body did not leave this process, so the API cannot have acted."""
    REJECTED = "rejected"
    """The API said that it did not perform the request."""
    ACCEPTED = "accepted"
    """The API responded with a 2xx and a success envelope."""
    UNKNOWN = "unknown"
    """Bytes left, but the API has not said whether it performed the request."""


@attrs.frozen
class Attempt:
    """One attempt of a request.

    Attributes:
        outcome: Outcome of the attempt.
        reason: Explanation in the SDK's words, without personal data.
        seconds: Seconds from the first byte to the end of the response, with connecting.
        status_code: HTTP status; None without a response.
    """

    outcome: Outcome
    reason: str
    seconds: float
    status_code: int | None = None


class CallsavvyError(Exception):
    """Base class of the SDK's errors."""


class ConfigurationError(CallsavvyError, ValueError):
    """A setting of the client breaks a rule; nothing was sent."""


class InvalidRequestError(CallsavvyError, ValueError):
    """An argument breaks a rule of the API document; nothing was sent."""


class KeyReusedError(InvalidRequestError):
    """The key belongs to an earlier request with other content; nothing was sent."""


class ClientClosedError(CallsavvyError, RuntimeError):
    """The client is closed; nothing was sent. Enter it again with ``async with``, or create a new one."""


class RequestError(CallsavvyError):
    """A request failed.

    Attributes:
        outcome: outcome of the last attempt, and so of the request.
        endpoint: the API resource (``"sendSMS"``).
        request_id: identifier of the request in events, logs, spans and the journal. It is not in the error's text, so
            that equal errors have equal texts.
        attempts: the attempts, in order.
        status_code: HTTP status of the last response, or None.
        message: the API's ``message``, unmasked; free text.
        retry_after: seconds to wait that the API asked for, or None.
        expected_wait: estimated seconds until the rate limiter would have admitted the request, or None. A web service can
            send it as ``Retry-After`` with a 503.
        body: raw body of the last response, or None.
    """

    hint: str = ""
    """Advice, the last sentence of the error's text."""

    def __init__(
        self,
        reason: str,
        *,
        endpoint: str,
        outcome: Outcome,
        request_id: str = "",
        attempts: tuple[Attempt, ...] = (),
        status_code: int | None = None,
        message: str | None = None,
        retry_after: float | None = None,
        expected_wait: float | None = None,
        body: bytes | None = None,
    ) -> None:
        self.reason = reason
        self.endpoint = endpoint
        self.outcome = outcome
        self.request_id = request_id
        self.attempts = attempts
        self.status_code = status_code
        self.message = message
        self.retry_after = retry_after
        self.expected_wait = expected_wait
        self.body = body
        super().__init__(self._text())

    @property
    def safe_to_resend(self) -> bool:
        """Whether the request provably had no effect: NOT_SENT or REJECTED."""
        return self.outcome in {Outcome.NOT_SENT, Outcome.REJECTED}

    def _text(self) -> str:
        message = f": {redact(self.message)}" if self.message else ""
        attempts = f" after {len(self.attempts)} attempts" if len(self.attempts) > 1 else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.endpoint}: {self.reason}{message} [{self.outcome.name}{attempts}].{hint}"

    def __reduce__(self) -> tuple[object, ...]:
        return _new, (type(self),), {**vars(self), "args": self.args}


def _new(cls: type[RequestError]) -> RequestError:
    return cls.__new__(cls)


class NotSentError(RequestError):
    """The request's body did not leave this process. Resending is safe."""


class ConnectError(NotSentError):
    """Connecting to the API failed: DNS, refused, TLS or proxy."""


class DeadlineExceededError(NotSentError, TimeoutError):
    """The request's deadline would pass before the request could start."""

    hint = "Give a later deadline, or send less at a time."


class RejectedError(RequestError):
    """The API said that it did not perform the request. Nothing was charged."""


class BadRequestError(RejectedError):
    """The API rejected the request as invalid. The same request will fail again."""


class AuthenticationError(RejectedError):
    """The keys are wrong (401)."""

    hint = "Check both keys and the Whitelisted Domains (Settings -> API & Integration in the dashboard)."


class PermissionDeniedError(RejectedError):
    """The keys do not permit the request, or not from this host (403)."""

    hint = "Check the account's permissions and the Whitelisted Domains (Settings -> API & Integration)."


class InsufficientBalanceError(RejectedError):
    """The account's balance does not cover the request (402, or a message about the balance)."""

    hint = "Top up the account; account.summary() shows the balances."


class NotFoundError(RejectedError):
    """The requested item does not exist (404)."""


class RateLimitError(RejectedError):
    """The API kept responding with 429 until the deadline, although all requests of the client paused."""

    hint = "Send slower (rate=, max_in_flight=), or give a later deadline."


class ServiceUnavailableError(RejectedError):
    """The API asked to try again later (503 with its envelope and Retry-After)."""


class RedirectError(RejectedError):
    """The API responded with a redirect (307, 308). The SDK does not follow redirects, to protect the keys."""

    hint = "Check base_url."


class OutcomeUnknownError(RequestError):
    """The request left, but its outcome is unknown. The API may have performed and charged it.

    The SDK never retries it. Check the account (balance, tickets, contacts) before you resend it.
    """

    hint = "It may have been performed: check before you resend it."


class NoResponseError(RequestError):
    """A read got no usable response. Resending is harmless."""


class ConnectionLostError(NoResponseError):
    """The connection broke before the response was complete."""


class RequestTimeoutError(NoResponseError, TimeoutError):
    """The response was not complete within the timeout."""


class ServerError(NoResponseError):
    """The server or a gateway failed (5xx), or the status is not in the API document."""


class DecodeError(NoResponseError):
    """The API responded with a 2xx whose body cannot be decoded; see `body`."""


class ResponseTooLargeError(NoResponseError):
    """The response was larger than ``max_response_bytes``."""

    hint = "Raise max_response_bytes, or ask for a shorter period."
