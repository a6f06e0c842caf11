"""The semantics table as a table: every signal, judged without any I/O."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from callsavvy_async import errors
from callsavvy_async.errors import Attempt, Outcome, OutcomeUnknownError, RequestError
from callsavvy_async.policy.feedback import Signal
from callsavvy_async.policy.outcome import (
    Verdict,
    classify_failure,
    classify_response,
    error_type,
    means_done,
    signal_of,
)
from callsavvy_async.wire.endpoint import Effect
from callsavvy_async.wire.failure import ExchangeFailedError, FailureKind, describe
from callsavvy_async.wire.response import HttpResponse, read_envelope
from callsavvy_async.wire.response_headers import Headers

NOW = datetime(2026, 11, 22, 8, 15, tzinfo=UTC)
SUCCESS = b'{"resource":"x","status":"success","data":{}}'
HTML = b"<html>Bad Gateway</html>"


def said(message: str = "No.") -> bytes:
    return json.dumps({"resource": "x", "status": "error", "message": message}).encode()


def judge(status: int, body: bytes = b"", **headers: str) -> Verdict:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify_response(
        HttpResponse(status, Headers([(name.encode(), value.encode()) for name, value in named.items()]), body),
        read_envelope(body),
        now=lambda: NOW,
    )


FINAL = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    402: errors.InsufficientBalanceError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    405: errors.BadRequestError,
    413: errors.BadRequestError,
    415: errors.BadRequestError,
    422: errors.BadRequestError,
}


@pytest.mark.parametrize("body", [b"", HTML, said()], ids=["empty", "html", "envelope"])
@pytest.mark.parametrize(("status", "error"), FINAL.items())
def test_statuses_that_refuse_by_themselves(status: int, error: type[RequestError], body: bytes) -> None:
    """400 to 422 of the table are REJECTED and final, with or without envelope."""
    verdict = judge(status, body)
    assert (verdict.outcome, verdict.error, verdict.transient) == (Outcome.REJECTED, error, False)
    assert verdict.status_code == status


@pytest.mark.parametrize("body", [b"", HTML, said()], ids=["empty", "html", "envelope"])
def test_429(body: bytes) -> None:
    """429 is REJECTED and passing, whoever says it."""
    verdict = judge(429, body, retry_after="7")
    assert (verdict.outcome, verdict.error, verdict.transient) == (Outcome.REJECTED, errors.RateLimitError, True)
    assert verdict.limited
    assert verdict.retry_after == 7


@pytest.mark.parametrize(
    ("body", "headers", "outcome"),
    [
        (said(), {"retry_after": "2"}, Outcome.REJECTED),
        (said(), {}, Outcome.UNKNOWN),
        (said(), {"retry_after": "soon"}, Outcome.UNKNOWN),
        (HTML, {"retry_after": "2"}, Outcome.UNKNOWN),
        (SUCCESS, {"retry_after": "2"}, Outcome.UNKNOWN),
        (b"", {}, Outcome.UNKNOWN),
    ],
    ids=["envelope+header", "envelope", "envelope+nonsense", "html+header", "success+header", "empty"],
)
def test_503(body: bytes, headers: dict[str, str], outcome: Outcome) -> None:
    """503 proves a refusal only with the API's own error envelope and a Retry-After."""
    verdict = judge(503, body, **headers)
    assert verdict.outcome is outcome
    assert verdict.transient
    assert not verdict.limited
    expected = errors.ServiceUnavailableError if outcome is Outcome.REJECTED else errors.ServerError
    assert verdict.error is expected


@pytest.mark.parametrize("body", [b"", HTML, said(), SUCCESS], ids=["empty", "html", "error", "success"])
@pytest.mark.parametrize("status", [408, 425, 500, 502, 504, 599])
def test_statuses_that_say_nothing(status: int, body: bytes) -> None:
    """5xx, 408 and 425 say nothing of what was done, not even in the API's own words; later it may go better."""
    verdict = judge(status, body)
    assert (verdict.outcome, verdict.error, verdict.transient) == (Outcome.UNKNOWN, errors.ServerError, True)


@pytest.mark.parametrize("status", [409, 410, 418, 499])
def test_statuses_that_the_document_does_not_know(status: int) -> None:
    """Any other 4xx proves nothing, and the same request will hardly fare better."""
    verdict = judge(status, said())
    assert (verdict.outcome, verdict.error, verdict.transient) == (Outcome.UNKNOWN, errors.ServerError, False)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304])
