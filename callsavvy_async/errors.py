"""Every error of the SDK. The tree splits *did it arrive?* (the branches) from *what did it say?* (the leaves).

```
CallsavvyError
├── ConfigurationError            keys, base URL, options: nothing can be sent with these           (ValueError)
├── InvalidRequestError           an argument breaks a rule of the API's document; nothing was sent  (ValueError)
├── ClientClosedError             the client was closed                                            (RuntimeError)
└── RequestError                  one request failed; carries outcome, safe_to_resend, attempts, status_code, ...
    ├── NotSentError              NOT_SENT: no byte of the request's body left this process
    │   ├── ConnectError          no connection: DNS, refused, TLS, proxy
    │   └── DeadlineExceededError the total deadline would pass before the request could start    (TimeoutError)
    ├── RejectedError             REJECTED: the API itself said that it did not do it
    │   ├── BadRequestError       400 404-method 405 413 415 422, or "error" on a 2xx
    │   ├── AuthenticationError   401
    │   ├── PermissionDeniedError 403
    │   ├── InsufficientBalanceError 402, or a no-balance message
    │   ├── NotFoundError         404
    │   ├── RateLimitError      429
    │   ├── ServiceUnavailableError 503 with the API's own envelope and Retry-After
    │   └── RedirectError  307, 308: never followed, the keys would travel
    ├── OutcomeUnknownError            UNKNOWN for WRITE and SPEND: it may have been done; look before you repeat it
    └── NoResponseError             UNKNOWN for READ and IDEMPOTENT: harmless to repeat
        ├── ConnectionLostError   the connection broke before the whole answer came
        ├── RequestTimeoutError   no whole answer within the timeout                               (TimeoutError)
        ├── ServerError           5xx, a gateway's page, an unexpected status
        ├── DecodeError           a 2xx that cannot be read
        └── ResponseTooLargeError   a 2xx past max_response_bytes
```

All errors pickle and copy. Their texts mask phone numbers and e-mail addresses; `RequestError.message` and
`RequestError.body` hold the API's own words unmasked, for code that needs them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

import attrs

from callsavvy_async.redaction import redact

__all__ = [
    "Attempt",
    "AuthenticationError",
    "BadRequestError",
    "CallsavvyError",
    "ClientClosedError",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLostError",
    "DeadlineExceededError",
    "DecodeError",
    "InsufficientBalanceError",
    "InvalidRequestError",
    "NoResponseError",
    "NotFoundError",
    "NotSentError",
    "Outcome",
    "OutcomeUnknownError",
    "PermissionDeniedError",
    "RateLimitError",
    "RedirectError",
    "RejectedError",
    "RequestError",
    "RequestTimeoutError",
    "ResponseTooLargeError",
    "ServerError",
    "ServiceUnavailableError",
]


class Outcome(enum.Enum):
    """What is known of a request after an attempt."""

    NOT_SENT = "not_sent"
    """No byte of the body left this process: the API cannot have acted."""
    REJECTED = "rejected"
    """The API itself answered that it did not do it."""
    ACCEPTED = "accepted"
    """A 2xx whose envelope says success."""
    UNKNOWN = "unknown"
    """Bytes left, and no answer of the API's own says what became of them."""


@attrs.frozen
class Attempt:
    """One try of a request: what became of it, why, and how long it took in seconds."""

    outcome: Outcome
    reason: str
    seconds: float
    status_code: int | None = None


class CallsavvyError(Exception):
    """Base of every error that the SDK raises on purpose."""


class ConfigurationError(CallsavvyError, ValueError):
    """The client cannot work with these settings; nothing was sent."""


class InvalidRequestError(CallsavvyError, ValueError):
    """An argument breaks a rule of the API's document; nothing was sent."""


class ClientClosedError(CallsavvyError, RuntimeError):
    """The client was closed; nothing was sent. Enter it again with ``async with`` or make a new one."""


