"""The guards of SECURITY.md's threat model, each with what turns it off and the test that notices.

python -m tests.security.guards                turn off each guard, one after the other, in a copy; its test must fail
python -m tests.security.guards --table        print the table of SECURITY.md
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
_TESTS_FAILED = 1
"""Exit code of pytest when tests were run, and some failed."""


@attrs.frozen
class Guard:
    """One row of the threat model.

    Attributes:
        threat: what an attacker, or an accident, would do.
        answer: what the SDK does about it.
        file: the module of the guard, below ``callsavvy_async``.
        on: its source, which occurs once in the module.
        off: the source without the guard.
        test: the id of the test that fails without it.
    """

    threat: str
    answer: str
    file: str
    on: str
    off: str
    test: str


GUARDS = (
    Guard(
        "Someone on the line reads the keys",
        "Plain http is refused, except to loopback",
        "config.py",
        'url.scheme == "http" and not self.allow_insecure',
        "False and not self.allow_insecure",
        "tests/test_config.py::test_plain_http",
    ),
    Guard(
        "Another user of the machine reads a stored private key",
        "A profile is written for its owner only, and refused if others can read it",
        "cli/profiles.py",
        "mode & _FOR_OTHERS and",
        "False and",
        "tests/cli/test_login.py::test_a_file_for_others_is_refused",
    ),
    Guard(
        "The keys of one account go to the server of another one",
        "A command takes keys and server from one place, and refuses a contradiction",
        "cli/access.py",
        "server != profile.base_url",
        "False",
        "tests/cli/test_login.py::test_keys_never_go_to_the_server_of_another_place",
    ),
    Guard(
        "A redirect leads the keys to another host",
        "Redirects are not followed, not even by a client of yours that would",
        "transport/backends/httpx_borrowed.py",
        "stream=True, follow_redirects=False",
        "stream=True, follow_redirects=True",
        "tests/transport/backends/test_httpx.py::test_a_users_client_follows_no_redirect",
    ),
    Guard(
        "A proxy that the environment names reads along",
        'Proxy variables count only with `proxy="env"`',
        "transport/backends/choose.py",
        "proxy_for(base_url) if proxy == FROM_ENVIRONMENT else proxy",
        "proxy_for(base_url)",
        "tests/transport/backends/test_environment.py::test_the_error_of_a_call",
    ),
    Guard(
        "The keys are printed with the settings",
        "The repr of credentials is masked",
        "config.py",
        "private_key: str = attrs.field(validator=_by_rule, repr=lambda _: MASK)",
        "private_key: str = attrs.field(validator=_by_rule)",
        "tests/test_config.py::test_keys_are_masked",
    ),
    Guard(
        "An error tracker records keys, numbers and texts from local variables",
        "The SDK's frames are cleared before an error leaves it",
        "tracebacks.py",
        "trace.tb_frame.clear()",
        "pass",
        "tests/test_tracebacks.py::test_a_traceback_holds_no_argument",
    ),
    Guard(
        "Words of the API bring a number into a log",
        "Numbers and addresses in foreign texts are masked",
        "redaction.py",
        "return _LONG_NUMBER.sub(lambda found: masked(found, mask_number(found.group())), text)",
        "return text",
        "tests/transport/test_transport.py::test_what_others_say_is_masked_and_our_figures_are_not",
    ),
    Guard(
        "A compressed response fills the memory",
        "Responses are decompressed in bounded steps",
        "wire/inflate.py",
        "decompress(chunk, room)",
        "decompress(chunk)",
        "tests/wire/test_inflate.py::test_the_memory_of_a_bomb",
    ),
    Guard(
        "Bytes behind a response pass for the response to the next request",
        "Such a connection is not used again",
        "transport/backends/httpx_reuse.py",
        "lambda data: bool(data[0])",
        "lambda data: False",
        "tests/hostile/test_hostile.py::test_one_of_each_kind",
    ),
    Guard(
        "A test that mocks the HTTP library sends real messages",
        "Patches of httpx, httpx2 and aiohttp are noticed at each request",
        "transport/backends/mocks.py",
        "return min(found, key=lambda patch: patch.traces) if found else None",
        "return None",
        "tests/transport/backends/test_mocks.py::test_respx",
    ),
    Guard(
        "A stranger posts webhooks",
        "A secret path segment admits them; anything else is a 404",
        "webhooks/secrets.py",
        "return any(matches) or not matches",
        "return True",
        "tests/test_quirks.py::test_q51_without_a_signature_a_secret_path_is_what_lets_in",
    ),
    Guard(
        "The time of a comparison tells the secret",
        "Every secret is compared, each in constant time",
        "webhooks/secrets.py",
        "matches = [hmac.compare_digest(guess, digest) for digest in self._digests]",
        "matches = [guess == digest for digest in self._digests]",
        "tests/webhooks/test_secrets.py::test_all_secrets_are_compared_in_constant_time",
    ),
    Guard(
        "A stranger forges the address in a forwarded header",
        "The header counts only from proxies that you name, read from the right",
        "webhooks/allow_list.py",
        "if address is None or not _within(address, self.proxies):",
        "if address is None:",
        "tests/webhooks/test_allow_list.py::test_forwarded_header",
    ),
    Guard(
        "A webhook of megabytes occupies the service",
        "Bodies are capped at 256 KiB",
        "webhooks/parsing.py",
        "if len(body) > MAX_BODY_BYTES:",
        "if False:",
        "tests/webhooks/test_parse.py::test_caps",
    ),
    Guard(
        "An access log shows the secret path",
        "`log_filter()` masks it",
        "webhooks/logs.py",
        "return self._secrets.mask(value) if isinstance(value, str) else value",
        "return value",
        "tests/webhooks/test_secrets.py::test_access_logs_are_masked",
    ),
    Guard(
        "A cell of a report runs as a formula",
        "Cells that begin like a formula are escaped, behind every usual delimiter",
        "bulk/csv_escape.py",
        'return cell if cell[1:].isdecimal() else _FORMULA.sub(r"\\1\\2\'", cell)',
        "return cell",
        "tests/bulk/test_report.py::test_csv_has_one_row_per_recipient_and_runs_nothing",
    ),
    Guard(
        "Other users of the machine read reports",
        "Reports are readable by their owner only, also where a file was there before",
        "bulk/report_files.py",
        "os.chmod(path, 0o600)",
        "os.chmod(path, 0o644)",
        "tests/bulk/test_report.py::test_an_old_file_becomes_private_too",
    ),
    Guard(
        "Other users of the machine read the journal",
        "Its files are readable by their owner only",
        "campaigns/journal/lock.py",
        "path.chmod(0o600)",
        "path.chmod(0o644)",
        "tests/campaigns/test_sqlite.py::test_its_files_are_its_owners_alone",
    ),
    Guard(
        "A cassette in a repository shows customers' data",
        "`cassette_settings()` records only what the models declare without a mask",
        "testing/cassettes.py",
        'value if value in {None, ""} or name in _public_names() else MASK',
        "value",
        "tests/testing/test_cassettes.py::test_a_list",
    ),
    Guard(
        "A page shows the private key to every visitor",
        "Widgets refuse it",
        "embed_values.py",
        "if public_key in private_keys:",
        "if False:",
        "tests/embeds/test_embeds.py::test_private_key",
    ),
    Guard(
        "A text of a stranger commands the terminal",
        "Control characters are blanked",
        "cli/output.py",
        'return "".join(char if char.isprintable() else " " for char in text)',
        "return text",
        "tests/cli/test_output.py",
    ),
    Guard(
        "A notification carries a number or a text to a chat or a log",
        "It holds the campaign's name, counts, and the class of an error",
        "cli/notify.py",
        '"error": None if error is None else type(error).__name__',
        '"error": None if error is None else str(error)',
        "tests/cli/test_notify.py::test_a_notification_holds_no_number_and_no_text",
    ),
    Guard(
        "An error shows the URL of a notification, which lets its reader post there",
        "Messages name its host only; redirects are not followed",
        "cli/notify.py",
        'return cls(url.hostname or "", partial(_post, url))',
        "return cls(target, partial(_post, url))",
        "tests/cli/test_notify.py::test_the_end_of_a_send_is_reported_with_counts",
    ),
)


def table(guards: tuple[Guard, ...] = GUARDS) -> str:
    """Return the table in Markdown."""
    rows = [f"| {one.threat} | {one.answer} | `{one.test.removeprefix('tests/')}` |" for one in guards]
    return "\n".join(("| threat | guard | test |", "|---|---|---|", *rows, ""))


@contextlib.contextmanager
def copied_tree() -> Iterator[Path]:
    """Copy what the tests need; one copy serves all guards, since what one compiles the next one reads."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("callsavvy_async", "testbed", "tests", "pyproject.toml"):
            (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, Path(folder) / part)
        yield Path(folder)


