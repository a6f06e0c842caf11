"""``callsavvy doctor``: every seeded breakage is named with its fix, and nothing else is called wrong."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
import shutil
import socket
import socketserver
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import attrs
import pytest
import trustme

from callsavvy_async.campaigns import Journal
from callsavvy_async.cli.doctor import account as account_checks
from callsavvy_async.cli.profiles import ProfileStore
from callsavvy_async.config import Credentials
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY, Fault, Simulator, SimulatorServer, TokenBucket
from testbed.servers.postgres import PostgresServer
from testbed.servers.redis import RedisServer

from .harness import Result, Run

HOST = "127.0.0.1"
SECRETS = (PRIVATE_KEY, "hunter2-secret")
BALANCES = {"sms_balance": "5000", "outbound_local_call_balance": "9", "outbound_international_call_balance": "9"}


class Reply(NamedTuple):
    """What a scripted API responds to every request."""

    status: int = 200
    body: object = {"resource": "getSummary", "status": "success", "data": BALANCES}
    headers: Mapping[str, str] = {}
    clock: dt.timedelta = dt.timedelta()


SOUND = Reply()


@attrs.frozen
class Machine:
    """A machine on which everything works, until a breakage changes it."""

    patch: pytest.MonkeyPatch
    folder: Path
    sim: Simulator
    url: str
    sound_journal: Path
    open: contextlib.ExitStack

    def set(self, **variables: str) -> None:
        """Set environment variables, named without CALLSAVVY_ in lower case, or as they are."""
        for name, value in variables.items():
            self.patch.setenv(f"CALLSAVVY_{name.upper()}" if name.islower() else name, value)

    def save_profile(self, **changes: str) -> Path:
        """Keep the keys in the default profile instead of in the environment; return its file."""
        self.patch.delenv("CALLSAVVY_PUBLIC_KEY")
        self.patch.delenv("CALLSAVVY_PRIVATE_KEY")
        store = ProfileStore()
        store.save("default", Credentials(PUBLIC_KEY, PRIVATE_KEY), changes.get("base_url", self.url))
        return store.path_of("default")

    def serve(self, reply: Reply = SOUND, tls: ssl.SSLContext | None = None) -> int:
        """Serve a scripted API and use it; return its port."""
        server = ThreadingHTTPServer((HOST, 0), type("Handler", (Scripted,), {"reply": reply}))
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        port = self.run(server)
        self.set(base_url=f"{'http' if tls is None else 'https'}://{HOST}:{port}/v1")
        return port

    def run(self, server: socketserver.BaseServer) -> int:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.open.callback(lambda: (server.shutdown(), thread.join(), server.server_close()))
        return int(server.server_address[1])

    def serve_tls(self, authority: trustme.CA, *names: str, **options: Any) -> None:
        """Serve over TLS with a certificate of an authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names, **options).configure_cert(context)
        self.serve(tls=context)

    def trust(self, authority: trustme.CA) -> trustme.CA:
        authority.cert_pem.write_to_path(self.folder / "authority.pem")
        self.set(SSL_CERT_FILE=str(self.folder / "authority.pem"))
        return authority

    def make_journal(self) -> Path:
        """Make a journal without campaigns, and use it."""
        path = self.folder / "sends.db"
        shutil.copyfile(self.sound_journal, path)
        path.chmod(0o600)
        self.set(journal=str(path))
        return path


class Scripted(BaseHTTPRequestHandler):
    """Gives the same reply to every request."""

    reply: Reply
    timeout = 5

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"] or 0))
        body = self.reply.body.encode() if isinstance(self.reply.body, str) else json.dumps(self.reply.body).encode()
        self.send_response(self.reply.status)
        for name, value in {"Content-Length": str(len(body)), **self.reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_CONNECT = do_POST  # noqa: N815 - the base class looks it up

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(dt.datetime.now(dt.UTC) + self.reply.clock, usegmt=True)

    def log_message(self, *_: object) -> None:
        pass


def closed_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])


