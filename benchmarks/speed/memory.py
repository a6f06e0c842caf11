"""Resident memory of this process. Linux only: it reads /proc/self/status."""

from __future__ import annotations

from pathlib import Path

KIB_PER_MIB = 1024


def resident() -> float:
    """Return the current memory in MiB."""
    return _read("VmRSS")


def peak() -> float:
    """Return the peak of memory in MiB since `forget_peak`."""
    return _read("VmHWM")


def forget_peak() -> None:
    """Reset the peak (clear_refs in proc(5))."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")


def _read(name: str) -> float:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("ascii").splitlines())
    return int(status[name].split()[0]) / KIB_PER_MIB