def is_noticed(guard: Guard, tree: Path) -> bool:
    """Turn a guard off in a copy of the tree; return True if its test fails without it."""
    module = tree / "callsavvy_async" / guard.file
    source = module.read_text(encoding="utf-8")
    write_module(module, source.replace(guard.on, guard.off))
    try:
        return _pytest(tree, guard.test) == _TESTS_FAILED
    finally:
        write_module(module, source)


def write_module(module: Path, source: str) -> None:
    """Write a module and forget what was compiled of it: its size and its second may be those of the last source."""
    module.write_text(source, encoding="utf-8")
    Path(importlib.util.cache_from_source(module)).unlink(missing_ok=True)


def _pytest(tree: Path, *tests: str) -> int:
    command = (sys.executable, "-m", "pytest", "-q", "-x", "--numprocesses=0", "-p", "no:cacheprovider", *tests)
    paths = {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(command, cwd=tree, env=os.environ | paths, check=False, capture_output=True).returncode


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="print the table of SECURITY.md")
    if parser.parse_args().table:
        print(table(), end="")
        return 0
    unnoticed = 0
    with copied_tree() as tree:
        if _pytest(tree, *dict.fromkeys(guard.test for guard in GUARDS)):
            sys.exit("the tests fail while all guards are on; run them first")
        for guard in GUARDS:
            noticed = is_noticed(guard, tree)
            unnoticed += not noticed
            print("red" if noticed else "UNNOTICED", guard.file, guard.test, sep="  ", flush=True)
    print(f"{len(GUARDS)} guards, {unnoticed} unnoticed")
    return int(bool(unnoticed))


if __name__ == "__main__":
    sys.exit(main())
