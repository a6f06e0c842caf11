"""What the package declares, what is tested where, and what an index page shows are the same everywhere."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PYTHONS = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if ":: Python :: 3." in line]


def test_every_declared_python_is_a_row_of_the_matrix_and_of_the_table() -> None:
    """The classifiers, which nox reads, the workflow's matrix and docs/support.md name the same versions of Python."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    table = (ROOT / "docs" / "support.md").read_text("utf-8")
    assert workflow["jobs"]["tests"]["strategy"]["matrix"]["python"] == PYTHONS
    assert re.findall(r"^\| CPython (\S+) \|", table, re.MULTILINE) == PYTHONS
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"


def test_an_index_page_has_no_broken_link() -> None:
    """The description that an index shows is README.md with absolute links only; it says first that it is not there yet."""
    described = metadata("callsavvy-async").get_payload()
    assert isinstance(described, str)
    assert [link for link in re.findall(r"\]\(([^)]*)\)", described) if not link.startswith("https://")] == []
    assert described.index("not on a package index yet") < described.index("```")
    assert "The `tutorial` goes" in described
