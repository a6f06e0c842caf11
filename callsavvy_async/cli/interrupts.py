"""Handling of Ctrl-C, SIGTERM and SIGHUP (the terminal closes).

During a send, the first signal stops it gracefully and the second stops waiting. At any other time a signal ends the
command as Ctrl-C does. An ignored SIGHUP, as under nohup, stays ignored.
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

_WAIT = 0.5
"""Seconds of one wait. On Windows signal handlers run only between waits of the main thread."""

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))


class Stoppable(Protocol):
    """A send that can be stopped."""

    def stop(self) -> None:
        """Start no more requests, and wait for those in flight."""
        ...

    def abandon(self) -> None:
        """Stop waiting; requests in flight become unknown."""
        ...


@contextmanager
def on_signals(act: Callable[[], object]) -> Generator[None]:
    """Run `act` at each signal while the block runs. Works only in the main thread."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        act()

    with _handled(handle, *_SIGNALS):
        yield


@contextmanager
def as_ctrl_c() -> Generator[None]:
    """Treat the other signals as Ctrl-C while the block runs, unless an inner block handles them."""

    def handle(_number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)
        (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)

    with _handled(handle, *(number for number in _SIGNALS if number is not signal.SIGINT)):
        yield


@contextmanager
def _handled(handle: Callable[[int, FrameType | None], None], *numbers: signal.Signals) -> Generator[None]:
    if threading.current_thread() is not threading.main_thread():  # signals reach only the main thread
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
    """Yield a function that waits for the first signal. Works only in the main thread."""
    interrupted = threading.Event()

    def wait() -> None:
        while not interrupted.wait(_WAIT):
            pass

    with on_signals(interrupted.set):
        yield wait


@contextmanager
def stopping_on_signals(send: Stoppable) -> Generator[None]:
    """Stop a send at the first signal and abandon it at the second. Enter this block in the send's event loop."""
    loop = asyncio.get_running_loop()
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if stopping:
            tell("callsavvy: not waiting: requests in flight become unknown.")
            send.abandon()
        else:
            tell("callsavvy: stopping: waiting for requests in flight. Interrupt again to stop waiting.")
            send.stop()
        stopping = True

    with on_signals(lambda: loop.call_soon_threadsafe(stop)):
        yield
