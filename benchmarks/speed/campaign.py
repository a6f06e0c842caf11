"""Measure a campaign of a million recipients at 200 requests per second, with and without the journal."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "bench_campaign.py"
WITHIN = 600.0
"""Seconds until the measurement is cancelled."""
FIGURES = {
    "share": r"the journal's share of the run: (-?[\d.]+)%",
    "journal_mib": r"journal: ([\d.]+) MiB",
    "growth_mib": r"memory: (-?[\d.]+) MiB more",
}


def measure(*, recipients: int) -> dict[str, float]:
    """Run the campaign's benchmark and parse its output."""
    print(f"campaign: {recipients:,} recipients, twice", flush=True)
    line = [sys.executable, str(SCRIPT), "--recipients", str(recipients), "--rate", "200/s"]
    shown = subprocess.run(line, capture_output=True, text=True, check=True, timeout=WITHIN).stdout
    found = {name: re.search(pattern, shown) for name, pattern in FIGURES.items()}
    return {name: float(match[1]) for name, match in found.items() if match}
