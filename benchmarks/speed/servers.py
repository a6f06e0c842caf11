"""Servers on loopback, each in a separate process: nginx, a slow server, and one that drops the connection."""

from __future__ import annotations

import functools
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.speed import answers, cores

PATIENCE = 10.0
"""Seconds for a server to start or to stop."""

NGINX = """
worker_processes 1;
master_process off;
daemon off;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; multi_accept on; }}
http {{
    access_log off;
    default_type application/json;
    keepalive_timeout 75s;
    keepalive_requests 1000000000;
    client_body_buffer_size 64k;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{plain} backlog=4096;
        listen 127.0.0.1:{tls} ssl backlog=4096;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        root {folder};
        location = /v1/getTickets {{ error_page 405 =200 /tickets.json; return 405; }}
        location = /tickets.json {{ internal; error_page 405 =200 $uri; }}
{locations}
    }}
}}
"""

WRK = """
wrk.method = "POST"
wrk.body = '{{"recipient":"{number}","message":"{text}"}}'
wrk.headers["Content-Type"] = "application/json"
"""


class Servers(NamedTuple):
    """Addresses of the servers."""

    plain: str
    tls: str
    slow: str
    folder: Path

    @property
    def certificates(self) -> Path:
        """Certificate of the authority that signed the one of `tls`."""
        return self.folder / "ca.pem"


@contextmanager
def serving(delay: float) -> Iterator[Servers]:
    """Run nginx, and a server that responds after `delay` seconds."""
    import trustme  # noqa: PLC0415 - not installed in the environment of the others

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="speed-")))
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(
            folder / "server.pem"
        )
        plain, tls = stack.enter_context(_nginx(folder))
        slow = stack.enter_context(slow_server(delay))
        yield Servers(f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}", slow, folder)


@contextmanager
def _nginx(folder: Path) -> Iterator[tuple[int, int]]:
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        raise SystemExit("nginx is not installed: apt-get install nginx-light wrk strace")
    plain, tls = free_port(), free_port()
    (folder / "tickets.json").write_text(answers.tickets().body, "utf-8")
    locations = "\n".join(
        f"        location ^~ {path} {{ return {answer.status} '{answer.body}'; }}"
        for path, answer in answers.ANSWERS.items()
    )
    settings = folder / "nginx.conf"
    settings.write_text(NGINX.format(folder=folder, plain=plain, tls=tls, locations=locations))
    with running([program, "-p", str(folder), "-c", str(settings)]):
        for port in (plain, tls):
            wait_for(port)
        yield plain, tls


@contextmanager
def slow_server(delay: float) -> Iterator[str]:
    """Run a server that responds after `delay` seconds, and yield its address."""
    command = [sys.executable, "-m", "benchmarks.speed.slow", str(delay)]
    with running(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"


@contextmanager
def running(command: list[str], stdout: int | None = None, core: int = cores.SERVER) -> Iterator[subprocess.Popen[str]]:
    """Run a program on a core while the block runs."""
    on_core = functools.partial(cores.pin, core)
    process = subprocess.Popen(command, stdout=stdout, text=True, preexec_fn=on_core)  # noqa: PLW1509 - no threads yet
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)
        if process.stdout is not None:
            process.stdout.close()


def free_port() -> int:
    """Return a port on which no server listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until a server listens on a port."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"the server on port {port} did not start")


def ceiling(url: str, folder: Path, *, connections: int, seconds: int) -> float | None:
    """Return the POSTs per second of wrk on the clients' core. None without wrk."""
    if shutil.which("wrk") is None:
        return None
    script = folder / "post.lua"
    script.write_text(WRK.format(number=answers.NUMBER, text=answers.TEXT))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), f"{url}/v1/sendSMS"]
    on_core = functools.partial(cores.pin, cores.CLIENT)
    shown = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=on_core)
    line = next(line for line in shown.stdout.splitlines() if line.startswith("Requests/sec:"))
    return float(line.split()[1])


# ------------------------------------------------------------------------------------------------- a server that drops


@contextmanager
def dropping(folder: Path, *, tls: bool) -> Iterator[tuple[str, Callable[[], int]]]:
    """Read each POST completely, then close the connection without a response. Yields the address and a counter."""
    context: ssl.SSLContext | None = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / "server.pem")
    posts: list[None] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_drop_all, args=(listener, context, posts), daemon=True).start()
        scheme = "https" if tls else "http"
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", lambda: len(posts)
        listener.shutdown(socket.SHUT_RDWR)


def _drop_all(listener: socket.socket, context: ssl.SSLContext | None, posts: list[None]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        try:
            connection.settimeout(PATIENCE)
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            with connection:
                if _read_post(connection):
                    posts.append(None)
        except OSError:
            connection.close()


def _read_post(connection: socket.socket) -> bool:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return False
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    missing = int(fields.get(b"content-length", b"0")) - len(body)
    while missing > 0:
        piece = connection.recv(65536)
        if not piece:
            return False
        missing -= len(piece)
    return head.startswith(b"POST ")


def describe() -> str:
    """Return the name and version of the server."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    return subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr.split()[-1]
