"""Every code block of the documents (at the top and in docs/) runs, and prints what the document says that it prints.

Blocks of one document run in their order and share their names, as a reader would type them, against a simulator on
loopback whose keys and URL stand in the environment. ``python`` blocks may await at their top; ``bash`` blocks run in
a directory that holds a copy of examples/. A ``text`` block right behind one of them is its output; of figures in
seconds only the place counts. ``console`` blocks are for people (installing, shells of their own) and are not run;
``yaml`` and ``ini`` are for machines that are not here, and are parsed. ``py`` blocks need a package that the tests do not have
(twilio, a notebook) or a broker: they are compiled, and their imports of this package must exist. `tests.cluster.jobs`
runs those that need a broker.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import importlib
import inspect
import io
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import callsavvy_async.resources
from callsavvy_async.simulator import Simulator, serve
from callsavvy_async.wire.endpoint import Endpoint

ROOT = Path(__file__).parents[2]
NOT_RUN = {"console", "text", "toml", "csv", "json", "ini", "yaml", "py"}


class Block(NamedTuple):
    """A fenced block: its language, the line of its first line of code, and its text."""

    language: str
    line: int
    text: str


def blocks_of(document: Path) -> list[Block]:
    """Read the fenced blocks of a document."""
    text = document.read_text("utf-8")
    return [
        Block(found["language"], text.count("\n", 0, found.start("code")) + 1, found["code"])
        for found in re.finditer(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


DOCUMENTS = [
    document
    for document in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
    if any(block.language not in NOT_RUN for block in blocks_of(document))
]


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give a document what its reader has: an account, and a directory with the examples."""
    simulator = Simulator()
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    with serve(simulator) as server:
        monkeypatch.setenv("CALLSAVVY_PUBLIC_KEY", "TEST-public")
        monkeypatch.setenv("CALLSAVVY_PRIVATE_KEY", "TEST-private")
        monkeypatch.setenv("CALLSAVVY_BASE_URL", server.url)
        yield


@pytest.mark.long
@pytest.mark.timeout(600)  # the tutorial starts the command line a dozen times, beside whatever else runs
@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_document_runs_as_written(document: Path) -> None:
    """Every block runs, and prints what the text block behind it shows."""
    names: dict[str, object] = {"__name__": "__document__"}
    printed = ""
    for block in blocks_of(document):
        place = f"{document.name}:{block.line}"
        if block.language == "python":
            printed = run_python(block, document, names)
        elif block.language == "bash":
            printed = run_bash(block, place)
        elif block.language == "text":
            assert without_figures(printed) == without_figures(block.text), f"{place}: the output differs"


every_document = pytest.mark.parametrize(
    "document", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: str(path.relative_to(ROOT))
)


@every_document
def test_every_block_is_run_or_of_a_language_that_is_not(document: Path) -> None:
    """A block without a language, or of another one, would be neither run nor checked."""
    for block in blocks_of(document):
        assert block.language in {"python", "bash", "text", *NOT_RUN}, f"{document.name}:{block.line}"


@every_document
def test_blocks_that_cannot_run_here_name_what_exists(document: Path) -> None:
    """A ``py`` block compiles, and everything that it imports from this package exists."""
    for block in blocks_of(document):
        if block.language != "py":
            continue
        source = "\n" * (block.line - 1) + block.text
        tree = compile(source, document, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("callsavvy_async"):
                module = importlib.import_module(node.module or "")
                assert not [name.name for name in node.names if not hasattr(module, name.name)], (
                    f"{document.name}:{node.lineno}"
                )


def run_python(block: Block, document: Path, names: dict[str, object]) -> str:
    """Run a block and return what it prints; tracebacks show the document's own lines."""
    source = "\n" * (block.line - 1) + block.text
    code = compile(source, document, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        awaitable = eval(code, names)  # noqa: S307 - our own documents
        if inspect.iscoroutine(awaitable):
            asyncio.run(awaitable)
    return output.getvalue()


def run_bash(block: Block, place: str) -> str:
    """Run a block and return what it prints on stdout."""
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, f"{place}: exit status {run.returncode}\n{run.stdout}\n{run.stderr}"
    return run.stdout


def without_figures(text: str) -> str:
    """Blot out figures in seconds, which differ from run to run."""
    return re.sub(r"\d+(\.\d+)? s\b", "# s", text.strip())


def test_the_table_of_methods_lists_every_endpoint() -> None:
    """The table names every resource once, with the effect that its row in the code has."""
    table = (ROOT / "docs" / "reference" / "resources.md").read_text("utf-8")
    listed = re.findall(r"^\| `\w+\.\w+\(.*\| `(\w+)` \| (\w+) \|$", table, re.MULTILINE)
    rows = {
        (row.resource, row.effect.value)
        for module in pkgutil.iter_modules(callsavvy_async.resources.__path__, "callsavvy_async.resources.")
        for row in vars(importlib.import_module(module.name)).values()
        if isinstance(row, Endpoint)
    }
    assert sorted(listed) == sorted(rows)
