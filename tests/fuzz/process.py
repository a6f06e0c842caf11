"""The process that libFuzzer ends: python -m tests.fuzz.process TARGET [LIBFUZZER'S OPTIONS]."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["callsavvy_async"]):
    from .targets import TARGETS

if __name__ == "__main__":
    program, name, *options = sys.argv
    atheris.Setup([program, *options], TARGETS[name])
    atheris.Fuzz()
