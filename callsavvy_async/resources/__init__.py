"""The groups of the API: models, one row per endpoint, one method per row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from callsavvy_async.wire.endpoint import Endpoint


def endpoints() -> Mapping[str, Endpoint[object]]:
    """Return the row of every endpoint by its name on the wire, found in the modules of this package."""
    import importlib  # noqa: PLC0415 - a client that is only told to send imports none of these
    import pkgutil  # noqa: PLC0415

    from callsavvy_async.wire.endpoint import Endpoint  # noqa: PLC0415

    rows: dict[str, Endpoint[object]] = {}
    for module in pkgutil.iter_modules(__path__):
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, Endpoint):
                row = cast("Endpoint[object]", value)
                rows[row.resource] = row
    return rows


def check_resources(pacing: object) -> None:
    """Refuse limits of endpoints that do not exist; nothing would keep to them.

    Args:
        pacing: a client's: checked where it is a mapping by the names of endpoints.

    Raises:
        ConfigurationError: naming the first one, and the one that was perhaps meant.
    """
    if isinstance(pacing, Mapping):
        from callsavvy_async.keywords import refuse_unknown  # noqa: PLC0415

        names = map(str, cast("Mapping[object, object]", pacing))
        refuse_unknown(names, {*endpoints(), "*"}, kind="endpoint", where="pacing")
