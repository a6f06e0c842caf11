"""The groups of the API: models, one `Endpoint` per resource of the API, and one method per endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from callsavvy_async.wire.endpoint import Endpoint


def endpoints() -> Mapping[str, Endpoint[object]]:
    """Return all endpoints of this package's modules, by the name of their resource."""
    import importlib  # noqa: PLC0415 - rarely needed
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
    """Refuse pacers for unknown endpoints, which would have no effect.

    Args:
        pacing: the client's `pacing`. Only a mapping is checked.

    Raises:
        ConfigurationError: an endpoint is unknown. The error suggests the closest known one.
    """
    if isinstance(pacing, Mapping):
        from callsavvy_async.keywords import refuse_unknown  # noqa: PLC0415

        names = map(str, cast("Mapping[object, object]", pacing))
        refuse_unknown(names, {*endpoints(), "*"}, kind="endpoint", where="pacing")