def error(status: int, message: str) -> Reply:
    return Reply(status, {"resource": "getSummary", "status": "error", "message": message})


class Breakage(NamedTuple):
    """One fault: how to seed it, and what doctor says."""

    seed: Callable[[Machine], Sequence[str] | None]
    check: str
    finding: str
    fix: str
    verdict: str


BREAKAGES: dict[str, Breakage] = {}


NEEDS_A_LIBRARY: set[str] = set()
"""Breakages whose checks import httpx, psycopg or coredis, which costs more than all others together."""


def breakage(
    check: str, finding: str, fix: str, verdict: str = "wrong", *, library: bool = False
) -> Callable[[Any], Any]:
    """Add a breakage, named after the function that seeds it."""

    def add(seed: Callable[[Machine], Sequence[str] | None]) -> object:
        name = seed.__name__.replace("_", " ")
        BREAKAGES[name] = Breakage(seed, check, finding, fix, verdict)
        NEEDS_A_LIBRARY.update({name} if library else ())
        return seed

    return add


@breakage("settings", "there are no keys", "run callsavvy login")
def no_keys(machine: Machine) -> None:
    machine.patch.delenv("CALLSAVVY_PUBLIC_KEY")
    machine.patch.delenv("CALLSAVVY_PRIVATE_KEY")


@breakage("settings", "CALLSAVVY_PRIVATE_KEY is not set", "export the account's keys")
def half_of_the_keys(machine: Machine) -> None:
    machine.patch.delenv("CALLSAVVY_PRIVATE_KEY")


@breakage("settings", 'there is no profile "shpo"', "there are default; callsavvy login --profile shpo")
def a_slip_in_the_profile(machine: Machine) -> Sequence[str]:
    machine.save_profile()
    return ("--profile", "shpo")


@breakage("settings", "has the permissions 644", "run chmod 600")
def a_profile_for_everybody(machine: Machine) -> None:
    machine.save_profile().chmod(0o644)


@breakage("settings", "default.json is damaged", "run callsavvy login --profile default")
def a_damaged_profile(machine: Machine) -> None:
    machine.save_profile().write_text(f'{{"private_key": "{PRIVATE_KEY}"')


@breakage("settings", "CALLSAVVY_PROFILE and CALLSAVVY_PUBLIC_KEY are both set", "unset one of them")
def two_accounts(machine: Machine) -> None:
    machine.set(profile="shop")


@breakage("settings", 'but profile "default" is for https://api', "unset the variable")
def the_server_of_another_account(machine: Machine) -> None:
    machine.save_profile(base_url="https://api.getcallsavvy.com/v1")


@breakage("settings", "base_url is plain http to api.example", "it must look like https://")
def keys_in_the_clear(machine: Machine) -> None:
    machine.set(base_url="http://api.example/v1")


@breakage("settings", "private_key is a text that breaks the rule", "copy it from the dashboard")
def a_key_with_a_blank(machine: Machine) -> None:
    machine.set(private_key=f"{PRIVATE_KEY} {PRIVATE_KEY}")


@breakage("proxy", "proxy is a text that breaks the rule", "the URL of a proxy")
def a_malformed_proxy(_: Machine) -> Sequence[str]:
    return ("--proxy", "me:hunter2-secret@proxy:3128")


@breakage("proxy", "http_proxy is invalid", "the URL of a proxy")
def a_malformed_proxy_variable(machine: Machine) -> Sequence[str]:
    machine.patch.setenv("http_proxy", "ftp://proxy.example")
    return ("--proxy", "env")


@breakage("proxy", "does not accept connections", "start the proxy")
def a_proxy_that_is_down(machine: Machine) -> None:
    machine.set(proxy=f"http://me:hunter2-secret@{HOST}:{closed_port()}")


@breakage("api", "407", "check the server and --proxy", library=True)
def a_proxy_that_wants_a_password(machine: Machine) -> None:
    port = machine.serve(Reply(407, "no"))
    machine.set(proxy=f"http://{HOST}:{port}", base_url="https://api.example/v1")


