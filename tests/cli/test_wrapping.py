"""Lines break between words at the width of the terminal, and commands stay whole."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import termios
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.cli import wrapping
from callsavvy_async.cli.wrapping import fit

WORDS = st.lists(st.text("ab:,'-é", min_size=1, max_size=12), max_size=20)


@pytest.fixture
def terminal() -> Iterator[Callable[[int], TextIO]]:
    """Return a function that gives a terminal some columns."""
    ours, theirs = os.openpty()

    def of_width(columns: int) -> TextIO:
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        return stream

    with os.fdopen(theirs, "w") as stream:
        yield of_width
    os.close(ours)


def test_a_line_is_broken_between_words(terminal: Callable[[int], TextIO]) -> None:
    """The rest of the line is indented, below its own indentation."""
    line = "  row 4: invalid: '***' is not a phone number of region NG"
    assert fit(line, terminal(40)).split("\n") == ["  row 4: invalid: '***' is not a phone", "    number of region NG"]
    assert fit(line, terminal(80)) == line


def test_a_command_is_not_broken(terminal: Callable[[int], TextIO]) -> None:
    """A person copies it, and a line break in it would run half of it."""
    command = (
        "callsavvy campaigns continue opening && callsavvy campaigns resume opening --journal /var/lib/campaigns.db"
    )
    assert fit(f"519 not sent yet. Continue with: {command}", terminal(40)).split("\n") == [
        "519 not sent yet. Continue with:",
        f"  {command}",
    ]


def test_what_no_person_reads_is_not_broken() -> None:
    """Programs read lines of files and pipes whole; a terminal without a width is treated like them."""
    line = "a word " * 40
    assert fit(line, io.StringIO()) == line
    closed = io.StringIO()
    closed.close()
    assert fit(line, closed) == line


@given(words=WORDS, width=st.integers(1, 60))
def test_every_word_stays(words: list[str], width: int) -> None:
    """No word is lost, moved or cut, and a line of several words fits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wrapping, "_width", lambda _: width)
        lines = fit(" ".join(words), io.StringIO()).split("\n")
    assert " ".join(lines).split() == words
    assert all(len(line) <= width or len(line.split()) == 1 for line in lines)
