"""Profiles: keys are checked, stored privately, found in a fixed order, and never shown."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import pty
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsavvy_async.cli import profiles as stored
from callsavvy_async.cli.access import chosen_profile, find_access
from callsavvy_async.config import BASE_URL, Credentials
from callsavvy_async.errors import ConfigurationError
from callsavvy_async.simulator import Simulator, SimulatorServer

from .harness import Run

PUBLIC, PRIVATE = "pk-0123456789-abcd", "sk-9876543210-wxyz"
KEYS = Credentials(PUBLIC, PRIVATE)


@pytest.fixture
def sim() -> Simulator:
    """Make a simulator with keys as long as real ones."""
    return Simulator(public_key=PUBLIC, private_key=PRIVATE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "config" / "callsavvy-async" / "profiles"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{PRIVATE}\n")
    return path


@pytest.fixture
def at_simulator(server: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let `login` store the keys of the simulator."""
    monkeypatch.setenv("CALLSAVVY_BASE_URL", server.url)
    return server.url


@pytest.fixture
def store() -> Iterator[stored.ProfileStore]:
    token = chosen_profile.set(None)
    yield stored.ProfileStore()
    chosen_profile.reset(token)


class Safe:
    """A backend of the package keyring."""

    priority = 5.0

    def __init__(self) -> None:
        self.secrets: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise RuntimeError(PRIVATE)
        return self.secrets.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise RuntimeError(PRIVATE)
        self.secrets[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.locked:
            raise RuntimeError(PRIVATE)
        del self.secrets[service, username]


@pytest.fixture
def safe(monkeypatch: pytest.MonkeyPatch) -> Safe:
    """Install a keyring."""
    made, module = Safe(), types.ModuleType("keyring")
    monkeypatch.setattr(module, "get_keyring", lambda: made, raising=False)
    monkeypatch.setitem(sys.modules, "keyring", module)
    return made


# ---------------------------------------------------------------------------------------------------------------- login


def test_login_stores_what_the_other_commands_use(
    run: Run, at_simulator: str, sim: Simulator, key_file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys are checked by one read, stored for their owner only, and shown masked; `logout` removes them."""
    ended = run("login", "--public-key", PUBLIC, "--private-key-file", key_file, "-o", "json")
    assert ended.json == {"name": "default", "key": "***abcd", "server": at_simulator, "private_key": "file"}
    assert sim.ledger.posts("getSummary") == 1
    assert (folder.stat().st_mode & 0o777, (folder / "default.json").stat().st_mode & 0o777) == (0o700, 0o600)
    assert [*folder.iterdir()] == [folder / "default.json"]
    monkeypatch.delenv("CALLSAVVY_BASE_URL")
    assert run("balance").code == 0
    assert run("profiles", "-o", "json").json == [ended.json]
    assert run("logout").code == 0
    assert not [*folder.iterdir()]
    missing = run("balance")
    assert missing.code == 5
    assert "there are no keys; run callsavvy login, or set CALLSAVVY_PUBLIC_KEY" in missing.err


def test_keys_that_the_api_rejects_are_not_stored(run: Run, at_simulator: str, key_file: Path, folder: Path) -> None:
    """Nothing is stored before the API has accepted the keys, and a profile of that name stays as it is."""
    ended = run("login", "--public-key", f"{PUBLIC}x", "--private-key-file", key_file)
    assert ended.code == 5
    assert not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "stdin", "hint"),
    [
        ((), "", "there is no terminal to ask for keys"),
        (("--public-key", PUBLIC, "--private-key-file", "-"), "", "private_key is empty"),
        (("--public-key", PUBLIC, "--private-key-file", "-"), PUBLIC, "both keys are the same"),
        (("--public-key", PUBLIC, "--private-key-file", "-"), f"{PRIVATE} {PRIVATE}", "must be ASCII without blanks"),
        (("--public-key", PUBLIC, "--private-key-file", "nowhere"), "", "nowhere: No such file"),
        (("--profile", "../x"), "", 'the profile\'s name is "../x"'),
        (("--profile", ""), "", 'the profile\'s name is ""'),
    ],
)
def test_what_login_refuses(
    arguments: tuple[str, ...], stdin: str, hint: str, run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what is wrong, sends and stores nothing, and shows no key."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    ended = run("login", *arguments)
    assert ended.code in {2, 5}
    assert hint in ended.err
    assert PRIVATE not in ended.err + ended.out
    assert not folder.exists()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_login_asks_on_a_terminal(run: Run, at_simulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for the public key, then for the private one without echo."""
    monkeypatch.setattr(sys, "stdin", Terminal(f"{PUBLIC}\n"))
    monkeypatch.setattr("callsavvy_async.cli.login.can_ask", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda prompt: PRIVATE if prompt.startswith("Private key") else "")
    ended = run("login", "--profile", "shop")
    assert ended.code == 0
    assert "Public key: " in ended.err
    assert "shop" in ended.out


# ------------------------------------------------------------------------------------------------------------ the order


def test_the_option_precedes_the_environment_and_that_the_default(
    store: stored.ProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--profile, else keys or CALLSAVVY_PROFILE of the environment, else the profile "default"."""
    for name in ("default", "shop", "test"):
        store.save(name, Credentials(f"{name}-public", f"{name}-private"), BASE_URL)
    assert find_access().source == 'profile "default"'
    monkeypatch.setenv("CALLSAVVY_PROFILE", "shop")
    assert find_access().credentials == Credentials("shop-public", "shop-private")
    monkeypatch.setenv("CALLSAVVY_PUBLIC_KEY", PUBLIC)
    with pytest.raises(ConfigurationError, match="are both set, and may name two accounts"):
        find_access()
    chosen_profile.set("test")
    assert find_access().source == 'profile "test"'
    chosen_profile.set(None)
    monkeypatch.delenv("CALLSAVVY_PROFILE")
    with pytest.raises(ConfigurationError, match="CALLSAVVY_PRIVATE_KEY is not set"):
        find_access()
    monkeypatch.setenv("CALLSAVVY_PRIVATE_KEY", PRIVATE)
    assert (find_access().credentials, find_access().source) == (KEYS, "the environment")


def test_keys_never_go_to_the_server_of_another_place(
    store: stored.ProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rehearsal's CALLSAVVY_BASE_URL beside the profile of the API is refused: the send would be charged, or go astray."""
    store.save("default", KEYS, BASE_URL)
    monkeypatch.setenv("CALLSAVVY_BASE_URL", f"{BASE_URL}/")
    assert find_access().base_url == BASE_URL
    monkeypatch.setenv("CALLSAVVY_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(ConfigurationError, match='but profile "default" is for https://api'):
        find_access()


@pytest.mark.parametrize("chosen", ["option", "variable"])
def test_a_missing_profile_names_those_there_are(
    chosen: str, store: stored.ProfileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slip in the name never falls back to another account."""
    store.save("shop", KEYS, BASE_URL)
    if chosen == "option":
        chosen_profile.set("shpo")
    else:
        monkeypatch.setenv("CALLSAVVY_PROFILE", "shpo")
    with pytest.raises(ConfigurationError, match='there is no profile "shpo"; there are shop; callsavvy login'):
        find_access()
    chosen_profile.set(None)
    monkeypatch.delenv("CALLSAVVY_PROFILE", raising=False)
    with pytest.raises(ConfigurationError, match=r"give --profile \(there are shop\)"):
        find_access()


# ---------------------------------------------------------------------------------------------------------------- files


def test_a_file_for_others_is_refused(store: stored.ProfileStore, folder: Path) -> None:
    """A private key that other users can read is not used; the error says what to do."""
    store.save("default", KEYS, BASE_URL)
    (folder / "default.json").chmod(0o640)
    with pytest.raises(ConfigurationError, match=r"has the permissions 640.*run chmod 600"):
        store.find("default")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"base_url": 1, "public_key": "a", "private_key": "b"}', '{"public_key": "a"}', "\udcff"],
)
def test_a_damaged_file_is_named(content: str, store: stored.ProfileStore, folder: Path) -> None:
    """Whatever the file holds, the error names it and shows none of it; `logout` removes it."""
    store.save("default", KEYS, BASE_URL)
    (folder / "default.json").write_text(content, "utf-8", "surrogateescape")
    with pytest.raises(ConfigurationError, match="is damaged; run callsavvy login --profile default again"):
        store.find("default")
    store.remove("default")
    assert store.find("default") is None


def test_a_failed_write_leaves_the_profile_as_it_was(
    store: stored.ProfileStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs neither the old keys nor leaves half a file."""
    store.save("default", KEYS, BASE_URL)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.save("default", Credentials("other-public", "other-private"), BASE_URL)
    assert store.find("default") is not None
    assert [path.name for path in folder.iterdir()] == ["default.json"]


# -------------------------------------------------------------------------------------------------------------- keyring


def test_the_keyring_has_the_private_key(safe: Safe, store: stored.ProfileStore, folder: Path) -> None:
    """With a keyring, the file holds no private key; `logout` removes it from both."""
    profile = store.save("shop", KEYS, BASE_URL)
    assert profile.private_key is None
    assert PRIVATE not in (folder / "shop.json").read_text("utf-8")
    assert store.find("shop") == profile
    assert profile.credentials() == KEYS
    assert store.remove("shop")
    assert not safe.secrets


def test_a_keyring_that_fails(safe: Safe, store: stored.ProfileStore, run: Run) -> None:
    """One that takes nothing leaves the key to the file; one that gives nothing is named; neither error shows the key."""
    safe.locked = True
    assert store.save("file", KEYS, BASE_URL).private_key == PRIVATE
    safe.locked = False
    profile = store.save("shop", KEYS, BASE_URL)
    safe.locked = True
    with pytest.raises(ConfigurationError, match=r"cannot be read \(RuntimeError\); unlock the keyring"):
        profile.credentials()
    assert "remove the entry" in run("logout", "--profile", "shop").err
    safe.locked = False
    safe.secrets.clear()
    with pytest.raises(ConfigurationError, match="has no entry for it"):
        profile.credentials()
    safe.priority = 0.0  # as of the backends that keep nothing
    with pytest.raises(ConfigurationError, match="cannot be used here"):
        profile.credentials()
    assert store.save("shop", KEYS, BASE_URL).private_key == PRIVATE


# -------------------------------------------------------------------------------------------------------------- secrets


def test_no_key_is_shown(
    run: Run, at_simulator: str, key_file: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither output, logs, reprs, errors nor the local variables of a traceback hold a key."""
    caplog.set_level(logging.DEBUG)
    shown = [
        run("login", "--public-key", PUBLIC, "--private-key-file", key_file, "-o", form) for form in ("table", "csv")
    ]
    shown += [run("profiles"), run("balance"), run("logout")]
    store = stored.ProfileStore()
    profile = store.save("shop", KEYS, BASE_URL)
    texts = [repr(shown), caplog.text, repr(profile)]
    (folder / "shop.json").write_text(json.dumps({"private_key": PRIVATE}))
    with pytest.raises(ConfigurationError) as caught:
        store.find("shop")
    texts += [str(caught.value), *locals_of(caught.value)]
    assert not [text for text in texts if PRIVATE in text or PUBLIC in text]


def locals_of(error: BaseException | None) -> Iterator[str]:
    """Yield the local variables of our frames in an error and in those that it followed."""
    while error is not None:
        trace = error.__traceback__
        while trace is not None:
            if "callsavvy_async" in trace.tb_frame.f_code.co_filename:
                yield repr(trace.tb_frame.f_locals)
            trace = trace.tb_next
        yield repr(vars(error))
        error = error.__cause__ or error.__context__


@pytest.mark.long
@pytest.mark.sockets
def test_a_terminal_shows_no_private_key(at_simulator: str, folder: Path) -> None:
    """On a real terminal, the private key that a person types is not echoed."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover
        os.execv(sys.executable, [sys.executable, "-m", "callsavvy_async", "login"])  # noqa: S606
    shown = ""
    for question, typed in (("Public key: ", PUBLIC), ("(not shown): ", PRIVATE)):
        while question not in shown:
            shown += os.read(terminal, 1000).decode()
        os.write(terminal, f"{typed}\n".encode())
    with contextlib.suppress(OSError):  # the terminal's other end is closed
        while more := os.read(terminal, 1000):
            shown += more.decode()
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert PUBLIC in shown
    assert PRIVATE not in shown
    assert (folder / "default.json").exists()
