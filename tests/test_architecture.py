"""The house as ARCHITECTURE.md draws it, where the linters cannot see it."""

from __future__ import annotations

import ast
import configparser
import functools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "callsavvy_async"
MODULES = sorted(PACKAGE.rglob("*.py"))
PACKAGES = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
LONGEST_MODULE = 300
"""Lines. Past this a module has more than one purpose."""


def drawn_layers() -> list[str]:
    """Read the names in the block under "Layers" of ARCHITECTURE.md, top to bottom."""
    section = (ROOT / "ARCHITECTURE.md").read_text("utf-8").split("\n## Layers\n", 1)[1]
    block = section.split("```text\n", 1)[1].split("```", 1)[0]
    return [line.split()[0] for line in block.splitlines() if line.strip()]


def linted_layers() -> list[str]:
    """Read the layers of the linter's contract, top to bottom."""
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter", "utf-8")
    return config["importlinter:contract:layers"]["layers"].split()


def test_layers_drawn_are_layers_linted() -> None:
    """The picture in ARCHITECTURE.md and the linter's contract are the same list in the same order."""
    assert drawn_layers() == linted_layers()


def test_every_module_has_its_layer() -> None:
    """The list of layers is complete, and holds nothing that does not exist."""
    there = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES} - {"__init__"}
    assert there == set(linted_layers())


NAMED_FILE = re.compile(r"`([\w/.*-]+\.(?:py|pyi|md|toml))(?:: (?:\w+\.)?(\w+))?`")
"""A file in a document, and perhaps a name that it defines: `policy/retry.py: may_retry`."""


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_named_file_exists(document: str) -> None:
    """Each file that the document names is there, below the package or the root, and defines the name behind the colon."""
    named = NAMED_FILE.findall((ROOT / document).read_text("utf-8"))
    assert named
    lost = [
        f"{file}: {name}"
        for file, name in named
        if not any(defines(path, name) for top in (PACKAGE, ROOT) for path in top.glob(file))
    ]
    assert not lost


def defines(module: Path, name: str) -> bool:
    """Tell whether a module defines a name, as a function, a class, an attribute or a constant; every one does without a name."""
    return not name or bool(
        re.search(rf"(?m)^\s*(?:(?:async )?def |class )?{name}\b\s*[(:=]", module.read_text("utf-8"))
    )


@functools.cache
def tree_of(module: Path) -> ast.Module:
    """Parse a module; many rules look at each."""
    return ast.parse(module.read_text("utf-8"))


def test_modules_are_short() -> None:
    """A module has one purpose, and so few lines."""
    lines = {str(module.relative_to(PACKAGE)): len(module.read_text("utf-8").splitlines()) for module in MODULES}
    assert {name: count for name, count in lines.items() if count > LONGEST_MODULE} == {}


@pytest.mark.long
def test_public_names_are_documented() -> None:
    """Every module, and every public class, function and method in it, has a docstring."""
    bare = {
        str(module.relative_to(PACKAGE)): names
        for module in MODULES
        if (names := [name for name, node in all_definitions(tree_of(module)) if not ast.get_docstring(node)])
    }
    assert bare == {}


Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def all_definitions(tree: ast.Module) -> Iterator[tuple[str, ast.Module | Definition]]:
    """Yield a module itself, and what is public in it."""
    yield "the module", tree
    yield from public_definitions(tree)


def public_definitions(scope: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Yield public classes, functions and methods; overloads and property setters are told by their first form."""
    for node in scope.body:
        if not isinstance(node, Definition) or node.name.startswith("_") or is_another_form(node):
            continue
        yield f"{prefix}{node.name}", node
        if isinstance(node, ast.ClassDef):
            yield from public_definitions(node, f"{prefix}{node.name}.")


def is_another_form(node: Definition) -> bool:
    """Tell whether a definition only adds to one that stands beside it."""
    return any(re.fullmatch(r"(typing\.)?overload|\w+\.setter", ast.unparse(name)) for name in node.decorator_list)


def test_class_names_are_unique() -> None:
    """A class name is unique in the package; the simulator, an independent witness, is compared on its own."""
    simulator = PACKAGE / "simulator"
    places: dict[tuple[bool, str], list[str]] = {}
    for module in MODULES:
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.ClassDef):
                key = simulator in module.parents, node.name
                places.setdefault(key, []).append(f"{module.relative_to(PACKAGE)}:{node.lineno}")
    assert {name: found for (_, name), found in places.items() if len(found) > 1} == {}


def test_no_module_is_shadowed() -> None:
    """A name in a package's namespace never hides a module of that package, as `from .parse import parse` would."""
    hidden = {str(package.relative_to(PACKAGE.parent)): hidden_in(package) for package in PACKAGES}
    assert {package: names for package, names in hidden.items() if names} == {}


def hidden_in(package: Path) -> set[str]:
    """Name the modules of a package that a name in its namespace hides."""
    modules = {path.stem for path in package.glob("*.py")} | {
        path.parent.name for path in package.glob("*/__init__.py")
    }
    return modules & {name for path in package.glob("__init__.py*") for name in bound_names(path)}


def bound_names(module: Path) -> Iterator[str]:
    """Yield the names that a module binds; submodules that it imports as modules are left out."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.ImportFrom):
            package = PACKAGE.parent.joinpath(*(node.module or "").split("."))
            yield from (alias.asname or alias.name for alias in node.names if not is_module(package / alias.name))
        elif isinstance(node, Definition):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def is_module(path: Path) -> bool:
    """Tell whether a path without its suffix is a module or a package."""
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def test_package_needs_no_extra_to_import() -> None:
    """No module that everybody imports has an extra at its top: it is asked for where it is used."""
    extras = {
        "aiohttp",
        "cyclopts",
        "fastapi",
        "opentelemetry",
        "pgqueuer",
        "phonenumbers",
        "procrastinate",
        "pyarrow",
        "pytest",
        "rich",
        "starlette",
        "taskiq",
        "trio",
    }
    allowed = {PACKAGE / part for part in ("cli", "integrations", "testing")}
    allowed.update((PACKAGE / "transport" / "backends").glob("aiohttp*.py"))  # imported where that backend is chosen
    offenders = {
        str(module.relative_to(PACKAGE)): imported & extras
        for module in MODULES
        if not allowed & {module, *module.parents} and (imported := top_imports(module)) & extras
    }
    assert not offenders


@pytest.mark.parametrize(
    ("folder", "kept_out"),
    [("tests", {"benchmarks"}), ("benchmarks", {"tests"}), ("testbed", {"tests", "benchmarks"})],
)
def test_tests_and_benchmarks_share_only_the_testbed(folder: str, kept_out: set[str]) -> None:
    """Tests do not import benchmarks, nor the reverse: servers that both need lie in `testbed`, which imports neither."""
    modules = sorted((ROOT / folder).rglob("*.py"))
    assert modules
    named = [path for path in modules if any(name in path.read_text("utf-8") for name in kept_out)]  # parsing is slow
    offenders = {str(path.relative_to(ROOT)): found for path in named if (found := all_imports(path) & kept_out)}
    assert not offenders


def top_imports(module: Path) -> set[str]:
    """Name the packages that importing a module imports right away."""
    return packages_of(tree_of(module).body)


def all_imports(module: Path) -> set[str]:
    """Name the packages that a module imports anywhere in it."""
    return packages_of(ast.walk(tree_of(module)))


def packages_of(statements: Iterable[ast.AST]) -> set[str]:
    """Name the packages that these statements import by their full names."""
    found: set[str] = set()
    for node in statements:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found