class RequestError(CallsavvyError):
    """One call failed.

    Attributes:
        outcome: what is known of the last attempt, and so of the whole request.
        endpoint: the API resource, as on the wire (``"sendSMS"``).
        attempts: every try in order.
        status_code: HTTP status of the last answer, if one came.
        message: the API's own ``message``, unmasked; free text, for people.
        retry_after: seconds that the API asked to wait, if it did.
        expected_wait: seconds until the request would probably have had its turn, where it was given up for the limit; None
            where nothing is known of that. A web service can answer 503 with it as ``Retry-After``.
        body: the last answer's raw body, if one came.
    """

    hint: str = ""
    """What to do about it; the last sentence of the error's text."""

    def __init__(
        self,
        reason: str,
        *,
        endpoint: str,
        outcome: Outcome,
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
        self.attempts = attempts
        self.status_code = status_code
        self.message = message
        self.retry_after = retry_after
        self.expected_wait = expected_wait
        self.body = body
        super().__init__(self._text())

    @property
    def safe_to_resend(self) -> bool:
        """True only when it is proved that nothing was done: NOT_SENT or REJECTED."""
        return self.outcome in {Outcome.NOT_SENT, Outcome.REJECTED}

    def _text(self) -> str:
        said = f": {redact(self.message)}" if self.message else ""
        tries = f" after {len(self.attempts)} attempts" if len(self.attempts) > 1 else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.endpoint}: {self.reason}{said} [{self.outcome.name}{tries}].{hint}"

    def __reduce__(
        self,
    ) -> tuple[Callable[[type[RequestError], Mapping[str, object]], RequestError], tuple[object, ...]]:
        fields = {
            "reason": self.reason,
            "endpoint": self.endpoint,
            "outcome": self.outcome,
            "attempts": self.attempts,
            "status_code": self.status_code,
            "message": self.message,
            "retry_after": self.retry_after,
            "expected_wait": self.expected_wait,
            "body": self.body,
        }
        return _rebuild, (type(self), fields)


def _rebuild(cls: type[RequestError], fields: Mapping[str, object]) -> RequestError:
    return cls(**fields)  # type: ignore[arg-type] # the constructor's own fields


class NotSentError(RequestError):
    """No byte of the request's body left this process. Repeating it is safe."""


class ConnectError(NotSentError):
    """No connection to the API could be made: DNS, refused, TLS or proxy."""


class DeadlineExceededError(NotSentError, TimeoutError):
    """The request's total deadline would pass before the request could start."""

    hint = "Give a later deadline, or send less at a time."


class RejectedError(RequestError):
    """The API answered that it did not do it. Nothing was charged."""


class BadRequestError(RejectedError):
    """The API found fault with the request; the same request will fail again."""


class AuthenticationError(RejectedError):
    """The keys are wrong (401)."""

    hint = "Check both keys (Settings -> API & Integration in the dashboard) and its Whitelisted Domains."


class PermissionDeniedError(RejectedError):
    """These keys may not do this, or not from here (403)."""

    hint = "Check the account's permissions and the Whitelisted Domains (Settings -> API & Integration)."


class InsufficientBalanceError(RejectedError):
    """The account's balance does not cover it (402, or the API's words)."""

    hint = "Top up the account; account.summary() shows the balances."


class NotFoundError(RejectedError):
    """There is no such thing (404)."""


class RateLimitError(RejectedError):
    """The API refused for now (429); the pause was shared with every request of the client, and still it lasted."""

    hint = "Send slower (rate=, max_in_flight=), or give a later deadline."


class ServiceUnavailableError(RejectedError):
    """The API itself asked to come back later (503 with its own envelope and Retry-After)."""


class RedirectError(RejectedError):
    """The answer points elsewhere (307, 308). Redirects are never followed: the keys would travel."""

    hint = "Check base_url."


class OutcomeUnknownError(RequestError):
    """The request left, and nothing tells what became of it: it may have been done and charged.

    Never repeated by the SDK. Look at the account (balance, tickets, contacts) before you repeat it yourself.
    """

    hint = "It may have been done: check before you repeat it."


class NoResponseError(RequestError):
    """A read brought no usable answer. Repeating it is harmless."""


class ConnectionLostError(NoResponseError):
    """The connection broke before the whole answer came."""


class RequestTimeoutError(NoResponseError, TimeoutError):
    """No whole answer came within the timeout."""


class ServerError(NoResponseError):
    """The server or a gateway failed (5xx), or answered a status that the API's document does not know."""


class DecodeError(NoResponseError):
    """The API said 2xx, but its body cannot be read; `body` holds it."""


class ResponseTooLargeError(NoResponseError):
    """The answer was larger than ``max_response_bytes``."""

    hint = "Raise max_response_bytes, or ask for a shorter period."
