"""Resident memory of this process. Linux only: it reads /proc/self/status."""

from __future__ import annotations

from pathlib import Path

KIB_PER_MIB = 1024


def resident() -> float:
    """Return the MiB in memory now."""
    return _read("VmRSS")


def peak() -> float:
    """Return the most MiB that were in memory since `forget_peak`."""
    return _read("VmHWM")


def forget_peak() -> None:
    """Make the peak start from here; see clear_refs in proc(5)."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")


def _read(name: str) -> float:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("ascii").splitlines())
    return int(status[name].split()[0]) / KIB_PER_MIB
