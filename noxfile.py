"""Automation: `nox -l` lists the sessions, a plain `nox` runs what CI runs.

What runs code runs the built wheel, from a directory in which the source tree cannot be imported by accident.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "layers", "types", "tests", "tests_min", "docs", "bench_counts", "demo"]

ROOT = Path(__file__).parent
WHEELS = ROOT / "build" / "wheel"
SETTINGS = ROOT / "pyproject.toml"
EXTRAS = "[aiohttp,cli,fastapi,parquet,phone,postgres,redis,speed]"
COVERED_WHOLLY = ",".join(f"*/callsavvy_async/{part}/*" for part in ("policy", "wire", "messages", "bulk", "campaigns"))
DEMO_TEXT = "We open again on Monday at nine. Reply STOP to hear no more from us."


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel. Other sessions require this one; it runs once."""
    session.install("build[uv]")
    for old in WHEELS.glob("*.whl"):
        old.unlink()
    session.run("python", "-m", "build", "--wheel", "--installer=uv", f"--outdir={WHEELS}", str(ROOT))


@nox.session(requires=["wheel"])
def tests(session: nox.Session) -> None:
    """Run the tests on the wheel, with coverage."""
    _install_wheel(session)
    session.install(*_group("test"))
    _leave_source_tree(session)
    _pytest(session, "--cov", f"--cov-config={SETTINGS}", "--cov-report=term")
    if not session.posargs:  # a part of the tests covers a part of the code
        session.run("coverage", "report", f"--rcfile={SETTINGS}", f"--include={COVERED_WHOLLY}", "--fail-under=100")


@nox.session(requires=["wheel"], venv_backend="uv")
def tests_min(session: nox.Session) -> None:
    """Run the tests on the lowest versions that the wheel declares, with test tools of today.

    Without those of parts that use no dependency but attrs: what they hold does not depend on versions.
    """
    session.install("--resolution=lowest-direct", "--all-extras", f"--requirements={SETTINGS}")
    _install_wheel(session)  # whose needs are met by then
    session.install(*_group("test"))
    _leave_source_tree(session)
    _pytest(session, leave_out=("embeds", "policy", "simulator"))


@nox.session(requires=["wheel"])
def docs(session: nox.Session) -> None:
    """Run the code blocks of README.md and docs/ against the simulator."""
    _install_wheel(session)
    session.install(*_group("test"))
    _leave_source_tree(session)
    _pytest(session, tests="tests/samples")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package and of its users' code with mypy and basedpyright."""
    session.install("-e", f".{EXTRAS}", *_group("types"), *_group("test"))
    session.run("mypy")
    session.run("basedpyright", "--pythonpath", str(Path(session.bin) / "python"))  # else a .venv beside it is taken


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and declared dependencies."""
    session.install("-e", f".{EXTRAS}", *_group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("deptry", "callsavvy_async")


@nox.session
def layers(session: nox.Session) -> None:
    """Check that imports point down."""
    session.install("-e", ".", *_group("lint"))
    session.run("lint-imports")


@nox.session(requires=["wheel"])
def demo(session: nox.Session) -> None:
    """Send examples/recipients.csv as SMS and as WhatsApp to the simulator; leaves report-*.csv here."""
    _install_wheel(session)
    recipients = str(ROOT / "examples" / "recipients.csv")
    to_simulator = ("--simulator", "--message", DEMO_TEXT)
    for channel in ("sms", "whatsapp"):
        session.run("callsavvy", "bulk", channel, recipients, *to_simulator, "--report", f"report-{channel}.csv")


@nox.session(requires=["wheel"])
def bench(session: nox.Session) -> None:
    """Race the client against others, in short form; needs nginx, wrk and strace. Options go to benchmarks.speed."""
    _install_wheel(session, "[aiohttp,speed]")
    session.install(*_group("bench"))
    _beside(session, "benchmarks")
    session.run("python", "-m", "benchmarks.speed", *(session.posargs or ("--short",)))


@nox.session(requires=["wheel"])
def bench_counts(session: nox.Session) -> None:
    """Hold the budget of function calls and system calls for each send; needs strace."""
    _install_wheel(session, "[aiohttp,speed]")
    _beside(session, "benchmarks")
    session.run("python", "-m", "benchmarks.speed.counts", *session.posargs)


@nox.session(requires=["wheel"])
def cluster(session: nox.Session) -> None:
    """Torment fleets of every host, also beyond bad lines, and measure them; needs PostgreSQL, Redis and iproute2.

    Half an hour; with ``-- --short`` a quarter of one.
    """
    short = "--short" in session.posargs
    fleets = ("--chunks", "1500", "--outage", "5", "--lease", "3") if short else ()
    limits = (("--only", "known"), ("--only", "hidden, Retry-After")) if short else ((),)
    _install_wheel(session)
    session.install(*_group("test"))
    _beside(session, "tests", "testbed", "benchmarks")
    session.run("python", "-m", "tests.cluster.fleet", "--host", "every", *fleets)
    session.run("python", "-m", "tests.cluster.fleet", "--far", *fleets)
    session.run("python", "-m", "benchmarks.cluster")
    for chosen in limits:
        session.run("python", "-m", "benchmarks.limiter.shared", *chosen)
    session.run("python", "-m", "benchmarks.claims", *(("--recipients", "500000") if short else ()))


def _install_wheel(session: nox.Session, extras: str = EXTRAS) -> None:
    (built,) = WHEELS.glob("*.whl")
    session.install(f"{built}{extras}")


def _group(name: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(nox.project.load_toml(SETTINGS), name)


def _leave_source_tree(session: nox.Session) -> None:
    session.chdir(session.create_tmp())


def _beside(session: nox.Session, *folders: str) -> None:
    """Run where these can be imported, but not the source tree."""
    place = Path(session.create_tmp())
    for folder in folders:
        (place / folder).unlink(missing_ok=True)
        (place / folder).symlink_to(ROOT / folder)
    session.chdir(place)


def _pytest(session: nox.Session, *options: str, tests: str = "tests", leave_out: tuple[str, ...] = ()) -> None:
    """Run pytest on all cores; a test that was skipped or expected to fail did not hold its rule: it fails the session."""
    results = Path.cwd() / "results.xml"
    chosen = [*session.posargs] or [str(ROOT / tests)]
    ignored = [f"--ignore={ROOT / tests / part}" for part in leave_out]
    settings = (f"--config-file={SETTINGS}", f"--rootdir={ROOT}", f"--junitxml={results}")
    spread = ("--numprocesses=auto", "--dist=loadfile")  # a file's tests stay together: they share servers and browsers
    session.run("pytest", *settings, *spread, *options, *ignored, *chosen)
    skipped = sum(int(suite.get("skipped", 0)) for suite in ET.parse(results).iter("testsuite"))  # noqa: S314 - our own
    if skipped:
        session.error(f"{skipped} tests were skipped: they prove nothing here; make them run or remove them")