@breakage("dns", "nowhere.localhost has no address", "correct the host in CALLSAVVY_BASE_URL")
def a_host_without_an_address(machine: Machine) -> None:
    look_up = socket.getaddrinfo

    def fail(host: str, *arguments: Any, **options: Any) -> Any:  # a real look-up would leave this machine
        if host == "nowhere.localhost":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *arguments, **options)

    machine.patch.setattr(socket, "getaddrinfo", fail)
    machine.set(base_url="https://nowhere.localhost/v1")


@breakage("dns", "not a host name", "correct the host")
def a_host_that_is_no_name(machine: Machine) -> None:
    machine.set(base_url=f"https://{'a' * 64}.example/v1")


@breakage("tcp", "does not accept connections", "correct the host and port")
def a_server_that_is_down(machine: Machine) -> None:
    machine.set(base_url=f"http://{HOST}:{closed_port()}/v1")


@breakage("tcp", "does not accept connections", "http_proxy is set but not read: pass --proxy env")
def a_proxy_that_is_not_used(machine: Machine) -> None:
    machine.set(base_url=f"http://{HOST}:{closed_port()}/v1")
    machine.patch.setenv("http_proxy", "http://proxy.example:3128")


@breakage("tls", "the certificate has expired", "renew the certificate")
def an_expired_certificate(machine: Machine) -> None:
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    before = yesterday - dt.timedelta(days=1)
    machine.serve_tls(machine.trust(AUTHORITY), HOST, not_before=before, not_after=yesterday)


@breakage("tls", "is not valid yet", "set this machine's date")
def a_certificate_of_tomorrow(machine: Machine) -> None:
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    later = tomorrow + dt.timedelta(days=1)
    machine.serve_tls(machine.trust(AUTHORITY), HOST, not_before=tomorrow, not_after=later)


@breakage("tls", "an authority that this machine does not trust", "set SSL_CERT_FILE")
def an_unknown_authority(machine: Machine) -> None:
    machine.serve_tls(AUTHORITY, HOST)
    machine.trust(trustme.CA())


@breakage("tls", "the certificate is for another host name", "correct the host")
def a_certificate_of_another_host(machine: Machine) -> None:
    machine.serve_tls(machine.trust(AUTHORITY), "elsewhere.example")


@breakage("tls", "does not complete the handshake", "write http:// in CALLSAVVY_BASE_URL")
def https_to_a_simulator(machine: Machine) -> None:
    machine.trust(AUTHORITY)
    machine.set(base_url=f"https://{HOST}:{machine.serve()}/v1")


@breakage("tls", "SSL_CERT_FILE is", "it must be a PEM file")
def authorities_that_cannot_be_read(machine: Machine) -> None:
    machine.set(SSL_CERT_FILE=str(machine.folder / "nowhere.pem"), base_url=machine.url.replace("http:", "https:"))


@breakage("api", "404", "it must end in /v1")
def a_server_without_v1(machine: Machine) -> None:
    machine.set(base_url=machine.url.removesuffix("/v1"))


@breakage("api", "502", "a gateway, a proxy or another server")
def a_gateway_without_the_api(machine: Machine) -> None:
    machine.sim.faults.rule(Fault.with_status(502, body="html"))


@breakage("api", "403, without a message of the API", "a firewall or gateway")
def a_firewall_that_forbids(machine: Machine) -> None:
    machine.sim.faults.rule(Fault.with_status(403, body="html"))


@breakage("api", "307", "correct the server")
def a_server_that_redirects(machine: Machine) -> None:
    machine.serve(Reply(307, "moved", {"Location": "https://elsewhere.example/v1"}))


@breakage("api", "rate limit is used up", "wait until its other programs send less", "warning")
def a_limit_that_others_use_up(machine: Machine) -> None:
    machine.patch.setattr(account_checks, "PATIENCE", 0.1)
    machine.sim.limit = TokenBucket(0.001, 1)
    machine.sim.limit.admit(time.monotonic())


