"""Help: of the program, of each group and of each command, from the registry."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys

import pytest

from callsavvy_async.cli.app import application, function_of
from callsavvy_async.cli.arguments import OPTIONS, split
from callsavvy_async.cli.commands import REGISTRY
from callsavvy_async.cli.registry import first_sentence
from tests.profiles import mostly_long

from .harness import Run

NOT_FOR_HELP = {"asyncio", "anyio", "attr", "cyclopts", "httpx", "json", "logging", "rich", "inspect", "dataclasses"}
"""What costs more than all of the help."""


def imported_by(*arguments: str) -> set[str]:
    """Run a command as a program; return the modules that it imported."""
    code = (
        f"import json, sys; from callsavvy_async.cli import main; main({list(arguments)!r});"
        " names = list(sys.modules); import json; print(json.dumps(names), file=sys.stderr)"
    ).replace("import json, sys", "import sys", 1)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(ended.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("campaigns", "--help"), ("tickets", "lits")], ids=" ".join
)
def test_help_imports_no_command(arguments: tuple[str, ...]) -> None:
    """Help of the program and its groups, the version and a wrong command cost little: no parser, no client, no event loop."""
    assert not imported_by(*arguments) & NOT_FOR_HELP


@pytest.mark.long
def test_a_command_imports_only_its_own_module() -> None:
    """The help of a command that reads takes in no simulator, journal or list of recipients."""
    found = imported_by("balance", "--help")
    assert not [
        name
        for name in found
        if re.match(r"callsavvy_async\.(simulator|campaigns|cli\.(bulk|campaign_run|webhooks))", name)
    ]


@pytest.mark.parametrize("words", mostly_long(REGISTRY.commands, quick=10))
def test_every_command_has_its_help(words: str, run: Run) -> None:
    """It shows the summary of the registry, examples, the options of every command and the environment variables."""
    command = REGISTRY.commands[words]
    text = " ".join(run(*words.split(), "--help").out.split())
    assert command.summary in text
    assert first_sentence(function_of(command).__doc__ or "") == command.summary
    for wanted in ("Examples:", "CALLSAVVY_PUBLIC_KEY", "CALLSAVVY_BASE_URL", *(o.names[0] for o in OPTIONS.values())):
        assert wanted in text
    assert all(f"callsavvy {example}" in text for example in command.examples)


@pytest.mark.parametrize("words", REGISTRY.commands)
def test_every_example_is_a_command(words: str) -> None:
    """Each example parses as the command that it illustrates."""
    command = REGISTRY.commands[words]
    assert command.examples
    for example in command.examples:
        arguments = split(shlex.split(example))
        assert REGISTRY.find(arguments.rest)[0] == words
        application([command]).parse_args(list(arguments.rest), exit_on_error=False, print_error=False)


@pytest.mark.parametrize("group", ["", *REGISTRY.groups])
def test_every_group_lists_its_commands(group: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name is there with its summary, on a narrow terminal too."""
    for columns in (40, 80):
        monkeypatch.setenv("COLUMNS", str(columns))
        ended = run(*group.split())
        assert ended.code == 0
        assert ended.out == run(*group.split(), "--help").out
        assert max(map(len, re.sub(r"^  callsavvy .*$", "", ended.out, flags=re.MULTILINE).splitlines())) <= columns
        for name, summary in REGISTRY.below(group):
            assert f"\n  {name}" in ended.out
            assert summary in " ".join(ended.out.split())


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("balanc",), 'Did you mean "balance"?'),
        (("tickets", "xyz"), "There are list, conversation, create, reply, export."),
        (("--forever", "balance"), "--forever stands before the command."),
        (("balance", "-o", "xml"), '--output is "xml"; use one of table, json, csv.'),
        (("balance", "--columns"), "--columns has no value; write --columns a,b,c."),
        (("balance", "--columns", "x"), "--columns is for lists"),
        (("agents", "--columns", "x"), "the columns are 'agent_id', 'agent_name', 'agent_email'"),
    ],
    ids=str,
)
def test_a_wrong_command_line_names_the_fix(words: tuple[str, ...], hint: str, run: Run, account: object) -> None:
    """It is refused before anything happens, with what there is."""
    ended = run(*words)
    assert (ended.code, ended.out) == (2, "")
    assert hint in ended.err


@pytest.mark.parametrize("given", ["-o json", "-ojson", "-o=json", "--output=json", "--output json"])
def test_common_options_stand_anywhere(given: str) -> None:
    """Before the command, behind it, or between its arguments; behind ``--`` they are arguments."""
    option = given.split()
    for tokens in ((*option, "tickets", "list"), ("tickets", *option, "list"), ("tickets", "list", *option)):
        assert split(tokens) == (("tickets", "list"), "json", (), None, None)
    assert split(("api", "--", *option)).rest == ("api", "--", *option)


def test_help_is_no_result(run: Run) -> None:
    """With -o json too, the help of a command is only its help."""
    assert run("balance", "--help", "-o", "json").out == run("balance", "-h").out
