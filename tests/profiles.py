"""What the quick suite draws and runs of what the long one does whole.

Hypothesis draws few examples, always the same ones, in the quick profile, and many new ones in the thorough one. The quick
profile is the default; `pytest --hypothesis-profile=thorough` chooses the other. Of tests with many parameters the quick
suite runs a few; the mark `long` keeps the others for `nox -s tests_long`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

_NO_CLOCK = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failing test; pytest-timeout bounds them all."""

_THOROUGH = 100
"""Examples of the thorough profile."""

settings.register_profile("quick", _NO_CLOCK, max_examples=15, derandomize=True)
settings.register_profile("thorough", _NO_CLOCK, max_examples=_THOROUGH)
settings.load_profile("quick")


def examples(thorough: int, **others: Any) -> settings:
    """Draw this many examples in the thorough profile, and a sixth of them in the quick one."""
    return settings(max_examples=max(5, thorough * settings.default.max_examples // 100), **others)


def sized(thorough: int, *, quick: int) -> int:
    """Return how much a test does in the thorough profile, and in the quick one. Call it in the test."""
    return thorough if settings.default.max_examples >= _THOROUGH else quick


def mostly_long(values: Iterable[object], *, quick: int = 1) -> list[object]:
    """Return values of a parameter of which the quick suite runs the first few, and the long one the others."""
    return mostly_long_rows(((value,) for value in values), quick=quick)


def mostly_long_rows(rows: Iterable[Sequence[object]], *, quick: int = 1) -> list[object]:
    """Return the same for several parameters: a row holds one value of each."""
    return [pytest.param(*row, marks=pytest.mark.long if n >= quick else ()) for n, row in enumerate(rows)]


trio_is_long = pytest.mark.parametrize("anyio_backend", mostly_long(["asyncio", "trio"]), indirect=True)
"""For what does not depend on the event loop, or is slow: the quick suite runs it on asyncio only."""
