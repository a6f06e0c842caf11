"""Async Python SDK for the Callsavvy API. Start with `Callsavvy`.

The stub ``__init__.pyi`` lists the public names. Each name is imported on first use (PEP 562). Tools that freeze programs must
collect the package's data files.
"""

from __future__ import annotations

import importlib
import pkgutil


def _read_names(stub: str) -> dict[str, str]:
    """Return the module of each name that the stub re-exports as ``from module import name as name``."""
    names: dict[str, str] = {}
    for statement in stub.replace(",", " ").replace("(", " ").replace(")", " ").split("\nfrom ")[1:]:
        module, _, *imported = statement.split()
        names.update(dict.fromkeys(imported[::3], module))
    return names


_STUB = pkgutil.get_data(__name__, "__init__.pyi") or b""  # works in zip files too
_MODULES = _read_names(_STUB.decode())
__all__ = [*_MODULES]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll] - type checkers read the stub


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_MODULES)
