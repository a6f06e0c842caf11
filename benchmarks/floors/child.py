"""Measure one row on the client's core: python -m benchmarks.floors.child MODULE.FUNCTION ARGUMENT... Prints JSON."""

from __future__ import annotations

import importlib
import json
import sys

from benchmarks.speed import cores

if __name__ == "__main__":
    cores.pin(cores.CLIENT)
    module, _, function = sys.argv[1].partition(".")
    measure = getattr(importlib.import_module(f"benchmarks.floors.{module}"), function)
    print(json.dumps(measure(*sys.argv[2:])))
