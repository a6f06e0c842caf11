"""What a hostile or broken server does with one request, and what may be said of the request afterwards."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable

import attrs

from .server import Turn, body_for, framed, is_refused

ACCEPTED, REJECTED, UNKNOWN, NOT_SENT = "ACCEPTED", "REJECTED", "UNKNOWN", "NOT_SENT"
TRUE = "TRUE"
"""ACCEPTED or REJECTED, as the server has it."""


@attrs.frozen
class Case:
    """A trick, and what is known after it.

    Attributes:
        play: what the server does.
        outcomes: what may be said of the request.
        kept: whether the connection may be used again; None where backends may differ.
        pause: seconds before the next request, so that what comes behind the response has come.
        timeout: seconds of the client for the request.
        lost_by_aiohttp: whether aiohttp's parser drops the response for what lies behind it, so that nothing is known.
    """

    play: Callable[[Turn], object]
    outcomes: frozenset[str]
    kept: bool | None = False
    pause: float = 0.0
    timeout: float = 5.0
    lost_by_aiohttp: bool = False


CASES: dict[str, Case] = {}


def case(name: str, *outcomes: str, **options: float | bool | None) -> Callable[[Callable[[Turn], object]], None]:
    """Note a function as a case."""

    def note(play: Callable[[Turn], object]) -> None:
        CASES[name] = Case(play, frozenset(outcomes), **options)  # type: ignore[arg-type]

    return note


def says(name: str, data: Callable[[bytes], bytes], *outcomes: str, **options: float | bool | None) -> None:
    """Note a case in which the server answers with bytes made of the true body."""

    def play(turn: Turn) -> None:
        number = turn.read_request()
        turn.send(data(body_for(number)))

    case(name, *outcomes, **options)(play)


def ends(name: str, data: Callable[[bytes], bytes], *outcomes: str, **options: float | bool | None) -> None:
    """Note a case in which the server answers with bytes made of the true body, and closes."""

    def play(turn: Turn) -> None:
        number = turn.read_request()
        turn.send(data(body_for(number)))
        turn.hang_up()

    case(name, *outcomes, **options)(play)


OTHER = framed(body_for("+2348000000000"))
"""A success that is nobody's."""

# ------------------------------------------------------------------------------------------- bytes behind a response

says("nothing odd", framed, TRUE, kept=True)
says("a second response", lambda body: framed(body) * 2, TRUE)
says("a response of somebody else behind", lambda body: framed(body) + OTHER, TRUE)
says("ten responses", lambda body: framed(body) * 10, TRUE)
for junk in (b"X", b"\0", b"<html>", b"0\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x46"):
    says(f"{junk!r} behind", lambda body, junk=junk: framed(body) + junk, TRUE, lost_by_aiohttp=True)
says("half a response behind", lambda body: framed(body) + OTHER[:9], TRUE, kept=None)  # aiohttp forgets such a half
says("an empty line behind", lambda body: framed(body) + b"\r\n", TRUE, kept=None)
says("a length that is too short", lambda body: framed(body, length=len(body) - 3), UNKNOWN)
says("a length of 0", lambda body: framed(body, length=0), UNKNOWN)
# The second response is in a record and packet of its own. Were it later than the next request, no client could tell.
says("64 KiB, and a second response", lambda body: _of_size(body, 65_536) + OTHER, TRUE, pause=0.1)
says("256 KiB, and a second response", lambda body: _of_size(body, 262_144) + OTHER, TRUE, pause=0.1)
says("an interim response behind", lambda body: framed(body) + b"HTTP/1.1 100 Continue\r\n\r\n", TRUE)


def _of_size(body: bytes, size: int) -> bytes:
    """Write a response of exactly so many bytes: blanks behind JSON are JSON."""
    least = size - len(framed(body)) - 9  # the length grows by some digits
    return next(made for blanks in range(least, size) if len(made := framed(body + b" " * blanks)) == size)


@case("a second response in the packet of the first one's end", TRUE)
def _(turn: Turn) -> None:
    number = turn.read_request()
    data = framed(body_for(number))
    turn.send(data[:-5])
    time.sleep(0.03)
    turn.send(data[-5:] + data)


@case("a second response in a packet, in a record of its own", TRUE)
def _(turn: Turn) -> None:
    number = turn.read_request()
    with turn.in_one_packet():
        turn.send(framed(body_for(number)))
        turn.send(OTHER)


@case("a second response a moment later", TRUE, pause=0.1)
def _(turn: Turn) -> None:
    turn.answer()
    time.sleep(0.03)
    turn.send(OTHER)


@case("junk a moment later", TRUE, pause=0.1)
def _(turn: Turn) -> None:
    turn.answer()
    time.sleep(0.03)
    turn.send(b"X")


# ---------------------------------------------------------------------------------------------- ends, and cut responses

