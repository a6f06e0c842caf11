"""Locate servers that are installed as wheels, without importing their packages."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def files_of(package: str) -> Path:
    """Return the folder of an installed package.

    Raises:
        FileNotFoundError: The package is not installed.
    """
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise FileNotFoundError(
            f"the server is neither on the PATH nor installed as the wheel {package}; install the group test"
        )
    return Path(found.origin).parent
