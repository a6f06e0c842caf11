"""Values of the hot path, frozen for the type checkers only.

The ``__init__`` of a frozen attrs class calls ``object.__setattr__`` for each field, about 1,000 instructions each on CPython
3.11. `slim` makes a class that stores its fields directly. mypy and basedpyright still refuse every assignment, and CI runs
both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from attrs import frozen as slim
else:

    def slim(cls: type) -> type:
        """Make an attrs class with slots, equality and a hash, whose ``__init__`` stores directly."""
        return attrs.define(cls, unsafe_hash=True, on_setattr=attrs.setters.NO_OP)


__all__ = ["slim"]
