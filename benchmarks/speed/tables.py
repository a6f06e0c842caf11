"""Write the results as Markdown between two marks of a README."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed import goals, race
from benchmarks.speed.contestants import ALL, DEFAULT
from benchmarks.speed.goals import Results

BEGIN, END = "<!-- speed: begin, written by python -m benchmarks.speed -->", "<!-- speed: end -->"
HERE = Path(__file__).resolve().parent
README, DETAILS = HERE.parent / "README.md", HERE / "README.md"


def write(results: Results) -> None:
    """Write the goals into the README of all benchmarks, and all figures into this benchmark's."""
    _between_marks(README, goals_table(results))
    _between_marks(DETAILS, "\n\n".join(details(results)))


def _between_marks(path: Path, text: str) -> None:
    written = path.read_text("utf-8")
    assert BEGIN in written, f"{path} lacks the marks"
    before, _, rest = written.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")


def goals_table(results: Results) -> str:
    """Return the table of the goals."""
    made = results["made"]
    commits = ", ".join(f"{part} {commit}" for part, commit in results["commits"].items())
    note = f"Measured {made['when']} on {made['machine']}, {made['rounds']} rounds, {made['load']}; commits: {commits}."
    return f"{_table(('wanted', 'measured', '', 'why'), goals.rows(results))}\n\n{note}"


def details(results: Results) -> list[str]:
    """Return a table for each measured part."""
    parts = [_server(results)]
    for setting in race.FULL:
        if setting.name in results["race"]:
            parts += [f"### {setting.name}", _race(results["race"][setting.name])]
    others = (
        ("Counts of one send", _counts, "counts"),
        ("Waiting messages", _waiting, "waiting"),
        ("POSTs for one send, when the connection drops after the body", _duplicates, "duplicates"),
        ("Imports", _imports, "imports"),
        ("Long lists", _lists, "lists"),
    )
    for title, table, part in others:
        if results[part]:
            parts += [f"### {title}", table(results[part])]
    return parts


def _server(results: Results) -> str:
    shown = ", ".join(f"{name} {rate:,.0f}/s" for name, rate in results["ceilings"].items() if rate)
    server = results["made"]["server"]
    return f"The server alone, as wrk sees it from the clients' core over 64 connections ({server}): {shown or 'not measured'}."


def _race(figures: dict[str, dict[str, float]]) -> str:
    base = figures.get(DEFAULT, {}).get("cpu_us")
    heads = ("", "CPU µs per request", "minimum to maximum", "times ours", "requests/s", "p50 ms", "p99 ms")
    rows = []
    for contestant in ALL:
        run = figures.get(contestant.name)
        if run:
            spread = f"{run['cpu_us_lowest']:,.0f} to {run['cpu_us_highest']:,.0f}"
            ratio = f"{run['cpu_us'] / base:.2f}" if base else ""
            shown = (f"{run['cpu_us']:,.0f}", spread, ratio, f"{run['per_second']:,.0f}")
            rows.append((contestant.name, *shown, f"{run['p50_ms']:.2f}", f"{run['p99_ms']:.2f}"))
        elif run is not None:
            rows.append((contestant.name, "all requests timed out", *[""] * 5))
    return _table(heads, rows)


def _counts(counts: dict[str, dict[str, Any]]) -> str:
    rows = [
        (name, f"{one['functions']:,.0f}", f"{one['functions_alone']:,.0f}", f"{one['syscalls']:.1f}")
        for name, one in counts.items()
    ]
    return _table(("", "function calls, 16 in flight", "… one at a time", "system calls, one at a time"), rows)


def _waiting(waiting: list[dict[str, Any]]) -> str:
    heads = (
        "",
        "way",
        "messages",
        "responses",
        "per CPU second",
        "per second",
        "memory, MiB",
        "longest block, ms",
        "… computing",
    )
    rows = []
    for row in waiting:
        first = (row["contestant"], row["way"], f"{row['messages']:,}", f"{row['sent']:,}")
        if "seconds" in row:
            rates = (f"{row['per_cpu_second']:,}", f"{row['per_second']:,}", f"{row['growth_mib']:+.1f}")
            rows.append((*first, *rates, f"{row['longest_block_ms']:.0f}", f"{row['longest_block_cpu_ms']:.0f}"))
        else:
            rows.append((*first, *[""] * 5))
    return _table(heads, rows)


def _duplicates(duplicates: dict[str, dict[str, Any]]) -> str:
    rows = [(name, str(one["posts"]), f"`{one['raised']}`") for name, one in duplicates.items()]
    return _table(("", "POSTs", "final exception"), rows)


def _imports(imports: dict[str, dict[str, float]]) -> str:
    rows = [
        (f"`{name}`" if name.startswith("import") else name, f"{one['ms']:.1f}", f"{one['mib']:.1f}")
        for name, one in imports.items()
    ]
    return _table(("fresh interpreter", "CPU ms", "memory, MiB"), rows)


def _lists(lists: dict[str, Any]) -> str:
    return (
        f"`tickets.list()` of {lists['rows']:,} tickets: {lists['whole_ms']:.0f} ms CPU, of which {lists['fetch_ms']:.0f} "
        f"are the exchange and {lists['decode_ms']:.0f} decoding; {lists['growth_mib']:.0f} MiB of memory growth at most."
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
