r"""A full screen that is drawn again and again, with keys that need no Enter.

The terminal is restored on every way out: an error, Ctrl-C, SIGTERM, a closed terminal, Ctrl-Z and Ctrl-\. Ctrl-Z
restores it and suspends the process; when that continues, the screen comes back. Needs POSIX.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import termios
import tty
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TypeAlias

import anyio
from rich.console import Console, ConsoleOptions
from rich.live import Live
from rich.text import Text

Draw: TypeAlias = Callable[[int, int, bool], Sequence[str]]
"""Returns the lines of a screen from its columns, its rows, and whether only ASCII can be shown."""

_SIGNALS = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH, signal.SIGQUIT)
_MOST_KEYS = 64
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|)")
"""What an arrow or a function key sends (ECMA-48, section 5.4)."""


class FullScreen:
    """A screen on stderr, with keys from stdin, for the main thread.

    Args:
        draw: Draws it.
    """

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._keyboard = sys.stdin.fileno()
        self._console = Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._open = ExitStack()

    @contextmanager
    def shown(self) -> Generator[AsyncIterator[signal.Signals]]:
        """Show the screen while the block runs. Yield the signals for `obey_signals`, none of which is missed."""
        with anyio.open_signal_receiver(*_SIGNALS) as signals:
            try:
                self._show()
                yield signals
            finally:
                self._hide()

    def refresh(self) -> None:
        """Draw the screen anew, in one write. Do nothing while the process is suspended."""
        if self._live is not None:
            self._live.update(self, refresh=True)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for line in self._draw(options.max_width, console.size.height, options.ascii_only):
            yield Text(line, no_wrap=True, overflow="crop")

    async def read_keys(self, press: Callable[[str], object]) -> None:
        """Pass each key to a function until cancelled; "q" once the terminal is closed."""
        while True:
            await anyio.wait_readable(self._keyboard)
            try:
                keys = os.read(self._keyboard, _MOST_KEYS).decode(errors="replace")
            except OSError:  # the terminal is gone
                keys = ""
            if not keys:
                press("q")
                return
            for key in _SEQUENCE.sub("", keys):
                press(key.lower())

    async def obey_signals(self, signals: AsyncIterator[signal.Signals], press: Callable[[str], object]) -> None:
        """Suspend the process at Ctrl-Z, and draw anew when it continues or the window changes, until cancelled."""
        async for number in signals:
            match number:
                case signal.SIGTSTP:
                    self._hide()
                    os.kill(os.getpid(), signal.SIGSTOP)
                case signal.SIGCONT:
                    self._hide()  # it may have been suspended by SIGSTOP, which no process can handle
                    self._show()
                case signal.SIGWINCH:
                    self.refresh()
                case _:
                    press("q")

    def _show(self) -> None:
        with ExitStack() as stack:
            before = termios.tcgetattr(self._keyboard)
            stack.callback(self._restore, before)
            tty.setcbreak(self._keyboard)
            self._live = stack.enter_context(
                Live(
                    self,
                    console=self._console,
                    screen=True,
                    auto_refresh=False,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
            )
            self._open = stack.pop_all()
        self.refresh()

    def _hide(self) -> None:
        self._live = None
        self._open.close()

    def _restore(self, before: list[int | list[bytes | int]]) -> None:
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(self._keyboard, termios.TCSADRAIN, before)