@breakage("clock", "this machine is 2 hours behind the server", "synchronise the clock")
def a_clock_behind(machine: Machine) -> None:
    machine.serve(Reply(clock=dt.timedelta(hours=2)))


@breakage("clock", "this machine is 5 minutes ahead of the server", "synchronise the clock")
def a_clock_ahead(machine: Machine) -> None:
    machine.serve(Reply(clock=dt.timedelta(minutes=-5)))


@breakage("keys", "the API rejects the keys", "copy both keys again")
def wrong_keys(machine: Machine) -> None:
    machine.set(private_key="TEST-another")


@breakage("keys", "perhaps the two are swapped", "exchange them, or copy both keys again")
def swapped_keys(machine: Machine) -> None:
    machine.set(public_key=PRIVATE_KEY, private_key=PUBLIC_KEY)


@breakage("white list", "the API rejects this machine (403)", "Whitelisted Domains")
def a_host_off_the_white_list(machine: Machine) -> None:
    machine.serve(error(403, "Access denied"))


@breakage("white list", "the API rejects this machine (401)", "Whitelisted Domains")
def an_address_off_the_white_list(machine: Machine) -> None:
    machine.serve(error(401, "IP address not whitelisted"))


@breakage("balance", "the account has no units", "top up the account")
def no_balance(machine: Machine) -> None:
    machine.serve(Reply(body={"status": "success", "data": dict.fromkeys(BALANCES, "0")}))


@breakage("balance", "12 SMS units", "top up the account before you send", "warning")
def a_low_balance(machine: Machine) -> None:
    machine.serve(Reply(body={"status": "success", "data": {**BALANCES, "sms_balance": "12"}}))


@breakage("balance", "not a number: SMS units", "look it up in the dashboard", "warning")
def a_balance_that_is_no_number(machine: Machine) -> None:
    machine.serve(Reply(body={"status": "success", "data": {**BALANCES, "sms_balance": "Unlimited"}}))


@breakage("disk", "cannot be written", "choose another folder with --journal or XDG_STATE_HOME")
def a_state_folder_that_is_a_file(machine: Machine) -> None:
    (machine.folder / "file").write_text("")
    machine.set(XDG_STATE_HOME=str(machine.folder / "file"))


@breakage("disk", "only 1 MB free", "make room")
def a_full_disk(machine: Machine) -> None:
    usage = type(shutil.disk_usage("/"))(10**9, 10**9 - 10**6, 10**6)  # filling a disk would take root
    machine.patch.setattr(shutil, "disk_usage", lambda _: usage)


@breakage("journal", "damaged", "restore a copy that campaigns backup made")
def a_damaged_journal(machine: Machine) -> None:
    with machine.make_journal().open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 8192)


@breakage("journal", "is no journal", "name another file")
def a_journal_that_is_a_list(machine: Machine) -> None:
    machine.make_journal().write_text("name,phone\n")


@breakage("journal", "database of another application", "name another file")
def a_journal_of_another_application(machine: Machine) -> None:
    path = machine.make_journal()
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE shop (id)")


@breakage("journal", "was written by another version", "open it with that version")
def a_journal_of_another_version(machine: Machine) -> None:
    with contextlib.closing(sqlite3.connect(machine.make_journal())) as connection:
        connection.execute("UPDATE journal SET value = '0' WHERE name = 'version'")
        connection.commit()


@breakage("journal", "cannot be read (File name too long)", "name another --journal")
def a_journal_that_cannot_be_read(machine: Machine) -> None:
    machine.set(journal=str(machine.folder / ("x" * 300)))


@breakage("journal", "has the permissions 644", "run chmod 600")
def a_journal_for_everybody(machine: Machine) -> None:
    machine.make_journal().chmod(0o644)


