"""The end of a command: its last output and its exit code. Both come from the command's `Activity`, never from an error alone.

The result of a send goes to stdout; if that fails, to stderr; if that fails, to a file beside the list. Exit code 2 promises
that nothing was sent, so a command never ends with it once a request may have been carried out.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from callsavvy_async.cli.activity import Activity, Way
from callsavvy_async.cli.arguments import UsageError
from callsavvy_async.cli.document import document
from callsavvy_async.cli.exit_codes import ExitCode, code_of_error, most_pressing
from callsavvy_async.cli.ledger import result_of_sums
from callsavvy_async.cli.output import Result
from callsavvy_async.cli.stderr import explain, tell
from callsavvy_async.cli.streams import OutputError, Stream
from callsavvy_async.cli.wrapping import fit


def end(activity: Activity, code: ExitCode | None, error: BaseException | None, stderr: Stream) -> ExitCode:
    """Print the result and the error of a command, and return its exit code.

    Args:
        activity: What the command has done.
        code: Exit code that the command returned.
        error: Error that ended the command; None if it returned.
        stderr: Standard error.
    """
    refused = error is not None and activity.nothing_done and code_of_error(error) is not ExitCode.FAILED
    codes = {code or ExitCode.DONE} if error is None else {_code_of(error, activity)}
    result = None if refused else _result_of(activity)
    if not refused:
        codes |= _codes_of_sums(activity)
    if activity.unknown:
        codes.add(ExitCode.UNKNOWN)
    text = _text_of(activity.way, result, most_pressing(codes), _error_of(activity, error))
    if text and not _publish(text, activity, stderr):
        codes.add(ExitCode.FAILED)
    if error is not None:
        _report_error(error, activity)
    code = most_pressing(codes)
    if activity.notifier is not None:
        activity.notifier.end(activity.sums, code, error)
    return code


def _text_of(way: Way, result: Result | None, code: ExitCode, error: Mapping[str, object] | None) -> str:
    """Return what stdout gets. A command that prints a document a line ends without one unless it failed."""
    if way.output == "json":
        if way.command.streams and result is None and error is None:
            return ""
        data = None if result is None else result.data
        return document(way.command.words, code, data, error, lines=way.command.streams)
    if result is None:
        return ""
    if way.output == "csv":
        return result.as_csv(way.columns)
    text, left_out = result.as_text(way.columns)
    if left_out:
        tell(
            f"callsavvy: not shown, for lack of room: {', '.join(left_out)}. Name them with --columns, or use -o json."
        )
    return text if way.command.is_list else fit(text, sys.stdout)


def _error_of(activity: Activity, error: BaseException | None) -> Mapping[str, object] | None:
    """Return the error as JSON has it: its kind, its text, and what became of the command's requests."""
    if error is None and activity.problem is None:
        return None
    requests = {"accepted": activity.accepted, "unknown": activity.unknown}
    if error is None:
        return {"kind": "refused", "message": activity.problem, "requests": requests}
    kind = "usage" if isinstance(error, UsageError) else type(error).__name__
    return {"kind": kind, "message": _what(error, activity), "requests": requests}


def _codes_of_sums(activity: Activity) -> set[ExitCode]:
    if activity.sums is None:
        return set()
    agrees = activity.comparison is None or activity.comparison.agrees
    return {activity.exit_code(activity.sums), ExitCode.DONE if agrees else ExitCode.FAILED}


def _code_of(error: BaseException, activity: Activity) -> ExitCode:
    code = code_of_error(error)
    return ExitCode.FAILED if code is ExitCode.REFUSED and not activity.nothing_done else code


def _result_of(activity: Activity) -> Result | None:
    if activity.sums is None:
        return activity.result
    return result_of_sums(activity.sums, activity.comparison)


def _report_error(error: BaseException, activity: Activity) -> None:
    if isinstance(error, OutputError) and error.reader_left:
        return
    what = _what(error, activity)
    tell(f"callsavvy: an error ended the send: {what}" if activity.sums is not None else f"callsavvy: {what}")
    if not activity.nothing_done and activity.sums is None:
        tell(
            f"callsavvy: requests of this command: {activity.accepted} accepted, {activity.unknown} unknown (perhaps done,"
            " perhaps charged). Check the account before you send them again."
        )


def _what(error: BaseException, activity: Activity) -> str:
    return "; before that: ".join(explain(one, activity.options) for one in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and the errors that it followed, one of each type.

    Example: a send failed, and afterwards its report could not be written.
    """
    kinds: set[type[BaseException]] = set()
    at: BaseException | None = error
    while at is not None:
        if type(at) not in kinds:
            kinds.add(type(at))
            yield at
        at = None if at.__suppress_context__ else at.__context__


def _publish(text: str, activity: Activity, stderr: Stream) -> bool:
    """Print a result; return False if stdout did not take it and it went elsewhere."""
    try:
        print(text, flush=True)
    except OutputError as error:
        if error.reader_left and activity.nothing_done:  # as `| head` does; nothing is lost
            return False
        tell(f"callsavvy: cannot write to standard output ({error.reason}). The result:\n{text}")
        if not stderr.works:
            _write_beside(text, activity.folder)
        return False
    return True


def _write_beside(text: str, folder: Path) -> None:
    """Write a result to a new file in the first writable folder."""
    name = f"callsavvy-result-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"  # noqa: DTZ005 - local time for its reader
    for place in (folder, Path(), Path(tempfile.gettempdir())):
        try:
            descriptor = os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123 - a descriptor
                file.write(f"{text}\n")
        except OSError:
            continue
        return
