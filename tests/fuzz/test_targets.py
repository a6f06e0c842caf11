"""The seeds and the corpus of the fuzzers break no rule, also where no fuzzer is installed."""

from __future__ import annotations

import pytest

from .targets import TARGETS, known_inputs


@pytest.mark.parametrize("name", TARGETS)
def test_known_inputs_break_no_rule(name: str) -> None:
    """Each input reached a place that no other did, or broke a rule once."""
    for data in known_inputs(name):
        TARGETS[name](data)
