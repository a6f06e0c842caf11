"""The site: what is generated agrees with the code, every public name has a place, and the pictures are fresh.

`nox -s docs` builds the site itself; these tests need no mkdocs.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

import callsavvy_async

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path.append(str(DOCS))  # the generators stand beside the pages

from sitegen import commands, errors, faults, links, llms, outside  # noqa: E402
from sitegen.pictures import PICTURES  # noqa: E402

PUBLIC_MODULES = (
    "campaigns",
    "embeds",
    "hooks",
    "integrations.aiohttp",
    "integrations.fastapi",
    "integrations.otel",
    "integrations.taskqueue",
    "outbox",
    "models",
    "pacing",
    "simulator",
    "testing.assertions",
    "testing.cassettes",
    "testing.plugin",
    "testing.strategies",
    "testing.virtual_time",
    "webhooks",
)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_what_its_code_draws(name: str) -> None:
    """A picture that is older than the code or the data behind it turns red: run `python -m sitegen.pictures`."""
    assert (DOCS / "images" / f"{name}.svg").read_text("utf-8") == PICTURES[name]()


def test_every_public_name_is_in_the_reference() -> None:
    """Each name of the package is on a page, and each public module is on one as a whole."""
    pages = "\n".join(path.read_text("utf-8") for path in (DOCS / "reference").glob("*.md"))
    shown = set(re.findall(r"^::: callsavvy_async\.([\w.]+)$", pages, re.MULTILINE))
    generated = {error.__name__ for error in errors.every_error()}  # they have a page of their own
    exported_elsewhere = {name for module in PUBLIC_MODULES for name in _names_of(module)}
    missing = {*callsavvy_async.__all__} - shown - generated - exported_elsewhere - {"__version__"}
    assert not missing
    assert {*PUBLIC_MODULES} <= shown


def _names_of(module: str) -> list[str]:
    return getattr(importlib.import_module(f"callsavvy_async.{module}"), "__all__", [])


def test_the_navigation_lists_every_page() -> None:
    """A page that nobody can reach, and an entry without a page, turn red."""
    assert sorted(_entries(_configuration()["nav"])) == sorted(_every_page())


def _configuration() -> Mapping[str, object]:
    return yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))


def _entries(node: object) -> list[str]:
    if isinstance(node, str):
        return [node]
    children = node.values() if isinstance(node, dict) else node
    return [entry for child in children for entry in _entries(child)]


def _every_page() -> set[str]:
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    hooks = (DOCS / "hooks.py").read_text("utf-8")
    return written | {*links.PLACES.values()} | set(re.findall(r'^    "(reference/[\w-]+\.md)":', hooks, re.MULTILINE))


def test_every_error_says_what_is_known_and_what_to_do() -> None:
    """The page has a section with a stable anchor for each error; `errors.toml` has no more and no fewer."""
    page = errors.errors_page()
    for error in errors.every_error():
        assert f"## {error.__name__} {{#{error.__name__.lower()}}}" in page
        assert {*errors.ADVICE[error.__name__]} == {"known", "do"}


@pytest.mark.long
def test_every_command_is_on_its_page() -> None:
    """The page comes from the registry of the command line."""
    page = commands.commands_page()
    assert "callsavvy campaigns resume" in page
    assert "--max-cost" in page


def test_every_variable_is_on_its_page() -> None:
    """The page comes from the variables that the source names."""
    variables = commands.environment_page()
    assert all(name in variables for name in commands.variables_of_the_source())
    assert "| 130 | `INTERRUPTED` |" in commands.exit_codes_page()


@pytest.mark.sockets
@pytest.mark.long
def test_every_fault_says_how_a_send_ends() -> None:
    """The page tries each fault; one whose message may have been charged never ends in an error that is safe to resend."""
    rows = [line.split(" | ") for line in faults.faults_page().splitlines() if line.startswith("| `")][1:]
    assert len(rows) == len(faults.FAULTS) + 4
    for name, _, charged, ending in rows:
        assert charged == "no" or "OutcomeUnknownError" in ending or "receipt" in ending, name


def test_links_of_the_repository_hold_in_the_site() -> None:
    """A link to a document goes to its page, one to other files becomes their name, and code stays as it is."""
    text = "[a](../ARCHITECTURE.md#words) [b](../pyproject.toml) [c](bulk.md) [d](https://x.example)\n```md\n[a](../ARCHITECTURE.md)\n```\n"
    assert links.rewritten(text, document="docs/outcomes.md") == (
        "[a](project/architecture.md#words) `pyproject.toml` [c](bulk.md) [d](https://x.example)\n"
        "```md\n[a](../ARCHITECTURE.md)\n```\n"
    )
    pictures: list[str] = []
    shown = links.rewritten(
        "![p](results/bucket.png)", document="benchmarks/limiter/README.md", picture=pictures.append
    )
    assert (shown, pictures) == ("![p](limiter/results/bucket.png)", ["benchmarks/limiter/results/bucket.png"])


def test_the_text_for_language_models_fits() -> None:
    """llms-full.txt stays within 30,000 tokens; a page that does not exist, and too long a text, are refused."""
    wanted = _configuration()["extra"]["llms_full"]
    written = {name: (DOCS / name).read_text("utf-8") for name in wanted if (DOCS / name).exists()}
    generated = {"index.md": (ROOT / "README.md").read_text("utf-8"), "reference/errors.md": errors.errors_page()}
    assert llms.full(written | generated | {"reference/exit-codes.md": commands.exit_codes_page()}, wanted)
    with pytest.raises(ValueError, match="no pages"):
        llms.full({}, ["index.md"])
    with pytest.raises(ValueError, match="tokens"):
        llms.full({"index.md": "word " * 30_000}, ["index.md"])


def test_a_page_that_asks_another_host_is_found(tmp_path: Path) -> None:
    """A script, a style or a picture from elsewhere is reported; a link that a reader may follow is none."""
    (tmp_path / "a.html").write_text('<a href="https://x.example">x</a><script src="//cdn.example/a.js"></script>')
    (tmp_path / "b.html").write_text('<link rel="stylesheet" href="https://fonts.example/f.css"><img src="c.png">')
    (tmp_path / "c.css").write_text("@import url(https://fonts.example/g.css); a { background: url(d.png) }")
    (tmp_path / "d.html").write_text('<pre class="mermaid">graph</pre>')
    assert [name for name, _ in outside.requests(tmp_path)] == ["a.html", "b.html", "c.css", "d.html"]


def test_readme_is_short() -> None:
    """README.md has at most 900 words."""
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= 900
