"""``python -m callsavvy_async``: the command line without its script."""

from __future__ import annotations

import sys

from callsavvy_async.cli import main

if __name__ == "__main__":
    sys.exit(main())
