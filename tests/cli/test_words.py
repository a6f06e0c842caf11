"""Errors in the words of the command line, and what there is instead of what does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsavvy_async.cli.option_words import in_option_words
from callsavvy_async.simulator import Simulator

from .harness import Run

OPTIONS = {"column", "only", "region", "exclusive", "max-cost", "sent", "limit", "period", "proxy", "validate", "start"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Name it: column='...'.", "Name it: --column NAME."),
        ("Name one: column='phone no'.", "Name one: --column 'phone no'."),
        ("use validate='shape'.", "use --validate shape."),
        ("region='NG' needs an extra", "--region NG needs an extra"),
        ("that takes your word (exclusive=True, --exclusive)", "that takes your word (--exclusive, --exclusive)"),
        ("pass proxy='env' (--proxy env) to use it", "pass --proxy env to use it"),
        ("as_sent=False", "--no-sent"),
        ("max_cost cannot be kept", "--max-cost cannot be kept"),
        ("before start=2026-11-01; give", "before --start 2026-11-01; give"),
        ("max_recipients=3", "--limit 3"),
        ("read it with only=('pending', 'rejected').", "read it with --only pending,rejected."),
        ("the field 'max_cost' and {max_cost}", "the field 'max_cost' and {max_cost}"),
        ("backend='httpx' is the SDK's own", "backend='httpx' is the SDK's own"),
    ],
)
def test_arguments_are_options(text: str, shown: str) -> None:
    """An argument that the command has as an option is named as that; columns of a list and other names are not."""
    assert in_option_words(text, OPTIONS) == shown


def test_a_column_is_asked_for_by_its_option(run: Run, tmp_path: Path) -> None:
    """A list without a telling header names the option, not the argument of the SDK."""
    people = tmp_path / "people.csv"
    people.write_text("a,b\nx,y\n")
    ended = run("estimate", "sms", people, "--message", "Hello")
    assert ended.code == 2
    assert "--column" in ended.err
    assert "column=" not in ended.err


def test_columns_to_show_are_named_as_they_are(run: Run, account: Simulator) -> None:
    """A column of a list may have the name of an option."""
    ended = run("tickets", "list", "--columns", "x")
    assert (ended.code, "'sender_email'" in ended.err) == (2, True)


def test_a_missing_file_says_what_there_is(run: Run, people: Path) -> None:
    """A similar name is suggested, else the files with the same ending are listed."""
    ended = run("estimate", "sms", people.with_name("peoples.csv"), "--message", "Hello")
    assert (ended.code, f'Did you mean "{people}"?' in ended.err) == (2, True)
    ended = run("estimate", "sms", people.with_name("x.csv"), "--message", "Hello")
    assert "The folder contains people.csv." in ended.err
    ended = run("estimate", "sms", people.parent / "no" / "x.csv", "--message", "Hello")
    assert "does not exist either" in ended.err


def test_a_missing_campaign_says_what_there_is(run: Run, account: Simulator, people: Path, monkeypatch) -> None:
    """The campaigns of the journal are named, for commands that read and for those that steer."""
    monkeypatch.chdir(people.parent)
    assert run("bulk", "sms", people, "--message", "Hello", "--yes", "--campaign", "welcome").code == 0
    for words in (("show", "welcom"), ("pause", "welcom", "--wait", "0"), ("report", "welcom", "r.csv")):
        ended = run("campaigns", *words)
        assert ended.code == 2
        assert "there is no campaign 'welcom' in" in ended.err
        assert "it contains 'welcome'." in ended.err