ends("closed behind the response, without a word", framed, TRUE, pause=0.05)
ends("closed, and said so", lambda body: framed(body, b"connection: close"), TRUE, pause=0.05)
ends("keep-alive, and closed", lambda body: framed(body, b"connection: keep-alive"), TRUE, pause=0.05)
says("close, and kept open", lambda body: framed(body, b"connection: close"), TRUE)
says("HTTP/1.0", lambda body: framed(body).replace(b"HTTP/1.1", b"HTTP/1.0"), TRUE)
ends("a length that is too long", lambda body: framed(body, length=len(body) + 1), UNKNOWN)
says("a length that is too long, and silence", lambda body: framed(body, length=len(body) + 1), UNKNOWN, timeout=0.3)
ends("no length", lambda body: b"HTTP/1.1 200 OK\r\n\r\n" + body, TRUE, UNKNOWN)
ends("half a response", lambda body: framed(body)[:-10], UNKNOWN)
ends("no response", lambda _: b"", UNKNOWN)
says("silence", lambda _: b"", UNKNOWN, timeout=0.3)


@case("reset behind the response", TRUE, pause=0.05)
def _(turn: Turn) -> None:
    turn.answer()
    time.sleep(0.02)
    turn.reset()


# ------------------------------------------------------------------------------------------------------- odd statuses

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
says("an interim response before", lambda body: CONTINUE + framed(body), TRUE, kept=True)
says("1,000 interim responses before", lambda body: CONTINUE * 1000 + framed(body), TRUE, kept=True)
says("interim responses without end", lambda _: CONTINUE * 400_000, UNKNOWN, timeout=0.5)
says("101", lambda body: b"HTTP/1.1 101 x\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n" + framed(body), UNKNOWN)
says("204", lambda _: b"HTTP/1.1 204 x\r\n\r\n", UNKNOWN, kept=None)
says("304 with a body", lambda body: framed(body, status=b"304 x"), UNKNOWN, kept=None)
says("500", lambda body: framed(body, status=b"500 x"), UNKNOWN, kept=True)
says("502, HTML", lambda _: framed(b"<html>502</html>", status=b"502 x"), UNKNOWN, kept=True)
says("408", lambda _: framed(b"", status=b"408 x"), UNKNOWN)
says("408, and said so", lambda _: framed(b"", b"connection: close", status=b"408 x"), UNKNOWN)


def refuses(name: str, data: bytes, *outcomes: str, kept: bool | None = True) -> None:
    """Note a case in which the server reads a request and refuses it without charging for it."""

    @case(name, *outcomes, kept=kept)
    def _(turn: Turn) -> None:
        number = turn.read_request()
        del turn.server.ledger[number]
        turn.send(data)


refuses("429, HTML", framed(b"<html>slow down</html>", status=b"429 x"), TRUE)
refuses("429, nothing", framed(b"", status=b"429 x"), TRUE)
refuses("413", framed(b"too large", status=b"413 x"), REJECTED, kept=False)
refuses("400", framed(b'{"status":"error"}', status=b"400 x"), REJECTED)
refuses("401", framed(b"", status=b"401 x"), REJECTED)
refuses("307", framed(b"", b"location: http://127.0.0.1:9/", status=b"307 x"), REJECTED)


@case("413 before the request was read, and a reset", REJECTED, UNKNOWN)
def _(turn: Turn) -> None:
    turn.read(50)
    turn.send(framed(b"no", status=b"413 x"))
    turn.reset()


@case("400 before the request was read, and closed", REJECTED, UNKNOWN)
def _(turn: Turn) -> None:
    turn.read(50)
    turn.send(framed(b"no", b"connection: close", status=b"400 x"))
    turn.hang_up()


@case("401 before the body was read", REJECTED, kept=None)
def _(turn: Turn) -> None:
    turn.read_head()
    turn.send(framed(b"no", status=b"401 x"))
    turn.unread.clear()
    turn.hang_up()


# ------------------------------------------------------------------------------------------------------- odd headers

says("a field of 200 KB", lambda body: framed(body, b"x: " + b"y" * 200_000), UNKNOWN)
says("2,000 fields", lambda body: framed(body, *[b"x: y"] * 2000), TRUE, UNKNOWN, kept=None)
says("60 fields", lambda body: framed(body, *[b"x: y"] * 60), TRUE, kept=True)
says("two lengths", lambda body: framed(body, b"content-length: 5"), UNKNOWN)
says("a folded field", lambda body: framed(body, b"x: a\r\n b"), TRUE, UNKNOWN, kept=None)
says("a field without a name", lambda body: framed(body, b": x"), UNKNOWN, TRUE, kept=None)
says("NUL in a field", lambda body: framed(body, b"x: \0"), UNKNOWN)
says("lines without CR", lambda body: framed(body).replace(b"\r\n", b"\n"), TRUE, UNKNOWN, kept=None)
says("no HTTP", lambda _: b"SSH-2.0-OpenSSH_9.2\r\n", UNKNOWN)
says("HTTP/0.9", lambda body: body, UNKNOWN, timeout=0.5)
says("TLS in the clear", lambda _: b"\x15\x03\x01\x00\x02\x02\x46", UNKNOWN, timeout=0.5)