def test_redirects_after_the_fact(status: int) -> None:
    """Applications redirect after a POST was done: UNKNOWN."""
    verdict = judge(status, location="https://elsewhere.example/")
    assert (verdict.outcome, verdict.error, verdict.transient) == (Outcome.UNKNOWN, errors.ServerError, False)


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize(
    ("location", "named"),
    [
        ({"location": "https://elsewhere.example/v1?secret=1"}, "elsewhere.example"),
        ({"location": "/relative"}, "an unnamed place"),
        ({"location": "http://[broken"}, "an unnamed place"),
        ({}, "an unnamed place"),
    ],
    ids=["host", "relative", "broken", "none"],
)
def test_redirects_instead(status: int, location: dict[str, str], named: str) -> None:
    """307 and 308 ask to send the same again elsewhere: REJECTED, the host named and nothing more of the URL."""
    verdict = judge(status, **location)
    assert (verdict.outcome, verdict.error) == (Outcome.REJECTED, errors.RedirectError)
    assert not verdict.transient
    assert named in verdict.reason
    assert "secret" not in verdict.reason


@pytest.mark.parametrize("word", ["success", "Success", " SUCCESS "])
def test_only_success_accepts(word: str) -> None:
    """A 2xx is ACCEPTED when its envelope says success, in any case, whatever else is missing (quirk Q11)."""
    assert judge(200, json.dumps({"status": word}).encode()).outcome is Outcome.ACCEPTED
    assert judge(201, json.dumps({"status": word, "data": None}).encode()).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        HTML,
        SUCCESS[:-3],
        b'"{\\"status\\":\\"success\\"}"',
        b'{"status":"success","cost":NaN}',
        b'{"status":"ok"}',
        b'{"status":true}',
        b'{"data":{}}',
        b"[]",
        b'{"status":"succ\xff"}',
        b"[" * 100_000,
    ],
    ids=["empty", "html", "cut", "double", "nan", "ok", "bool", "none", "list", "bytes", "deep"],
)
def test_a_success_that_cannot_be_read(body: bytes) -> None:
    """Only the word "success" accepts and only "error" refuses; all else on a 2xx is UNKNOWN, a DecodeError for reads."""
    verdict = judge(200, body)
    assert (verdict.outcome, verdict.error, verdict.transient) == (Outcome.UNKNOWN, errors.DecodeError, False)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("Invalid API credentials", errors.AuthenticationError),
        ("unauthorised", errors.AuthenticationError),
        ("Insufficient SMS balance", errors.InsufficientBalanceError),
        ("You have no more SMS units", errors.InsufficientBalanceError),
        ("low balance", errors.InsufficientBalanceError),
        ("Your credit is exhausted", errors.InsufficientBalanceError),
        ("Contact not found", errors.NotFoundError),
        ("Ticket does not exist", errors.NotFoundError),
        ("no such agent", errors.NotFoundError),
        ("Invalid recipient: +12", errors.BadRequestError),
        ("", errors.BadRequestError),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 422])
def test_words_of_a_refusal_are_a_hint(status: int, message: str, error: type[RequestError]) -> None:
    """An error envelope refuses, finally; its words only choose the error's type (quirk Q10)."""
    verdict = judge(status, said(message))
    assert (verdict.outcome, verdict.error, verdict.transient) == (Outcome.REJECTED, error, False)
    assert verdict.message == (message or None)


def test_words_do_not_overrule_a_status() -> None:
    """401 is about the keys, whatever its text says."""
    assert judge(401, said("not found")).error is errors.AuthenticationError


PASSING = {FailureKind.CONNECT, FailureKind.TIMEOUT, FailureKind.CONNECTION_LOST}
READ_ERRORS = {
    FailureKind.TIMEOUT: errors.RequestTimeoutError,
    FailureKind.TOO_LARGE: errors.ResponseTooLargeError,
    FailureKind.ENCODING: errors.DecodeError,
}


