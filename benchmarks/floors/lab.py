"""Servers of a measurement, each started when the first row needs it."""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.speed.servers import running
from testbed.servers.postgres import PostgresServer


class Lab(ExitStack):
    """The addresses that rows name as their needs."""

    @functools.cached_property
    def plain(self) -> str:
        """Address of a spinning server."""
        return f"http://127.0.0.1:{self._spinning()}"

    @functools.cached_property
    def tls(self) -> str:
        """Address of a spinning server over TLS."""
        import trustme  # noqa: PLC0415 - of the group bench, and only TLS needs it

        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.certificates)
        certificate = self._folder / "server.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        return f"https://127.0.0.1:{self._spinning(str(certificate))}"

    @property
    def certificates(self) -> Path:
        """Certificate of the authority of `tls`."""
        return self._folder / "ca.pem"

    @functools.cached_property
    def postgres(self) -> str:
        """Address of a new database."""
        return self.enter_context(PostgresServer()).new_database()

    @functools.cached_property
    def _folder(self) -> Path:
        return Path(self.enter_context(tempfile.TemporaryDirectory(prefix="floors-")))

    def _spinning(self, *certificate: str) -> int:
        command = [sys.executable, "-m", "benchmarks.floors.spinning", *certificate]
        process = self.enter_context(running(command, stdout=subprocess.PIPE))
        assert process.stdout is not None
        return int(process.stdout.readline())
