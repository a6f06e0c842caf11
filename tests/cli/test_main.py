"""The program as a whole: help, version, errors, what is installed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from callsavvy_async import Callsavvy, __version__
from callsavvy_async.cli import app as app_module, sending
from callsavvy_async.config import Credentials

from .harness import EXAMPLES, Run, run_program, start


def test_version_and_help(run: Run) -> None:
    """Both go to stdout; without a command there is help."""
    assert run("--version").out == f"{__version__}\n"
    assert "simulator" in run("--help").out
    assert run().out == run("--help").out


def test_exit_codes_are_documented(run: Run) -> None:
    """The help of a bulk send names every exit code."""
    text = " ".join(run("bulk", "--help").out.split())
    assert "130, then 5, 4, 3, 1" in text


def test_missing_extra() -> None:
    """Without the extra a command says what to install; help does not need it."""
    code = (
        "import sys; sys.modules['cyclopts'] = None; from callsavvy_async.cli import main; "
        "main(['--help']); sys.exit(main(['simulator']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 5
    assert ended.stderr == "callsavvy: the command line needs cyclopts: pip install 'callsavvy-async[cli]'\n"


def test_wrong_usage_is_masked(run: Run) -> None:
    """A number that got into the wrong option is not repeated in clear."""
    result = run("bulk", "sms", "people.csv", "--max-cost", "+2345990000001x")
    assert result.code == 2
    assert "--max-cost" in result.err
    assert "5990000001" not in result.err


def test_unexpected_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug is one line that does not repeat what may be private; the traceback comes on request."""

    def fail(*_: object) -> None:
        raise LookupError("+2345990000001")

    monkeypatch.setattr(sending, "carry_out", fail)
    arguments = ("send", "sms", "+2345990000001", "--message", "Hi")
    result = run(*arguments)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("callsavvy: unexpected LookupError at sending.py:")
    assert "again" not in result.err
    assert "5990000001" not in result.err
    monkeypatch.setenv("CALLSAVVY_DEBUG", "1")
    monkeypatch.setattr(app_module.logging, "basicConfig", lambda **_: None)
    assert "Traceback" in run(*arguments).err


def test_interrupted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in a command that has nothing to drain is exit code 130, without a traceback."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sending, "carry_out", interrupt)
    result = run("send", "sms", "+2345990000001", "--message", "Hi")
    assert (result.code, result.err) == (130, "callsavvy: interrupted.\n")


@pytest.mark.long
def test_reader_goes_away() -> None:
    """A reader that closes the pipe early causes no traceback."""
    with start("estimate", "sms", EXAMPLES / "recipients.csv", "--message", "Hello") as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        err = program.stderr.read()
        program.wait(timeout=60)
    assert (program.returncode, err) == (1, "")


@pytest.mark.long
def test_process_substitution() -> None:
    """A list that comes through a named pipe is read once and still planned and sent."""
    command = (
        f"{sys.executable} -m callsavvy_async bulk sms <(printf 'phone\\n+2345990000001\\n')"
        " --message Hello --simulator"
    )
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=False)
    assert "1 accepted" in ended.stdout, ended.stderr


def test_program_without_arguments() -> None:
    """The module runs as a program."""
    assert run_program().code == 0


def test_a_proxy_for_every_command(run: Run, account: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """--proxy, before or behind the command, or CALLSAVVY_PROXY: the client is made with it; without, with none."""
    seen: list[object] = []

    def remember(credentials: Credentials, **options: Any) -> Callsavvy:
        seen.append(options.pop("proxy"))
        return Callsavvy(credentials, **options)

    monkeypatch.setattr("callsavvy_async.cli.client.Callsavvy", remember)
    for arguments in (("balance", "--proxy", "env"), ("--proxy", "http://proxy.example:3128", "balance"), ("balance",)):
        assert run(*arguments).code == 0
    monkeypatch.setenv("CALLSAVVY_PROXY", "env")
    assert run("balance").code == 0
    assert seen == ["env", "http://proxy.example:3128", None, "env"]
    assert "--proxy" in run("bulk", "sms", "--help").out