@pytest.mark.parametrize("kind", FailureKind)
def test_a_body_that_nobody_asked_for_was_not_sent(kind: FailureKind) -> None:
    """NOT_SENT is proved by the body alone; whether a repeat may help depends on what went wrong."""
    verdict = classify_failure(ExchangeFailedError(kind, sent=False))
    assert verdict.outcome is Outcome.NOT_SENT
    assert verdict.transient is (kind in PASSING)
    connects = kind in PASSING | {FailureKind.CERTIFICATE}
    assert verdict.error is (errors.ConnectError if connects else errors.NotSentError)
    assert verdict.reason == kind.value


@pytest.mark.parametrize("kind", FailureKind)
def test_a_body_that_left_is_unknown(kind: FailureKind) -> None:
    """Once the body was asked for, no exception's name proves that nothing was done."""
    verdict = classify_failure(ExchangeFailedError(kind, sent=True, detail="why"))
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.error is READ_ERRORS.get(kind, errors.ConnectionLostError)
    assert verdict.transient is (kind not in {FailureKind.CANCELLED, FailureKind.TOO_LARGE, FailureKind.ENCODING})
    assert verdict.reason == f"{kind.value} (why)"


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("outcome", Outcome)
def test_unknown_is_told_apart_by_effect(outcome: Outcome, effect: Effect) -> None:
    """Only what may have charged or made something twice is told as OutcomeUnknownError."""
    verdict = Verdict(outcome, "", errors.ServerError)
    harmful = outcome is Outcome.UNKNOWN and effect in {Effect.WRITE, Effect.SPEND}
    assert error_type(verdict, effect) is (OutcomeUnknownError if harmful else errors.ServerError)


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("earlier", [(), (Outcome.REJECTED,), (Outcome.NOT_SENT,), (Outcome.UNKNOWN, Outcome.REJECTED)])
@pytest.mark.parametrize("error", [errors.NotFoundError, errors.BadRequestError])
def test_not_found_means_done(error: type[RequestError], earlier: tuple[Outcome, ...], effect: Effect) -> None:
    """Only for an idempotent call, only after a try whose answer was lost (quirk Q38)."""
    expected = error is errors.NotFoundError and Outcome.UNKNOWN in earlier and effect is Effect.IDEMPOTENT
    attempts = [Attempt(outcome, "", 0.0) for outcome in earlier]
    assert means_done(Verdict(Outcome.REJECTED, "", error), effect, attempts) is expected


@given(
    status=st.integers(100, 999),
    body=st.binary(max_size=60) | st.sampled_from([SUCCESS, said(), HTML]),
    headers=st.dictionaries(st.sampled_from(["retry-after", "date", "location"]), st.text(max_size=40)),
)
def test_an_answer_is_always_judged(status: int, body: bytes, headers: dict[str, str]) -> None:
    """No answer, however odd, raises; and ACCEPTED needs a 2xx that says success."""
    verdict = classify_response(
        HttpResponse(status, Headers([(name.encode(), value.encode()) for name, value in headers.items()]), body),
        read_envelope(body),
        now=lambda: NOW,
    )
    if verdict.outcome is Outcome.ACCEPTED:
        assert 200 <= status < 300
        assert b"success" in body.lower()


@pytest.mark.parametrize(
    ("verdict", "signal"),
    [
        (judge(429), Signal.RATE_LIMITED),
        (judge(503, said(), retry_after="3"), Signal.RATE_LIMITED),
        (judge(400), Signal.ADMITTED),
        (judge(502), Signal.FAILED),
        (classify_failure(ExchangeFailedError(FailureKind.CONNECT, sent=False)), Signal.NOTHING),
    ],
)
def test_the_pacer_learns_what_a_failure_says_of_the_limit(verdict: Verdict, signal: Signal) -> None:
    """A rejection says that there was room; a request that never left says nothing; a failing server asks for less."""
    assert signal_of(verdict) is signal


def test_a_masked_verdict_keeps_nothing_of_the_api_unmasked() -> None:
    """The reason and the API's own words are masked; a verdict without words stays as it is."""
    verdict = judge(400, said("No, key-1.")).masked(lambda text: text.replace("key-1", "***"))
    assert verdict.message == "No, ***."
    assert "key-1" not in verdict.reason
    assert judge(502).masked(str.upper).message is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError("no route to +2348012345678"), "OSError: no route to +234********78"),
        (ConnectionResetError(), "ConnectionResetError"),
    ],
)
def test_an_error_of_a_library_is_named_by_its_type_and_redacted_words(error: Exception, words: str) -> None:
    """A library may quote the server, and so a number."""
    assert describe(error) == words