@breakage("journal", "another process sends from", "callsavvy campaigns list", "warning")
def a_journal_in_use(machine: Machine) -> None:
    lock = machine.make_journal().with_name("sends.db.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    machine.open.callback(os.close, descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_EX)


@breakage("journal", "cannot be used now", "start the database", library=True)
def a_database_that_is_down(machine: Machine) -> None:
    machine.set(journal=f"postgresql://me:hunter2-secret@{HOST}:{closed_port()}/shop")


@breakage("journal", "password authentication failed", "correct the user and password", library=True)
def a_wrong_password_of_the_database(machine: Machine) -> None:
    port = machine.run(socketserver.ThreadingTCPServer((HOST, 0), RejectingPostgres))
    machine.set(journal=f"postgresql://me:hunter2-secret@{HOST}:{port}/shop")


@breakage("journal", 'database "shop" does not exist', "create the database", library=True)
def a_database_that_does_not_exist(machine: Machine) -> None:
    port = machine.run(socketserver.ThreadingTCPServer((HOST, 0), WithoutDatabase))
    machine.set(journal=f"postgresql://me:hunter2-secret@{HOST}:{port}/shop")


@breakage("journal", "the journal's URL begins with 'mysql'", "write sqlite:///file.db")
def a_journal_of_an_unknown_kind(machine: Machine) -> None:
    machine.set(journal="mysql://me:hunter2-secret@db/shop")


@breakage("limit server", "All connection attempts failed", "start the server", library=True)
def a_limit_server_that_is_down(machine: Machine) -> None:
    machine.set(pacing=f"redis://:hunter2-secret@{HOST}:{closed_port()}/0")


@breakage("limit server", "invalid username-password pair", "correct the user and password", library=True)
def a_wrong_password_of_the_limit_server(machine: Machine) -> None:
    port = machine.run(socketserver.ThreadingTCPServer((HOST, 0), RejectingRedis))
    machine.set(pacing=f"redis://:hunter2-secret@{HOST}:{port}/0")


@breakage("limit server", "must look like redis://", "this one does not")
def a_malformed_limit_server(machine: Machine) -> None:
    machine.set(pacing="me:hunter2-secret@redis")


class RejectingPostgres(socketserver.StreamRequestHandler):
    """Rejects the user (PostgreSQL: "Message Formats", ErrorResponse)."""

    fields: Sequence[str] = ("SFATAL", "C28P01", 'Mpassword authentication failed for user "me"')

    def handle(self) -> None:
        while (head := self.rfile.read(8)) and int.from_bytes(head[4:]) != 196_608:  # until the startup message, 3.0
            self.wfile.write(b"N")  # no TLS, no GSSAPI
        self.rfile.read(int.from_bytes(head[:4]) - 8)
        body = b"".join(f"{field}\0".encode() for field in self.fields) + b"\0"
        self.wfile.write(b"E" + (len(body) + 4).to_bytes(4) + body)


class WithoutDatabase(RejectingPostgres):
    fields = ("SFATAL", "C3D000", 'Mdatabase "shop" does not exist')


class RejectingRedis(socketserver.StreamRequestHandler):
    """Rejects every command as a Redis does after a wrong password."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            if line.startswith(b"*"):
                self.wfile.write(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")


AUTHORITY = trustme.CA()


@pytest.fixture(scope="module")
def sound_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a journal without campaigns."""
    path = tmp_path_factory.mktemp("journal") / "sends.db"

    async def create() -> None:
        async with Journal.open(f"sqlite:///{path}"):
            pass

    anyio.run(create)
    return path


@pytest.fixture
def machine(
    account: Simulator,
    server: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    sound_journal: Path,
) -> Iterator[Machine]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with contextlib.ExitStack() as stack:
        yield Machine(monkeypatch, tmp_path, account, server.url, sound_journal, stack)


def verdicts(ended: Result) -> dict[str, str]:
    return {row["check"]: row["verdict"] for row in ended.json}


@pytest.mark.sockets
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.long] if name in NEEDS_A_LIBRARY else []) for name in BREAKAGES],
)
def test_a_breakage_is_named_with_its_fix(name: str, run: Run, machine: Machine) -> None:
    """Exactly the check of the fault complains, and says what to do; no key and no password is shown; nothing is sent."""
    seeded = BREAKAGES[name]
    ended = run("doctor", *(seeded.seed(machine) or ()), "-o", "json")
    complaints = [row for row in ended.json if row["verdict"] in {"wrong", "warning"}]
    assert [(row["check"], row["verdict"]) for row in complaints] == [(seeded.check, seeded.verdict)], ended.out
    assert seeded.finding in complaints[0]["finding"]
    assert seeded.fix in complaints[0]["fix"]
    assert ended.code == (seeded.verdict == "wrong")
    assert not [secret for secret in SECRETS if secret in ended.out + ended.err]
    assert not machine.sim.ledger.totals.requests
    assert len(machine.sim.requests) <= 1, (
        "no request tries other keys: it would send the private one as the public one"
    )


