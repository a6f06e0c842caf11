"""All commands in one application, and what becomes of their errors: one line on stderr, and an exit code."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, CycloptsError
from cyclopts.exceptions import UnusedCliTokensError

from callsavvy_async._version import __version__
from callsavvy_async.cli import bulk, raw, reading, runs, sending, simulator, webhooks, writing
from callsavvy_async.cli.exit_codes import ExitCode, code_of_error
from callsavvy_async.cli.stderr import explain, tell
from callsavvy_async.redaction import redact

_log = logging.getLogger("callsavvy_async")
_log.addHandler(logging.NullHandler())  # else logging would print warnings into the progress bar

app = App(
    name="callsavvy",
    help="Send messages with the Callsavvy API and read what the account holds.",
    version=__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
)
for module in (bulk, runs, sending, reading, writing, raw, simulator, webhooks):
    module.register(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    debugging = os.environ.get("CALLSAVVY_DEBUG") == "1"
    if debugging:
        logging.basicConfig(stream=sys.stderr)
        _log.setLevel(logging.DEBUG)
    try:
        code: ExitCode | None = app(
            list(arguments), exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our results went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that closing stdout fails no more
        return ExitCode.FAILED
    except CycloptsError as error:
        tell(f"callsavvy: {_usage(error)} See callsavvy --help.")
        return ExitCode.REFUSED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last handler there is
        if debugging:
            traceback.print_exc()
        tell(f"callsavvy: {explain(error)}")
        return ExitCode.REFUSED if isinstance(error, OSError) else code_of_error(error)
    return code or ExitCode.DONE


def _usage(error: CycloptsError) -> str:
    """Say what is wrong with the command line; what may be a message's text is not repeated."""
    if isinstance(error, UnusedCliTokensError):
        count = len(error.unused_tokens or ())
        return f"there are {count} arguments too many; put a text that holds blanks in quotes."
    return redact(str(error))
