"""Types and look-up of the registry of commands. Imports nothing that ``callsavvy --help`` does not need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple


class CommandEntry(NamedTuple):
    """A command.

    Attributes:
        words: Words that call it, e.g. "tickets list".
        target: Module in `callsavvy_async.cli` and its function, e.g. "reading:list_tickets". It is imported when the command
            runs.
        summary: First sentence of the function's docstring.
        examples: CommandEntry lines without the program's name.
        is_list: True if the result is a list, which has columns.
        channel: Channel of a command that exists for each of them; its target returns the function without the message.
        streams: True for a command that runs until it is interrupted and prints one JSON document a line.
    """

    words: str
    target: str
    summary: str
    examples: tuple[str, ...]
    is_list: bool = False
    channel: str = ""
    streams: bool = False


class Registry(NamedTuple):
    """All commands, and the help of the groups.

    Attributes:
        commands: Commands by their words, in the order of the help.
        groups: Help of each group, e.g. of "tickets"; its first sentence is the summary.
    """

    commands: Mapping[str, CommandEntry]
    groups: Mapping[str, str]

    def find(self, tokens: Sequence[str]) -> tuple[str, Sequence[str]]:
        """Return the words of the longest command or group that the tokens begin with, and the other tokens."""
        words = ""
        for count, token in enumerate(tokens):
            longer = f"{words} {token}".strip()
            if words in self.commands or (longer not in self.commands and longer not in self.groups):
                return words, tokens[count:]
            words = longer
        return words, ()

    def below(self, group: str) -> Iterator[tuple[str, str]]:
        """Yield the name and the summary of each command and group directly below a group; of the program if blank."""
        names: dict[str, str] = {}
        depth = len(group.split())
        for words, command in self.commands.items():
            path = words.split()
            if path[:depth] == group.split():
                name = path[depth]
                outer = self.groups.get(" ".join(path[: depth + 1]))
                names.setdefault(name, command.summary if outer is None else first_sentence(outer))
        yield from names.items()


def first_sentence(text: str) -> str:
    """Return the first sentence of a help text, which is the summary of the command or group."""
    sentence, period, _ = " ".join(text.split()).partition(". ")
    return sentence + "." if period else sentence
