"""Bad lines between workers and their database, each worker's its own.

Where the machine allows it, workers are in network namespaces of their own and packets are lost (`wire.py`). Where it does
not, a relay in front of the database delays and stalls (`relay.py`), and `Lines.kind` says so.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import attrs

from . import wire

Kind = Literal["namespaces", "relay"]
_LOOPBACK = "127.0.0.1"


@attrs.frozen(eq=False)
class Link:
    """One line, and the program that carries what goes over it."""

    program: subprocess.Popen[str]
    database: str
    """Host and port, as a worker reaches it."""
    own_network: bool

    def enter(self) -> None:
        """Move this process to the worker's end."""
        if self.own_network:
            with Path(f"/proc/{self.program.pid}/ns/net").open() as network:
                _move_to(network.fileno())

    def journal(self, url: str) -> str:
        """Return the URL of a database, as a worker reaches it."""
        return f"{url.partition('@')[0]}@{self.database}/{url.rpartition('/')[2]}"

    def cut(self) -> None:
        """Let nothing through any more; what is under way is lost."""
        self._tell("cut")

    def mend(self) -> None:
        self._tell("mend")

    def _tell(self, what: str) -> None:
        assert self.program.stdin is not None
        self.program.stdin.write(f"{what}\n")
        self.program.stdin.flush()


@attrs.frozen
class Lines:
    """How lines are made here, and what servers have to listen to."""

    kind: Kind
    delay: float
    jitter: float
    loss: float

    def __str__(self) -> str:
        there_and_back = f"{2000 * self.delay:.0f} ms ± {2000 * self.jitter:.0f} there and back"
        if self.kind == "namespaces":
            return f"network namespaces, {there_and_back}, {self.loss:.0%} of the packets lost"
        return f"no network namespaces are allowed here; a relay in their place, {there_and_back}, which stalls"

    @property
    def listen(self) -> tuple[str, ...]:
        """Addresses for a database."""
        return (_LOOPBACK, wire.DATABASE) if self.kind == "namespaces" else (_LOOPBACK,)

    @property
    def api(self) -> str:
        """The address for an API."""
        return wire.API if self.kind == "namespaces" else _LOOPBACK

    @contextmanager
    def link(self, number: int, port: int) -> Iterator[Link]:
        """Make a line to the database at this port; numbers start at 1."""
        if self.kind == "relay":
            options = ["relay.py", port, self.delay, self.jitter]
        else:
            options = ["wire.py", number, self.delay, self.jitter, self.loss]
        script, *arguments = map(str, options)
        command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
            try:
                assert program.stdout is not None
                answer = program.stdout.readline().strip()
                if self.kind == "relay":
                    yield Link(program, f"{_LOOPBACK}:{answer}", own_network=False)
                    return
                if answer != "ready":
                    raise ChildProcessError("a line could not be made.")
                _ip(f"addr add 10.80.{number}.1/30 dev api{number}", f"link set api{number} up")
                yield Link(program, f"{wire.DATABASE}:{port}", own_network=True)
            finally:
                program.kill()


@contextmanager
def lines(*, delay: float, jitter: float, loss: float, kind: Kind | None = None) -> Iterator[Lines]:
    """Move this thread into a network of its own, where the database shall be, if that is allowed."""
    with ExitStack() as stack:
        if kind is None:
            kind = "namespaces" if _namespaces_work() else "relay"
        if kind == "namespaces":
            home = stack.enter_context(Path("/proc/thread-self/ns/net").open())
            wire.enter_new_network()
            stack.callback(_move_to, home.fileno())
            _ip(f"addr add {wire.DATABASE}/32 dev lo", f"addr add {wire.API}/32 dev lo")
        yield Lines(kind, delay, jitter, loss)


def _namespaces_work() -> bool:
    """Try all of it in another process."""
    if shutil.which("ip") is None:
        return False
    trial = (
        "import wire; wire.enter_new_network(); wire._tun('line'); wire._ip('link add api type veth peer name other')"
    )
    folder = Path(__file__).parent
    return not subprocess.run(
        [sys.executable, "-c", trial], cwd=folder, stderr=subprocess.DEVNULL, check=False
    ).returncode


def _ip(*commands: str) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True, stdin=subprocess.DEVNULL)


def _move_to(network: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(network, wire.CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "this process cannot move to another network")
