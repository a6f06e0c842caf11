"""Run the command line with ``python -m callsavvy_async``."""

from __future__ import annotations

import sys

from callsavvy_async.cli import main

if __name__ == "__main__":
    sys.exit(main())
