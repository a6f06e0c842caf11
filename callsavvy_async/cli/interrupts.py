"""Ctrl-C, SIGTERM and the end of the terminal (SIGHUP) as plain events.

While something is sent, the first stops it in order, and the second does not wait. Anywhere else they end the command as
Ctrl-C does. A SIGHUP that is ignored, as under nohup, stays ignored.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from callsavvy_async.cli.stderr import tell

_LOOK_EVERY = 0.5
"""Seconds: on Windows a main thread that waits for another without end runs no signal handler."""


_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))


class Stoppable(Protocol):
    """A run."""

    def stop(self) -> None:
        """Send nothing more, and wait for what is on the wire."""
        ...

    def abandon(self) -> None:
        """Do not wait either."""
        ...


@contextmanager
def on_signals(act: Callable[[], object]) -> Generator[None]:
    """Call `act` for each of the signals while the block runs. Only in the main thread."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        act()

    with _handled(handle, *_SIGNALS):
        yield


@contextmanager
def as_ctrl_c() -> Generator[None]:
    """Let the other signals do what Ctrl-C does while the block runs, where nothing else handles them."""

    def handle(_number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)
        (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)

    with _handled(handle, *(number for number in _SIGNALS if number is not signal.SIGINT)):
        yield


@contextmanager
def _handled(handle: Callable[[int, FrameType | None], None], *numbers: signal.Signals) -> Generator[None]:
    if threading.current_thread() is not threading.main_thread():  # no signal comes here
        yield
        return
    ignored = {number for number in numbers if number.name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN}
    previous = {number: signal.signal(number, handle) for number in numbers if number not in ignored}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def until_interrupted() -> Generator[Callable[[], None]]:
    """Yield a function that waits for the first of the signals. Only in the main thread."""
    interrupted = threading.Event()

    def wait() -> None:
        while not interrupted.wait(_LOOK_EVERY):
            pass

    with on_signals(interrupted.set):
        yield wait


@contextmanager
def stopping_on_signals(run: Stoppable) -> Generator[None]:
    """Stop a run with the first signal and abandon it with the second, from inside the asyncio loop it runs in."""
    loop = asyncio.get_running_loop()
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if stopping:
            tell("callsavvy: not waiting: what is on the wire becomes unknown.")
            run.abandon()
        else:
            tell("callsavvy: stopping: waiting for what is on the wire. Once more to stop waiting.")
            run.stop()
        stopping = True

    with on_signals(lambda: loop.call_soon_threadsafe(stop)):
        yield