# ------------------------------------------------------------------------------------------------------------ chunks

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def chunked(body: bytes, size: int = 7, end: bytes = b"0\r\n\r\n", head: bytes = CHUNKED) -> bytes:
    """Write a response in chunks."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end


says("chunks", chunked, TRUE, kept=True)
says("chunks of one byte", lambda body: chunked(body, 1), TRUE, kept=True)
says("chunks, and a second response", lambda body: chunked(body) + OTHER, TRUE)
says("chunks, and junk", lambda body: chunked(body) + b"X", TRUE, lost_by_aiohttp=True)
says("chunks with trailers", lambda body: chunked(body, end=b"0\r\nx: y\r\n\r\n"), TRUE, kept=True)
says(
    "chunks with a length in the trailers",
    lambda body: chunked(body, end=b"0\r\ncontent-length: 3\r\n\r\n"),
    TRUE,
    UNKNOWN,
    kept=None,
)
ends("chunks without an end", lambda body: chunked(body, end=b""), UNKNOWN)
says("chunks without an end, and silence", lambda body: chunked(body, end=b""), UNKNOWN, timeout=0.3)
says(
    "a chunk that is longer than it says",
    lambda body: CHUNKED + b"3\r\n" + body + b"\r\n0\r\n\r\n",
    UNKNOWN,
    timeout=0.5,
)
says(
    "a chunk that is shorter than it says",
    lambda body: CHUNKED + b"fff\r\n" + body + b"\r\n0\r\n\r\n",
    UNKNOWN,
    timeout=0.3,
)
says("a negative chunk", lambda body: CHUNKED + b"-3\r\n" + body + b"\r\n0\r\n\r\n", UNKNOWN, timeout=0.5)
says(
    "0x in a chunk's size", lambda body: CHUNKED + b"0x%x\r\n%b\r\n0\r\n\r\n" % (len(body), body), UNKNOWN, timeout=0.5
)
says("a chunk's size past 64 bits", lambda body: CHUNKED + b"f" * 17 + b"\r\n" + body, UNKNOWN, timeout=0.5)
says(
    "both lengths",
    lambda body: chunked(body, head=CHUNKED[:-2] + b"content-length: 3\r\n\r\n"),
    TRUE,
    UNKNOWN,
    kept=None,
    timeout=0.5,
)
says(
    "two transfer encodings",
    lambda body: chunked(body, head=CHUNKED.replace(b"chunked", b"chunked, chunked")),
    TRUE,
    UNKNOWN,
    kept=None,
    timeout=0.5,
)
says(
    "gzip as a transfer encoding",
    lambda body: chunked(body, head=CHUNKED.replace(b"chunked", b"gzip")),
    UNKNOWN,
    kept=None,
    timeout=0.3,
)
says(
    "identity as a transfer encoding",
    lambda body: chunked(body, head=CHUNKED.replace(b"chunked", b"identity")),
    UNKNOWN,
    kept=None,
    timeout=0.3,
)
says(
    "chunks, HTTP/1.0",
    lambda body: chunked(body).replace(b"HTTP/1.1", b"HTTP/1.0"),
    TRUE,
    UNKNOWN,
    kept=None,
    timeout=0.5,
)

# --------------------------------------------------------------------------------------------------- content encodings


def packed(body: bytes, name: bytes = b"gzip", cut: int = 0) -> bytes:
    """Write a response whose body is compressed."""
    data = gzip.compress(body)
    return framed(data[: len(data) - cut], b"content-encoding: " + name)


says("gzip", packed, TRUE, kept=True)
says("gzip, and a second response", lambda body: packed(body) + OTHER, TRUE)
says("gzip cut short", lambda body: packed(body, cut=6), UNKNOWN, kept=None)
says("gzip that is none", lambda body: framed(body, b"content-encoding: gzip"), UNKNOWN, kept=None)
says("an encoding that was not offered", lambda body: framed(body, b"content-encoding: br"), UNKNOWN, kept=None)
says("gzip twice", lambda body: packed(gzip.compress(body), b"gzip, gzip"), UNKNOWN, kept=None)

# ------------------------------------------------------------------------------------------------------ cut at a byte


LONGEST_REQUEST, LONGEST_RESPONSE = 420, 150
"""Bytes; the requests and responses here are shorter."""


def reset_in_request(size: int) -> Case:
    """Make the case of a server that reads so many bytes of a request and breaks the connection off."""

    def play(turn: Turn) -> None:
        turn.wait(lambda unread: len(unread) >= size or unread.endswith(b"}"))
        if turn.unread.endswith(b"}"):
            turn.read_request()
        turn.reset()

    return Case(play, frozenset({UNKNOWN, NOT_SENT}))


def cut_in_response(missing: int, *, reset: bool) -> Case:
    """Make the case of a server that goes away so many bytes before the end of a response."""

    def play(turn: Turn) -> None:
        data = framed(body_for(turn.read_request()))
        turn.send(data[: max(len(data) - missing, 0)])
        if reset:
            time.sleep(0.01)  # what a reset overtakes is lost
            turn.reset()
        turn.hang_up()

    return Case(play, frozenset({UNKNOWN if missing else TRUE}), pause=0 if missing else 0.05)


def truth(number: str) -> str:
    """Return what a whole and true response says of a number."""
    return REJECTED if is_refused(number) else ACCEPTED
