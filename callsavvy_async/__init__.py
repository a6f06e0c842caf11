"""Async Python SDK for the Callsavvy API. Start with `Callsavvy`.

The public names are written once, in ``__init__.pyi``. Each is imported from its module when it is first used (PEP 562),
so that a program pays for what it uses. A tool that freezes a program has to collect the package's data files.
"""

from __future__ import annotations

import importlib
import pkgutil


def _read_names(stub: str) -> dict[str, str]:
    """Return the module of each name that a stub re-exports as ``from module import name as name``."""
    names: dict[str, str] = {}
    for statement in stub.replace(",", " ").replace("(", " ").replace(")", " ").split("\nfrom ")[1:]:
        module, _, *imported = statement.split()
        names.update(dict.fromkeys(imported[::3], module))
    return names


_STUB = pkgutil.get_data(__name__, "__init__.pyi") or b""  # also from a zip file
_MODULES = _read_names(_STUB.decode())
__all__ = [*_MODULES]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll] - checkers read the stub


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_MODULES)
