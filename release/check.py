"""Check what a release would publish: `nox -s release_check`, which installs the tools.

Checks that CHANGELOG.md and README.md name the version. Builds the wheel and the sdist twice, from copies with other dates, and
compares their SHA-256. Then checks their metadata (twine), installs the wheel with each extra alone and imports what it is for,
compares the public names with the last tag (griffe), and lists components (CycloneDX), licences and known vulnerabilities of
everything that an installation brings.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import runpy
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
SBOM = ROOT / "release" / "sbom.cdx.json"
"""Components that the wheel declares; it lies in the wheel (PEP 770)."""
SMOKE = {
    "": "from callsavvy_async import Callsavvy, Credentials; Callsavvy(Credentials.SANDBOX)",
    "aiohttp": "from callsavvy_async.transport.backends import aiohttp",
    "cli": "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-m', 'callsavvy_async', '--version']))",
    "excel": "import python_calamine",
    "fastapi": "import callsavvy_async.integrations.fastapi",
    "otel": "import callsavvy_async.integrations.otel",
    "parquet": "import pyarrow.parquet",
    "phone": "import phonenumbers",
    "postgres": "import psycopg",
    "redis": "import coredis",
    "speed": "import msgspec, orjson",
}
"""What each extra is for."""
COPYLEFT_KNOWN = {"psycopg", "psycopg-binary"}
"""LGPL, imported and not changed."""


def main() -> None:
    """Run every check; the first that fails ends the command."""
    with tempfile.TemporaryDirectory() as folder:
        announced()
        built = reproducible(Path(folder))
        say("metadata")
        run("twine", "check", "--strict", *map(str, built))
        wheel = next(path for path in built if path.suffix == ".whl")
        say("each extra alone")
        extras = smoke(wheel, Path(folder))
        say("public names")
        compare_names()
        say("components, licences, vulnerabilities")
        inventory(wheel, extras, Path(folder))
    print("\nready to be released")


def say(what: str) -> None:
    """Print a heading."""
    print(f"\n== {what}", flush=True)


def run(*command: str, cwd: Path = ROOT) -> str:
    """Run a tool of this environment, or end with its output."""
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run(  # noqa: S603
        (str(program) if program.exists() else command[0], *command[1:]),
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def announced() -> None:
    """Check that CHANGELOG.md dates the version, and that README.md names it."""
    say("the version")
    version = runpy.run_path(str(ROOT / "callsavvy_async" / "_version.py"))["__version__"]
    wanted = {
        "CHANGELOG.md": rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$",
        "README.md": rf"\bVersion {re.escape(version)} ",
    }
    for name, pattern in wanted.items():
        if not re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE):
            sys.exit(f"{name} does not announce version {version}: see CONTRIBUTING.md, Release")
    print(version)


def reproducible(folder: Path) -> list[Path]:
    """Build twice, from copies with other dates; return the files if all bytes agree."""
    say("the same bytes twice")
    sums: list[dict[str, str]] = []
    for number, date in enumerate((1_700_000_000, 1_800_000_000)):
        tree, target = folder / f"tree{number}", folder / f"dist{number}"
        tree.mkdir()
        archive = folder / "tree.tar"
        run("git", "archive", "--format=tar", f"--output={archive}", "HEAD")
        run("tar", "--extract", f"--file={archive}", cwd=tree)
        for path in tree.rglob("*"):
            os.utime(path, (date, date))
        run("python", "-m", "build", "--installer=uv", f"--outdir={target}", str(tree))
        sums.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(target.iterdir())})
    for name, digest in sums[0].items():
        print(digest, name)
    if sums[0] != sums[1]:
        sys.exit(f"another date gives other bytes: {sums[1]}")
    return sorted((folder / "dist0").iterdir())


def smoke(wheel: Path, folder: Path) -> list[str]:
    """Install the wheel with each extra alone, in an environment of its own, and import what it is for."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    if missing := set(declared) ^ (set(SMOKE) - {""}):
        sys.exit(f"release/check.py and pyproject.toml disagree about extras: {', '.join(sorted(missing))}")
    for extra, code in SMOKE.items():
        python = environment(folder / f"env-{extra or 'none'}", f"{wheel}[{extra}]" if extra else str(wheel))
        run(str(python), "-c", code, cwd=folder)
        print(extra or "no extra", "ok")
    return [*declared]


def environment(place: Path, *needs: str) -> Path:
    """Make an environment with these packages; return its Python."""
    run("uv", "venv", "--quiet", f"--python={sys.executable}", str(place))
    python = place / "bin" / "python"
    run("uv", "pip", "install", "--quiet", f"--python={python}", *needs)
    return python


def compare_names() -> None:
    """Compare with the last tag before this commit, which may be tagged itself; without one there is nothing to break."""
    tag = subprocess.run(
        ("git", "describe", "--tags", "--abbrev=0", "HEAD^"),  # noqa: S607
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if tag.returncode:
        print("no earlier tag: nothing was published that could break")
        return
    print(run("griffe", "check", "callsavvy_async", f"--against={tag.stdout.strip()}"))


def inventory(wheel: Path, extras: list[str], folder: Path) -> None:
    """List what an installation with all extras brings."""
    python = environment(folder / "env-all", f"{wheel}[{','.join(extras)}]")
    declared = sbom()
    if SBOM.read_text(encoding="utf-8") != declared:
        sys.exit("release/sbom.cdx.json is out of date; write it anew: python release/check.py --sbom")
    found = json.loads(run("cyclonedx-py", "environment", "--output-reproducible", str(python)))
    print(f"{len(found['components'])} components with all extras")
    licences = json.loads(run("pip-licenses", "--format=json", "--from=mixed", f"--python={python}"))
    for one in licences:
        print(f"  {one['Name']} {one['Version']}: {one['License']}")
        strict = "GPL" in one["License"] and one["Name"].lower() not in COPYLEFT_KNOWN
        if strict or one["License"] == "UNKNOWN":
            sys.exit(
                f"{one['Name']} has the licence {one['License']}; look at it, and add it to COPYLEFT_KNOWN if it may stay"
            )
    audit(found["components"], folder)


def sbom() -> str:
    """Return the components that the wheel declares, core and extras, as CycloneDX."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needs = {*project["dependencies"], *(need for extra in project["optional-dependencies"].values() for need in extra)}
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(sorted(needs)))
        file.flush()
        return run("cyclonedx-py", "requirements", "--output-reproducible", file.name)


def audit(components: list[dict[str, str]], folder: Path) -> None:
    """Look the components up in a database of vulnerabilities, if one can be reached."""
    pinned = folder / "pinned.txt"
    pinned.write_text(
        "\n".join(f"{one['name']}=={one['version']}" for one in components if one["name"] != "callsavvy-async")
    )
    command = (
        str(Path(sys.executable).parent / "pip-audit"),
        "--format=json",
        "--no-deps",
        "--disable-pip",
        f"--requirement={pinned}",
    )
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    try:
        checked = [one for one in json.loads(done.stdout)["dependencies"] if "skip_reason" not in one]
    except ValueError:
        checked = []
    if not checked:
        print("no database of vulnerabilities could be reached: not checked")
        return
    if bad := [one["name"] for one in checked if one["vulns"]]:
        sys.exit(f"known vulnerabilities in {', '.join(bad)}:\n{done.stdout}")
    print(f"{len(checked)} components without a known vulnerability")


if __name__ == "__main__":
    if sys.argv[1:] == ["--sbom"]:
        SBOM.write_text(sbom(), encoding="utf-8")
    else:
        main()
