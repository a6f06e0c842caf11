"""How a command ends: what is said last, and the exit code. Both come from the books, never from the last error.

A result of something that was sent is written where it can be: to stdout, else to stderr, else to a file beside the list. Exit
code 2 promises that nothing was sent, so no command ends with it once a request has left whose outcome is not a proven "no".
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from callsavvy_async.cli.books import Books
from callsavvy_async.cli.exit_codes import ExitCode, code_of_error, most_pressing
from callsavvy_async.cli.ledger import lines_of_sums
from callsavvy_async.cli.stderr import explain, tell
from callsavvy_async.cli.streams import OutputError, Stream


def end(books: Books, code: ExitCode | None, error: BaseException | None, stderr: Stream) -> ExitCode:
    """Say what is left to say, and return the exit code.

    Args:
        books: of the command.
        code: that the command returned.
        error: that ended it; None when it returned.
        stderr: the stream.
    """
    refused = error is not None and books.nothing_left and code_of_error(error) is not ExitCode.FAILED
    codes = {code or ExitCode.DONE} if error is None else {_code_of(error, books)}
    text = None if refused else _result_of(books)
    if text is not None and not _publish(text, books.folder, stderr):
        codes.add(ExitCode.FAILED)
    if books.sums is not None and not refused:
        codes.add(books.judge(books.sums))
        codes |= {ExitCode.FAILED} if books.comparison is not None and not books.comparison.agrees else set()
    if books.unknown:
        codes.add(ExitCode.UNKNOWN)
    if error is not None:
        _tell(error, books)
    return most_pressing(codes)


def _code_of(error: BaseException, books: Books) -> ExitCode:
    code = code_of_error(error)
    return ExitCode.FAILED if code is ExitCode.REFUSED and not books.nothing_left else code


def _result_of(books: Books) -> str | None:
    if books.sums is None:
        return books.receipt
    return lines_of_sums(books.sums, books.comparison, json=books.json)


def _tell(error: BaseException, books: Books) -> None:
    if isinstance(error, OutputError) and error.reader_left:
        return
    what = "; before that: ".join(map(explain, _chain(error)))
    tell(f"callsavvy: the run did not end well: {what}" if books.sums is not None else f"callsavvy: {what}")
    if not books.nothing_left and books.sums is None:
        tell(
            f"callsavvy: of the requests of this command {books.accepted} were accepted, and of {books.unknown} nothing is"
            " known: perhaps done, perhaps charged. Look before you do it again."
        )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, and those before it, as when the report of a run that failed cannot be written; one of each kind."""
    kinds: set[type[BaseException]] = set()
    at: BaseException | None = error
    while at is not None:
        if type(at) not in kinds:
            kinds.add(type(at))
            yield at
        at = None if at.__suppress_context__ else at.__context__


def _publish(text: str, folder: Path, stderr: Stream) -> bool:
    """Write a result where it can be read; False when that is not stdout."""
    try:
        print(text, flush=True)
    except OutputError as error:
        tell(f"callsavvy: standard output cannot be written ({error.reason}). The result:\n{text}")
        if not stderr.works:
            _write_beside(text, folder)
        return False
    return True


def _write_beside(text: str, folder: Path) -> None:
    """Write a result to a new file, in the first folder that takes it."""
    name = f"callsavvy-result-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"  # noqa: DTZ005 - on the clock of whoever looks for it
    for place in (folder, Path(), Path(tempfile.gettempdir())):
        try:
            descriptor = os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123 - a descriptor
                file.write(f"{text}\n")
        except OSError:
            continue
        return
