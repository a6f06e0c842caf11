"""What every answer type shares: frozen, unknown fields kept, private fields masked in the repr."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from callsavvy_async.redaction import mask_text


def _show_names(extra: Mapping[str, object]) -> str:
    return f"<{', '.join(extra)}>" if extra else "{}"


def private(default: Any = None) -> Any:
    """Declare a model field that holds personal data, a text or a secret: its repr is masked."""
    return attrs.field(default=default, repr=mask_text)


@attrs.frozen(kw_only=True)
class Model:
    """Base of every answer type.

    The API leaves out, nulls or empties what it does not have, so every field but a row's own id may be None.
    """

    extra: Mapping[str, object] = attrs.field(factory=dict[str, object], repr=_show_names, hash=False)
    """What the API sent beside the documented fields, and documented fields whose value could not be read, both under
    their wire names and as they came."""


@attrs.frozen(kw_only=True)
class Receipt(Model):
    """Base of what a request that changed something answers. It never fails to be read: it holds what there was."""

    raw: bytes = attrs.field(default=b"", repr=False, eq=False)
    """The whole answer as it came."""