@pytest.mark.sockets
def test_nothing_is_wrong_with_a_sound_machine(run: Run, machine: Machine) -> None:
    """Over TLS, with a journal: every check is good, but that of the limit server, which is not used."""
    machine.serve_tls(machine.trust(AUTHORITY), HOST)
    machine.make_journal()
    ended = run("doctor", "-o", "json")
    assert ended.code == 0
    assert {check for check, verdict in verdicts(ended).items() if verdict != "ok"} == {"limit server"}


@pytest.mark.long
@pytest.mark.sockets
def test_servers_that_run(run: Run, machine: Machine, postgres: PostgresServer, redis: RedisServer) -> None:
    """A database without a journal is no fault; neither is one with a journal, nor a limit server that accepts the user."""
    url = postgres.new_database()
    machine.set(journal=url, pacing=redis.url)
    found = {row["check"]: row for row in run("doctor", "-o", "json").json}
    assert (found["journal"]["verdict"], found["limit server"]["verdict"]) == ("ok", "ok")
    assert "the first campaign creates its tables" in found["journal"]["finding"]

    async def create() -> None:
        async with Journal.open(url):
            pass

    anyio.run(create)
    machine.set(pacing=url)
    assert run("doctor").code == 0
    found = {row["check"]: row for row in run("doctor", "-o", "json").json}
    assert "is sound" in found["journal"]["finding"]


@pytest.mark.sockets
def test_doctor_leaves_no_trace(run: Run, machine: Machine) -> None:
    """It creates neither the journal nor a folder, and asks the API for the summary only."""
    before = sorted(machine.folder.rglob("*"))
    assert run("doctor").code == 0
    assert sorted(machine.folder.rglob("*")) == before
    assert {request.resource for request in machine.sim.requests} == {"getSummary"}


@pytest.mark.sockets
@pytest.mark.parametrize("columns", [40, 80])
def test_the_text_fits(columns: int, run: Run, machine: Machine) -> None:
    """On a narrow terminal too, each check has its verdict and each fault its fix; only what cannot be broken is longer."""
    machine.set(COLUMNS=str(columns), private_key="TEST-another")
    text = run("doctor").out
    lines = text.splitlines()
    assert next(line for line in lines if line.startswith("wrong")).split()[:2] == ["wrong", "keys"]
    assert "Fix: copy both keys again" in " ".join(text.split())
    assert lines[-1] == "1 wrong, 0 warnings."
    assert all(len(line) <= columns or len(line.split()) == 1 for line in lines)
    assert run("doctor", "--columns", "check,verdict").out.splitlines()[0].split() == ["check", "verdict"]


def test_at_least_25_breakages_over_every_check(run: Run) -> None:
    """Each check has a fault of its own that a test seeds."""
    assert len(BREAKAGES) >= 25
    assert {row["check"] for row in run("doctor", "--journal", "x", "-o", "json", "--proxy", "x").json} == {
        seeded.check for seeded in BREAKAGES.values()
    }
