"""Automation: `nox -l` lists the sessions and what they need; a plain `nox` runs all that need nothing but Python.

`.ci/run` runs all of them. What runs code runs the built wheel, from a directory in which the source tree cannot be
imported by accident.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"

ROOT = Path(__file__).parent
WHEELS = ROOT / "build" / "wheel"
SETTINGS = ROOT / "pyproject.toml"
PROJECT = nox.project.load_toml(SETTINGS)
COVERED = [name.rpartition(".")[2] for name in PROJECT["tool"]["coverage"]["run"]["source_pkgs"]]
"""Folders of the packages, and of their tests, that are covered wholly."""
EXTRAS = "[aiohttp,cli,excel,fastapi,otel,parquet,phone,postgres,redis,speed]"
LOWEST_ON = "3.12"
"""Python whose session runs on the lowest declared versions, so that CI need not run all tests once more for them."""
DEMO_TEXT = "We open again on Monday at nine. Reply STOP to hear no more from us."


@nox.session(default=False)
def wheel(session: nox.Session) -> None:
    """Build the wheel. Other sessions require this one; it runs once."""
    session.install("build[uv]")
    for old in WHEELS.glob("*.whl"):
        old.unlink()
    session.run("python", "-m", "build", "--wheel", "--installer=uv", f"--outdir={WHEELS}", str(ROOT))


@nox.session(requires=["wheel"])
def tests(session: nox.Session) -> None:
    """Run the tests on the wheel: all but the long ones and those that need a browser or networks."""
    _tests(session)


for version in nox.project.python_versions(PROJECT):

    @nox.session(name=f"tests-{version}", python=version, requires=["wheel"], venv_backend="uv", default=False)
    def tests_of_version(session: nox.Session) -> None:
        """Run the tests on this Python, which must be installed; 3.12 on the lowest versions that the wheel declares."""
        if session.python == LOWEST_ON:
            _install_lowest(session)
        _tests(session)


@nox.session(requires=["wheel"])
def tests_long(session: nox.Session) -> None:
    """Run the long tests but those of documents, and properties with many more examples: storms, crashes, fleets."""
    chosen = ("-m=(long or hypothesis) and not browser and not network", f"--ignore={ROOT / 'tests' / 'samples'}")
    patient = "--timeout=600"  # a fleet takes four times as long on a machine that is four times as slow
    _tests(session, *chosen, "--hypothesis-profile=thorough", patient, "--dist=worksteal")


@nox.session(requires=["wheel"], default=False)
def tests_browser(session: nox.Session) -> None:
    """Run the tests of pages; needs Chromium and its driver: apt-get install chromium chromium-driver fonts-dejavu-core."""
    _require(session, tests_browser, there=bool(shutil.which("chromium") and shutil.which("chromedriver")))
    _tests(session, "-m=browser")


@nox.session(requires=["wheel"], default=False)
def tests_network(session: nox.Session) -> None:
    """Run the tests over lossy networks; needs Linux, root (for namespaces and /dev/net/tun) and apt-get install iproute2."""
    _require(session, tests_network, there=_networks_can_be_made())
    _tests(session, "-m=network")


@nox.session(requires=["wheel"])
def tests_uvloop(session: nox.Session) -> None:
    """Run the tests of what is sent, and of what is known afterwards, over uvloop."""
    _tests_of_loop(session, "uvloop")


@nox.session(python="3.12", requires=["wheel"], default=False)
def tests_eager(session: nox.Session) -> None:
    """Run the same with eager tasks; needs Python 3.12, the first that has them."""
    _tests_of_loop(session, "eager")


@nox.session(requires=["wheel"])
def coverage(session: nox.Session) -> None:
    """Check that the tests of policy, wire, messages, bulk and campaigns cover all branches of these packages."""
    report = ("--cov-report=term-missing:skip-covered", "--cov-fail-under=100")
    _tests(session, "--cov", f"--cov-config={SETTINGS}", *report, parts=[f"tests/{folder}" for folder in COVERED])


@nox.session(requires=["wheel"], venv_backend="uv", default=False)
def tests_min(session: nox.Session) -> None:
    """Run the tests on the lowest versions that the wheel declares, with test tools of today."""
    _install_lowest(session)
    _tests(session)


@nox.session
def sdist(session: nox.Session) -> None:
    """Build the source distribution, unpack it, and run the tests of the house and of the documents in it, with its own nox."""
    session.install("build[uv]", "nox[uv]")
    place = Path(session.create_tmp()).resolve()
    shutil.rmtree(place)
    session.run("python", "-m", "build", "--sdist", "--installer=uv", f"--outdir={place}", str(ROOT))
    (archive,) = place.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(place, filter="data")
    unpacked = archive.with_name(archive.name.removesuffix(".tar.gz"))
    part = (str(unpacked / "tests" / "test_architecture.py"), str(unpacked / "tests" / "samples"))
    session.run("nox", f"--noxfile={unpacked / 'noxfile.py'}", "--session=tests", "--", *part)


@nox.session(requires=["wheel"])
def docs(session: nox.Session) -> None:
    """Build the site from docs/, check its links, and run the code blocks of README.md and docs/ against the simulator."""
    site = ROOT / "build" / "site"
    _install_wheel(session)
    session.install(*_group("docs"), *_group("test"))
    options = ("--strict", f"--config-file={ROOT / 'mkdocs.yml'}", f"--site-dir={site}")
    session.run("mkdocs", "build", *options, env={"NO_MKDOCS_2_WARNING": "1"})
    session.run("python", str(ROOT / "docs" / "sitegen" / "outside.py"), str(site))  # no page asks another host
    _tests(session, "-m=not browser and not network", parts=["tests/samples"])


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package and of its users' code with mypy and basedpyright, and that no public type is inferred."""
    session.install("-e", f".{EXTRAS}", *_group("types"), *_group("test"))
    session.run("mypy")
    here = ("--pythonpath", str(Path(session.bin) / "python"))  # else a .venv beside it is taken
    session.run("basedpyright", *here)
    complete = ("--verifytypes", "callsavvy_async", "--ignoreexternal")
    found = session.run(  # it finds no editable install, and does not know a base class of aiohttp
        "basedpyright", *here, *complete, env={"PYTHONPATH": str(ROOT)}, silent=True, success_codes=[0, 1]
    )
    if "Type completeness score: 100%" not in str(found):
        session.error(f"{found}\nsome public types are not complete")


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


