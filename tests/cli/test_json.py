"""The JSON document of every command, in success and failure, against docs/reference/json.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from callsavvy_async.cli.commands import REGISTRY
from callsavvy_async.cli.document import SCHEMA_VERSION
from callsavvy_async.simulator import PRIVATE_KEY, Fault, Simulator

from .harness import Run
from .test_ending import HELLO, SERVERS, every_command

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "json.md"
ENVELOPE = ["schema_version", "command", "exit_code", "result", "error"]
TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def sections() -> dict[str, str]:
    """Return the sections of the page by their titles."""
    _, *parts = re.split(r"^### (.*)\n", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def result_types() -> dict[str, str]:
    """Return the schema of each command's result, as the page lists them."""
    rows = re.findall(r"^\| `callsavvy ([^`]+)` \| (.*?) \|$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return dict(rows)


def fields_of(schema: str) -> dict[str, list[str]]:
    """Return the fields of a schema, each with its types."""
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+?) \|", sections()[schema], flags=re.MULTILINE)
    return {name: types.split(" or ") for name, types in rows}


def faults_of(value: object, schema: str) -> Iterator[str]:
    """Yield in what an object differs from its schema. A field marked "if given" may be missing."""
    fields = fields_of(schema)
    if not isinstance(value, dict):
        yield f"{schema}: {value!r} is not an object"
        return
    needed = {name for name, types in fields.items() if "if given" not in types[-1]}
    if not needed <= value.keys() <= fields.keys():
        yield f"{schema}: {needed ^ value.keys()}"
    for name, item in value.items():
        allowed = [kind for word in fields.get(name, ()) for kind in TYPES[word.partition(",")[0]]]
        if type(item) not in allowed:
            yield f"{schema}.{name}: {item!r} is not {fields.get(name)}"


def faults(command: str, code: int, out: str) -> Iterator[str]:
    """Yield in what the document of a command is wrong."""
    try:
        document = json.loads(out)
    except ValueError:
        yield f"{command}: not one JSON document: {out!r}"
        return
    if [*document] != ENVELOPE:
        yield f"{command}: {[*document]}"
        return
    head = (document["schema_version"], document["command"], document["exit_code"])
    expected = None if REGISTRY.commands[command].streams and document["error"] is None else code
    if head != (SCHEMA_VERSION, command, expected):
        yield f"{command}: {head}, and the exit code is {code}"
    if document["error"] is not None:
        yield from faults_of(document["error"], "Error")
    yield from faults_of_result(command, document["result"])


def faults_of_result(command: str, result: Any) -> Iterator[str]:
    schema = result_types()[command]
    if result is None or schema.startswith("what "):
        return
    if is_list := schema.startswith("list of "):
        schema = schema.removeprefix("list of ")
    for item in result if is_list else [result]:
        found = [[*faults_of(item, one)] for one in schema.split(" or ")]
        yield from min(found, key=len)


def test_every_command_has_a_schema() -> None:
    """A new command fails here until the page says what its result is."""
    assert sorted(result_types()) == sorted(REGISTRY.commands)


@pytest.fixture
def here(tmp_path: Path, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "private-key.txt").write_text(f"{PRIVATE_KEY}\n")


@pytest.mark.long
@pytest.mark.usefixtures("here")
def test_every_command_prints_one_document(run: Run, account: Simulator) -> None:
    """Over all commands: the document on stdout is one, has the command's schema, and its exit code is the command's."""
    account.faults.next("sendSMS", Fault.DROP_AFTER_READ)
    assert run("bulk", "sms", "people.csv", *HELLO, "--campaign", "r", "--max-cost", "1").code == 4
    wrong, seen = [], set()
    for words, arguments in every_command(account):
        ended = run(*arguments, "-o", "json")
        command = REGISTRY.find(words)[0]
        documents = ended.out.splitlines() if REGISTRY.commands[command].streams else [ended.out]
        wrong += [fault for document in documents for fault in faults(command, ended.code, document)]
        seen.add(command)
    assert not wrong
    assert seen == REGISTRY.commands.keys() - {" ".join(words) for words in SERVERS}


@pytest.mark.usefixtures("here")
def test_every_failure_is_a_document(run: Run) -> None:
    """Over all commands: a wrong option and an unreachable server are documents too, with the error's text."""
    wrong = []
    for command in REGISTRY.commands:
        ended = run(*command.split(), "--no-such-option", "x", "-o", "json")
        wrong += [*faults(command, ended.code, ended.out)]
        if ended.code != 2 or json.loads(ended.out)["error"]["message"] not in ended.err:
            wrong.append(f"{command}: {ended}")
    assert not wrong
    for words in (("balance",), ("nonsense",), ("tickets", "lis"), ("balance", "-o")):
        ended = run("-o", "json", *words)
        assert ended.code, words
        assert json.loads(ended.out)["error"]["message"] in ended.err


@pytest.mark.long
@pytest.mark.usefixtures("here")
def test_every_command_prints_csv(run: Run, account: Simulator) -> None:
    """Over all commands: CSV has a header, and every row its columns."""
    import csv  # noqa: PLC0415 - one test

    csv.field_size_limit(2**20)  # the script of completions is one cell
    for words, arguments in every_command(account):
        rows = [*csv.reader(run(*arguments, "-o", "csv").out.splitlines())]
        assert len({len(row) for row in rows}) <= 1, words
