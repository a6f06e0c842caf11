"""How many examples hypothesis draws: few and always the same ones in the quick profile, many new ones in the thorough one.

The quick profile is the default; `pytest --hypothesis-profile=thorough` chooses the other.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

_NO_CLOCK = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failing test; pytest-timeout bounds them all."""

settings.register_profile("quick", _NO_CLOCK, max_examples=25, derandomize=True)
settings.register_profile("thorough", _NO_CLOCK, max_examples=100)
settings.load_profile("quick")


def examples(thorough: int, **others: Any) -> settings:
    """Draw this many examples in the thorough profile, and a quarter of them in the quick one."""
    return settings(max_examples=max(5, thorough * settings.default.max_examples // 100), **others)
