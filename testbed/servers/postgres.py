"""A PostgreSQL of its own, of Debian's package, in a temporary folder."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from .ports import free_port

_SUPERUSER = "callsavvy"
_SETTINGS = (
    "unix_socket_directories=",
    "fsync=off",  # the servers of tests are killed, but the machine is not
    "max_connections=200",
    "timezone=UTC",
)


class PostgresServer:
    """Use it as a context manager; it can be stopped, killed and started again, on the same port with the same data."""

    def __init__(self, addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        self.port = free_port()
        self._addresses = addresses
        # not below a folder that only who runs the tests may enter: the server is another user
        self._folder = Path(tempfile.mkdtemp(prefix="callsavvy-postgres-", dir="/tmp"))
        self._data = self._folder / "data"
        self._names = itertools.count(1)

    def __enter__(self) -> Self:
        try:
            if os.geteuid() == 0:  # PostgreSQL refuses to run as root
                shutil.chown(self._folder, "postgres", "postgres")
            self._call("initdb", f"--pgdata={self._data}", "--auth=trust", f"--username={_SUPERUSER}", "--no-sync")
            with (self._data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all 10.0.0.0/8 trust\n")  # it listens where it is told to, and nowhere else
            self.start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(subprocess.CalledProcessError):  # it is down already
            self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, and wait until it serves."""
        here = (f"listen_addresses={','.join(self._addresses)}", f"port={self.port}")
        options = " ".join(f"-c {setting}" for setting in (*_SETTINGS, *here))
        self._control("start", "--wait", f"--log={self._folder / 'log'}", f"--options={options}")

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop it: ``fast`` breaks its connections off, ``immediate`` is like a crash."""
        self._control("stop", "--wait", f"--mode={mode}")

    def new_database(self) -> str:
        """Make an empty database, and return its URL."""
        name = f"test_{os.getpid()}_{next(self._names)}"
        self._call("createdb", "--host=127.0.0.1", f"--port={self.port}", f"--username={_SUPERUSER}", name)
        return f"postgresql://{_SUPERUSER}@127.0.0.1:{self.port}/{name}"

    def _control(self, *arguments: str) -> None:
        self._call("pg_ctl", f"--pgdata={self._data}", *arguments)

    def _call(self, program: str, *arguments: str) -> None:
        user = pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else None
        output = self._folder / "output"  # no pipe: the server would keep it open
        with output.open("w") as file:
            ended = subprocess.run(
                [_folder_of_programs() / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd="/",
                user=user,
                check=False,
            )
        if ended.returncode:
            raise subprocess.CalledProcessError(ended.returncode, program, output.read_text())


def _folder_of_programs() -> Path:
    """Return where PostgreSQL's own programs lie: Debian keeps them out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres")) or [
        Path(path) for path in [shutil.which("postgres")] if path
    ]
    if not found:
        raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent
