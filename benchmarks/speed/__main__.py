"""Run all speed benchmarks: python -m benchmarks.speed (half an hour; --short: under two minutes).

The full form writes results/speed.json, the charts beside it, and the tables of the two READMEs. The short form only
prints. Run the command from the root of the repository.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.speed import campaign, child, counts, duplicates, imports, lists, race, servers, tables, waiting
from benchmarks.speed.contestants import ALL, DEFAULT, HTTPX_BACKEND, PACED
from benchmarks.speed.goals import Results

FOLDER = Path(__file__).resolve().parent / "results"
RESULTS = FOLDER / "speed.json"
PARTS = ("race", "counts", "waiting", "duplicates", "imports", "lists", "campaign")


def main() -> None:
    """Measure the selected parts. The others keep their last figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="few settings, one round; writes nothing")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the race")
    parser.add_argument("--seconds", type=float, default=1.0, help="seconds of each run of the race")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS, help="parts to measure again")
    parser.add_argument("--redraw", action="store_true", help="do not measure; rewrite the tables and charts")
    given = parser.parse_args()
    results: Results = {
        "ceilings": {},
        "commits": {},
        "made": {"rounds": 0},
        **{part: [] if part == "waiting" else {} for part in PARTS},
    }
    if not given.short and RESULTS.exists():
        results.update(json.loads(RESULTS.read_text("utf-8")))
    if not given.redraw:
        began = time.monotonic()
        measure(results, given)
        print(f"took {time.monotonic() - began:.0f} s")
    if given.short:
        print("\n\n".join([tables.goals_table(results), *tables.details(results)]))
        return
    FOLDER.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    tables.write(results)
    from benchmarks.speed import charts  # noqa: PLC0415 - the short form does not need matplotlib

    charts.draw(results, FOLDER)


def measure(results: Results, given: argparse.Namespace) -> None:
    """Measure the parts and store their results."""
    child.prepare_anchors()
    short, only = given.short, given.only
    rounds, seconds = (1, 0.4) if short else (given.rounds, given.seconds)
    load = os.getloadavg()[0]
    with servers.serving(race.SLOW) as running:
        if "race" in only:
            addresses = {"plaintext": running.plain, "TLS": running.tls, "50 ms": running.slow}
            results["ceilings"] = {
                name: servers.ceiling(url, running.folder, connections=64, seconds=1 if short else 3)
                for name, url in addresses.items()
            }
            results["race"] = race.race(running, race.SHORT if short else race.FULL, rounds=rounds, seconds=seconds)
        if "counts" in only:
            results["counts"] = count(short=short)
        if "lists" in only:
            results["lists"] = lists.measure(running)
        if "waiting" in only:
            results["waiting"] = waiting.measure(running, full=not short)
        if "duplicates" in only:
            results["duplicates"] = duplicates.count(running.folder)
    if "imports" in only:
        results["imports"] = imports.measure(rounds=1 if short else 7)
    if "campaign" in only and not short:
        results["campaign"] = campaign.measure(recipients=1_000_000)
    results["commits"].update(dict.fromkeys(only, commit()))
    results["made"] = {
        "when": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{os.cpu_count()} cores, CPython {platform.python_version()}",
        "rounds": rounds if "race" in only else results["made"]["rounds"],
        "load": f"{load:.1f} processes waiting for a core at the start",
        "server": servers.describe(),
    }


def commit() -> str:
    """Return the commit of the measured code."""
    line = ["git", "-C", str(FOLDER.parent), "describe", "--always", "--dirty"]
    return subprocess.run(line, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def count(*, short: bool) -> dict[str, Any]:
    """Count the calls of one send: all but the peers and the pacing client. The short form counts those with a goal."""
    chosen = [
        one
        for one in ALL
        if (one.name in {DEFAULT, HTTPX_BACKEND} if short else one.kind != "peer" and one.name != PACED)
    ]
    with servers.slow_server(0.0) as url:
        counted = {contestant.name: counts.count(contestant, url) for contestant in chosen}
    for one in counted.values():
        del one["most_called"]
    return counted


if __name__ == "__main__":
    main()
