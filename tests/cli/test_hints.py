"""Every command that a command proposes works when it is pasted into the same shell."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callsavvy_async.campaigns import CampaignReport
from callsavvy_async.campaigns.spec import CampaignSettings
from callsavvy_async.cli.access import chosen_profile
from callsavvy_async.cli.campaign_watch import CampaignView
from callsavvy_async.cli.client import chosen_proxy
from callsavvy_async.cli.commands import REGISTRY
from callsavvy_async.cli.hints import hint
from callsavvy_async.cli.profiles import ProfileStore
from callsavvy_async.cli.top_screen import Moment, lines_of
from callsavvy_async.config import Credentials
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Simulator, SimulatorServer

from .harness import Result, Run

CLI = Path(__file__).parents[2] / "callsavvy_async/cli"
OF_A_JOURNAL = re.compile(r"callsavvy (campaigns|keys|suppress|outbox|webhooks) [a-z]")
HELPS = {"commands.py", "campaign_commands.py", "help.py"}


@pytest.fixture(autouse=True)
def _common_options() -> Iterator[None]:
    profile, proxy = chosen_profile.set(None), chosen_proxy.set(None)
    yield
    chosen_profile.reset(profile)
    chosen_proxy.reset(proxy)


def texts(path: Path) -> Iterator[str]:
    """Yield the texts of a module that are no docstrings."""
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_one_function_makes_them() -> None:
    """A command for a journal that is written out elsewhere would forget the journal. It exists, as all of them."""
    literal = {path.name for path in CLI.rglob("*.py") for text in texts(path) if OF_A_JOURNAL.search(text)}
    assert literal <= HELPS
    calls = [
        ast.literal_eval(node.args[0])
        for path in CLI.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "hint"
    ]
    assert len(calls) >= 5
    assert set(calls) <= set(REGISTRY.commands)


@pytest.mark.parametrize(
    ("words", "profile", "proxy", "expected"),
    [
        ("campaigns continue", "shop", "http://proxy:3128", "callsavvy campaigns continue r --journal j://h/x"),
        ("campaigns resume", "shop", None, "callsavvy campaigns resume r --journal j://h/x --profile shop"),
        ("campaigns work", None, "env", "callsavvy campaigns work r --journal j://h/x --proxy env"),
        ("campaigns work", None, "http://u:secret@proxy:3128", "callsavvy campaigns work r --journal j://h/x"),
        ("campaigns work", None, "http://of-all:3128", "callsavvy campaigns work r --journal j://h/x"),
    ],
)
def test_what_they_repeat(
    monkeypatch: pytest.MonkeyPatch, words: str, profile: str | None, proxy: str | None, expected: str
) -> None:
    """The journal; for a command that sends, the profile and the proxy too. Never a password, nor what the shell has."""
    monkeypatch.setenv("CALLSAVVY_PROXY", "http://of-all:3128")
    chosen_profile.set(profile)
    chosen_proxy.set(proxy)
    assert hint(words, "r", journal="j://u:secret@h/x") == expected


def proposed(result: Result) -> Iterator[list[str]]:
    """Yield the words of each command in the output."""
    for line in (result.out + result.err).splitlines():
        for found in re.findall(r"(?<=: )callsavvy .+", line):
            for command in found.split(" && "):
                yield shlex.split(command)[1:]


def test_all_of_them_work_as_they_stand(
    run: Run,
    account: Simulator,
    server: SimulatorServer,
    people: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a journal and a profile that are not the default ones, from another folder."""
    for name in ("CALLSAVVY_PUBLIC_KEY", "CALLSAVVY_PRIVATE_KEY", "CALLSAVVY_BASE_URL"):
        monkeypatch.delenv(name)
    ProfileStore().save("shop", Credentials(PUBLIC_KEY, PRIVATE_KEY), server.url)
    monkeypatch.chdir(tmp_path)
    said: list[Result] = []
    here = ("--journal", "my journal.db", "--profile", "shop")
    bulk = ("bulk", "sms", people, "--message", "Hello", "--chunk-size", 1, *here, "--yes")
    said.append(run(*bulk, "--campaign", "spring sale", "--load-only"))
    said += (run("campaigns", action, "spring sale", *here) for action in ("pause", "stop", "continue"))
    said.append(run(*bulk, "--campaign", "another", "--limit", 1))
    commands = {tuple(words) for result in said for words in proposed(result)}
    assert {words[1] for words in commands} == {"work", "resume", "continue"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for words in sorted(commands):
        ended = run(*words, *(("--yes",) if words[1] == "resume" else ()))
        assert ended.code == 0, (words, ended)
    assert not [*elsewhere.iterdir()]
    assert set(account.ledger.charged.values()) == {2}


@pytest.mark.parametrize("width", [40, 80])
def test_the_live_view_breaks_a_command_as_a_shell_reads_it(width: int) -> None:
    """On the whole screen each line is a line of its own, so a backslash joins them."""
    report = CampaignReport(name="spring sale", given=9, pending=9, input_complete=True)
    moment = Moment(
        view=CampaignView(report, ()),
        commands=(),
        settings=CampaignSettings(),
        now=datetime.now(UTC),
        journal="/srv/shop/journals/spring.db",
    )
    text = "\n".join(lines_of(moment, width, 24, note=[], ascii_only=True))
    assert max(map(len, text.splitlines())) <= width
    command = text.partition("Send the rest with:\n")[2].partition("\n\n")[0]
    assert shlex.split(command.replace("\\\n", "")) == [
        *("callsavvy", "campaigns", "resume", "spring sale"),
        *("--journal", "/srv/shop/journals/spring.db"),
    ]
