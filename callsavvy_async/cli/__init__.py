"""The command line ``callsavvy`` (extra ``cli``). Results go to stdout, everything else to stderr.

Exit codes: see `callsavvy_async.cli.exit_codes`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

_EXTRA = {"cyclopts", "rich"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: Command line without the program's name. Defaults to ``sys.argv``.
    """
    from callsavvy_async.cli.start import run  # noqa: PLC0415 - importing the package is cheap

    try:
        return run(sys.argv[1:] if arguments is None else arguments)
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        print(f"callsavvy: the command line needs {package}: pip install 'callsavvy-async[cli]'", file=sys.stderr)
        return 5  # ExitCode.CONFIGURATION; its module needs the extra
