"""Automation: `nox -l` lists the sessions, a plain `nox` runs what CI runs.

Everything that runs code runs it from the built wheel, in a directory from which the source tree cannot be imported.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "layers", "types", "tests", "tests_min", "docs", "demo"]

ROOT = Path(__file__).parent
WHEELS = ROOT / "build" / "wheel"
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
EXTRAS = "[cli,parquet,phone]"
HELD_COMPLETELY = "*/callsavvy_async/policy/*,*/callsavvy_async/wire/*,*/callsavvy_async/bulk/*"
DEMO_TEXT = "Our shop opens again on Monday. Reply STOP to hear no more from us."


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel; whoever needs it asks for this session, which runs once."""
    session.install("build")
    for old in WHEELS.glob("*.whl"):
        old.unlink()
    session.run("python", "-m", "build", "--wheel", "--outdir", str(WHEELS), str(ROOT))


@nox.session(requires=["wheel"])
def tests(session: nox.Session) -> None:
    """Run the tests on the wheel, with coverage."""
    _install_wheel(session)
    session.install(*_group("test"))
    _leave_source_tree(session)
    coverage = ("coverage", "{}", f"--rcfile={ROOT / 'pyproject.toml'}")
    _run(session, coverage, "erase")
    _pytest(session, "coverage", "run", f"--rcfile={ROOT / 'pyproject.toml'}", "-m", "pytest")
    _run(session, coverage, "combine", "--quiet")
    _run(session, coverage, "report")
    if not session.posargs:  # a chosen part of the tests covers a part
        _run(session, coverage, "report", f"--include={HELD_COMPLETELY}", "--fail-under=100")


@nox.session(requires=["wheel"], venv_backend="uv")
def tests_min(session: nox.Session) -> None:
    """Run the tests on the lowest versions that the wheel declares; the test tools are current ones."""
    _install_wheel(session, "--resolution=lowest-direct")
    session.install(*_group("test"))
    _leave_source_tree(session)
    _pytest(session, "pytest")
