"""``--notify``: a message to a URL or a program at the end of a send, and when it needs a person.

It holds the campaign's name and counts, and no number and no text. Its failure is a line on stderr and changes nothing else.
"""

from __future__ import annotations

import enum
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias
from urllib.parse import SplitResult, urlsplit

import attrs
from cyclopts import Parameter

from callsavvy_async._version import __version__
from callsavvy_async.bulk.report import Sums
from callsavvy_async.cli.document import SCHEMA_VERSION
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.stderr import tell
from callsavvy_async.errors import InvalidRequestError

Notify: TypeAlias = Annotated[
    str | None,
    Parameter(
        env_var="CALLSAVVY_NOTIFY",
        show_default=False,
        help=(
            "At the end, and when the send needs you: http(s) URL that gets a JSON document by POST, or command that gets"
            " it on stdin, without a shell. It holds counts, no numbers and texts."
        ),
    ),
]
"""URL or command to notify."""

LONGEST = 10.0
"""Seconds that one delivery may take."""
_COUNTS = (
    "given",
    "accepted",
    "failed",
    "rejected",
    "unknown",
    "pending",
    "in_flight",
    "not_sent",
    "cancelled",
    "requests",
    "rate_limited",
)
_STDERR = 2


class Happening(enum.StrEnum):
    """What a notification reports."""

    FINISHED = "finished"
    """The command ended with exit code 0."""
    TROUBLE = "trouble"
    """It ended with another one."""
    PAUSED = "paused"
    """A command or the canary paused the campaign, which waits to be continued."""
    LEASE_LOST = "lease lost"
    """The process wrote no heartbeat for the length of its lease. It goes on as a new run."""


class DeliveryError(Exception):
    """A notification was not delivered. Its text holds nothing of the target."""


@attrs.define
class Notifier:
    """Delivers notifications, each in a thread of its own, so that the send never waits for one.

    Attributes:
        name: Host or program, for messages.
        deliver: Delivers the bytes of a JSON document, within about `LONGEST` seconds.
    """

    name: str
    deliver: Callable[[bytes], None] = attrs.field(repr=False)
    _threads: list[threading.Thread] = attrs.field(factory=list[threading.Thread], init=False)

    @classmethod
    def to(cls, target: str | None) -> Notifier | None:
        """Return the notifier of an http or https URL, or of a command line; None for None.

        Raises:
            InvalidRequestError: It is neither.
        """
        if target is None:
            return None
        if target.partition("://")[0].lower() in {"http", "https"}:
            url = _checked(target)
            return cls(url.hostname or "", partial(_post, url))
        try:
            words = shlex.split(target)
        except ValueError as error:
            raise InvalidRequestError(f"--notify is not a command line: {error}.") from None
        if not words or shutil.which(words[0]) is None:
            raise InvalidRequestError(
                "--notify is neither an http(s) URL nor a command whose program exists. Write a URL such as"
                " https://hooks.example/ID, or a program and its arguments. No shell reads them."
            )
        return cls(Path(words[0]).name, partial(_run, words))

    def notify(
        self,
        what: Happening,
        sums: Sums | None,
        *,
        code: ExitCode | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Deliver a notification in the background."""
        document = json.dumps(notification(what, sums, code=code, error=error)).encode()
        thread = threading.Thread(target=self._attempt, args=(document,), name="callsavvy-notify", daemon=True)
        self._threads.append(thread)
        thread.start()

    def end(self, sums: Sums | None, code: ExitCode, error: BaseException | None) -> None:
        """Report the end of the command, and wait for all deliveries, but not for longer than one may take.

        A command that was refused for want of a confirmation has done nothing to report.
        """
        if code is not ExitCode.REFUSED or error is not None:
            what = Happening.FINISHED if code is ExitCode.DONE else Happening.TROUBLE
            self.notify(what, sums, code=code, error=error)
        ends_at = time.monotonic() + LONGEST + 1
        try:
            for thread in self._threads:
                thread.join(max(0.0, ends_at - time.monotonic()))
                if thread.is_alive():
                    self._complain("it took too long")
        except KeyboardInterrupt:
            self._complain("interrupted")

    def _attempt(self, document: bytes) -> None:
        try:
            self.deliver(document)
        except subprocess.TimeoutExpired:
            self._complain("it took too long")
        except (OSError, DeliveryError) as error:
            self._complain(_reason(error))

    def _complain(self, reason: str) -> None:
        tell(f"callsavvy: the notification by {self.name} failed: {reason}.")


def notification(
    what: Happening, sums: Sums | None, *, code: ExitCode | None = None, error: BaseException | None = None
) -> Mapping[str, object]:
    """Return a notification as docs/reference/json.md describes it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "event": what.value,
        "campaign": getattr(sums, "name", None),
        "exit_code": code,
        "error": None if error is None else type(error).__name__,
        "stopped": None if sums is None or sums.stopped is None else sums.stopped.value,
        "counts": None if sums is None else _counts(sums),
    }


def _counts(sums: Sums) -> Mapping[str, object]:
    values = sums.as_dict()
    return {
        **{name: values.get(name, 0) for name in _COUNTS},
        "skipped": sums.skipped.total(),
        "cost": float(sums.cost),
        "seconds": values["elapsed"],
    }


def _checked(target: str) -> SplitResult:
    with suppress(ValueError):  # a port out of range, or an open bracket
        url = urlsplit(target)
        if url.hostname and url.port != 0 and "@" not in url.netloc:
            return url
    raise InvalidRequestError(
        "--notify is not a complete http(s) URL without a user; write it as https://hooks.example/ID."
    )


def _post(url: SplitResult, document: bytes) -> None:
    """POST a document. Follow no redirect, which could lead it elsewhere, and use no proxy."""
    import http.client  # noqa: PLC0415 - most commands notify nothing

    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=LONGEST)
    headers = {"content-type": "application/json", "user-agent": f"callsavvy-async/{__version__}"}
    try:
        connection.request("POST", f"{url.path or '/'}{f'?{url.query}' if url.query else ''}", document, headers)
        status = connection.getresponse().status
    except http.client.HTTPException as error:
        raise DeliveryError(type(error).__name__) from None
    finally:
        connection.close()
    if status // 100 != 2:  # noqa: PLR2004 - RFC 9110, section 15.3
        raise DeliveryError(f"the server responded with {status}")


def _run(words: Sequence[str], document: bytes) -> None:
    """Run a program with a document on stdin. What it prints goes to stderr, because stdout holds the command's result."""
    own_group = sys.platform != "win32"  # so that Ctrl-C does not reach it, and its own children end with it
    with subprocess.Popen(  # noqa: S603 - the user's own command
        words, stdin=subprocess.PIPE, stdout=_STDERR, start_new_session=own_group
    ) as program:
        try:
            program.communicate(document, timeout=LONGEST)
        finally:
            if program.poll() is None:
                _kill(program)
    if program.returncode:
        raise DeliveryError(f"it ended with exit code {program.returncode}")


def _kill(program: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        program.kill()
        return
    with suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)


def _reason(error: Exception) -> str:
    if isinstance(error, DeliveryError):
        return str(error)
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
