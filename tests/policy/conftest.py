"""Let these tests face the benchmark's servers, without putting the source tree on the path of the tested wheel."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

if "benchmarks" not in sys.modules:
    spec = importlib.util.spec_from_file_location("benchmarks", _BENCHMARKS / "__init__.py")
    assert spec is not None
    sys.modules["benchmarks"] = importlib.util.module_from_spec(spec)