@nox.session(default=False)
def release_check(session: nox.Session) -> None:
    """Check what a release of the last commit would publish; needs git and a package index."""
    session.install(*_group("release"))
    session.run("python", "release/check.py", *session.posargs)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Fuzz what reads bytes of strangers, ten minutes each; needs Linux. Options go to tests.fuzz."""
    session.install("-e", f".{EXTRAS}", *_group("fuzz"))
    session.run("python", "-m", "tests.fuzz", *session.posargs)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Change policy, wire, bulk and campaigns at random places; the tests should notice. Options go to tests.mutants."""
    session.install("-e", f".{EXTRAS}", *_group("test"))
    session.run("python", "-m", "tests.mutants", *(session.posargs or ("--sample", "60")))


@nox.session(requires=["wheel"], default=False)
def bench(session: nox.Session) -> None:
    """Race the client against others, in short form; needs nginx, wrk and strace. Options go to benchmarks.speed."""
    _install_wheel(session, "[aiohttp,speed]")
    session.install(*_group("bench"))
    _beside(session, "benchmarks")
    session.run("python", "-m", "benchmarks.speed", *(session.posargs or ("--short",)))


@nox.session(requires=["wheel"], default=False)
def bench_counts(session: nox.Session) -> None:
    """Hold the budgets of function calls and system calls; needs strace: apt-get install strace."""
    _require(session, bench_counts, there=bool(shutil.which("strace")))
    _install_wheel(session, "[aiohttp,postgres,speed]")
    _beside(session, "benchmarks", "testbed")
    session.run("python", "-m", "benchmarks.speed.counts", *session.posargs)
    session.run("python", "-m", "benchmarks.floors.counts")


@nox.session(default=False, venv_backend="none")
def alerts(session: nox.Session) -> None:
    """Show when each alert of examples/monitoring fires; needs promtool: apt-get install prometheus."""
    _require(session, alerts, there=bool(shutil.which("promtool")))
    session.run("promtool", "test", "rules", str(ROOT / "examples" / "monitoring" / "alerts_test.yml"), external=True)


@nox.session(requires=["wheel"], default=False)
def cluster(session: nox.Session) -> None:
    """Torment fleets of every host, also beyond bad lines, and measure them; needs what tests_network needs.

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


def _install_lowest(session: nox.Session) -> None:
    """Install the lowest of everything that the wheel declares; its needs are met when it comes."""
    session.install("--resolution=lowest-direct", "--all-extras", f"--requirements={SETTINGS}")


def _group(name: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PROJECT, name)


def _require(session: nox.Session, of: object, *, there: bool) -> None:
    """Fail with the first line of the session's text, which says what it needs and how to get it."""
    if not there:
        session.error((of.__doc__ or "").partition("\n")[0])


def _networks_can_be_made() -> bool:
    """Try whether this user may make a network namespace, and whether the tools for it are there."""
    if shutil.which("ip") is None or not Path("/dev/net/tun").exists():
        return False
    trial = subprocess.run(["unshare", "--net", "true"], stderr=subprocess.DEVNULL, check=False)  # noqa: S607
    return trial.returncode == 0


def _beside(session: nox.Session, *folders: str) -> None:
    """Run where these can be imported, but not the source tree."""
    place = Path(session.create_tmp())
    for folder in folders:
        (place / folder).unlink(missing_ok=True)
        (place / folder).symlink_to(ROOT / folder)
    session.chdir(place)


def _tests_of_loop(session: nox.Session, loop: str) -> None:
    session.install(*_group("loops"))
    _tests(session, f"--loop={loop}", parts=["tests/transport"])


def _tests(session: nox.Session, *options: str, parts: Sequence[str] = ("tests",)) -> None:
    """Run tests on the wheel and on all cores; one that was skipped or expected to fail did not hold its rule: it fails.

    A file's tests stay together unless an option says otherwise: they share servers and browsers.
    """
    _install_wheel(session)
    session.install(*_group("test"))
    results = Path(session.create_tmp()).resolve() / "results.xml"
    session.chdir(results.parent)  # the source tree cannot be imported there
    chosen = [*session.posargs] or [str(ROOT / part) for part in parts]
    settings = (f"--config-file={SETTINGS}", f"--rootdir={ROOT}", f"--junitxml={results}")
    compiled = {"PYTHONDONTWRITEBYTECODE": ""}  # programs that tests start find compiled what those before compiled
    session.run("pytest", *settings, "--dist=loadfile", *options, *chosen, env=compiled)
    skipped = sum(int(suite.get("skipped", 0)) for suite in ET.parse(results).iter("testsuite"))  # noqa: S314 - our own
    if skipped:
        session.error(f"{skipped} tests were skipped: they prove nothing here; make them run or remove them")
