"""All commands in one application, and what becomes of their errors: one line on stderr, and an exit code."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import UnusedCliTokensError

from callsavvy_async._version import __version__
from callsavvy_async.cli import bulk, estimate, raw, reading, runs, sending, simulator, webhooks, writing
from callsavvy_async.cli.client import chosen_proxy
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
app.meta.suppress_keyboard_interrupt = False
for module in (bulk, runs, estimate, sending, reading, writing, raw, simulator, webhooks):
    module.register(app)


@app.meta.default
def _with_options_of_all(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    proxy: Annotated[str | None, Parameter(env_var="CALLSAVVY_PROXY")] = None,
) -> ExitCode | None:
    """Run the command that the tokens name.

    Args:
        tokens: What is left of the command line.
        proxy: Reach the API through this proxy, as http://host:3128; "env" for that of HTTPS_PROXY and NO_PROXY.
    """
    chosen_proxy.set(proxy)
    return _call(app, tokens)


def _call(application: App, arguments: Sequence[str]) -> ExitCode | None:
    code: ExitCode | None = application(
        list(arguments), exit_on_error=False, print_error=False, result_action="return_value"
    )
    return code


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    debugging = os.environ.get("CALLSAVVY_DEBUG") == "1"
    if debugging:
        logging.basicConfig(stream=sys.stderr)
        _log.setLevel(logging.DEBUG)
    try:
        code = _call(app.meta, arguments)
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
