"""The application: all commands, and the handling of their errors (one line on stderr and an exit code)."""

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
from callsavvy_async.cli import (
    bulk,
    campaigns,
    keys,
    outbox,
    raw,
    reading,
    sending,
    simulator,
    suppress,
    webhooks,
    writing,
)
from callsavvy_async.cli.activity import new_activity
from callsavvy_async.cli.client import chosen_proxy
from callsavvy_async.cli.ending import end
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.interrupts import as_ctrl_c
from callsavvy_async.cli.stderr import tell
from callsavvy_async.cli.streams import Stdout, safe_streams
from callsavvy_async.redaction import redact
from callsavvy_async.wording import quantity

_log = logging.getLogger("callsavvy_async")
_log.addHandler(logging.NullHandler())  # without a handler logging would print warnings into the progress bar

app: App = App(
    name="callsavvy",
    help="Send messages with the Callsavvy API and read the data of the account.",
    version=__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(show_default=lambda value: value or None),  # no "[default: False]" on every flag
)
app.meta.suppress_keyboard_interrupt = False
_GROUPS = (bulk, campaigns, suppress, keys, outbox, sending, reading, writing, raw, simulator, webhooks)
for _group in _GROUPS:
    _group.register(app)


@app.meta.default
def _with_common_options(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    proxy: Annotated[str | None, Parameter(env_var="CALLSAVVY_PROXY")] = None,
) -> ExitCode | None:
    """Run the command that the tokens name.

    Args:
        tokens: Rest of the command line.
        proxy: HTTP proxy for the API, e.g. http://host:3128, or "env" to use HTTPS_PROXY and NO_PROXY.
    """
    chosen_proxy.set(proxy)
    return _dispatch(app, tokens)


def _dispatch(application: App, arguments: Sequence[str]) -> ExitCode | None:
    code: ExitCode | None = application(
        list(arguments), exit_on_error=False, print_error=False, result_action="return_value"
    )
    return code


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    with safe_streams() as (stdout, stderr), new_activity() as activity, as_ctrl_c():
        if os.environ.get("CALLSAVVY_DEBUG") == "1":
            logging.basicConfig(stream=sys.stderr)
            _log.setLevel(logging.DEBUG)
        code, error = _attempt(arguments, stdout)
        return end(activity, code, error, stderr)


def _attempt(arguments: Sequence[str], stdout: Stdout) -> tuple[ExitCode | None, BaseException | None]:
    """Run one command; return its exit code, or the error that ended it."""
    try:
        code = _dispatch(app.meta, arguments)
        stdout.flush()
    except CycloptsError as error:
        tell(f"callsavvy: {_usage(error)} See callsavvy --help.")
        return ExitCode.REFUSED, None
    except BaseException as error:  # noqa: BLE001 - `end` reports it
        if os.environ.get("CALLSAVVY_DEBUG") == "1":
            traceback.print_exc()
        return None, error
    return code, None


def _usage(error: CycloptsError) -> str:
    """Describe a usage error without repeating arguments that may be a message's text."""
    if isinstance(error, UnusedCliTokensError):
        return f"{quantity(len(error.unused_tokens or ()), 'argument')} too many; put a text that contains spaces in quotes."
    return redact(str(error))
