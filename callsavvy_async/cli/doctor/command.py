"""The command: every check once, and the findings as text or rows."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import Annotated

import anyio
import attrs
from cyclopts import Parameter

from callsavvy_async.cli.activity import show
from callsavvy_async.cli.doctor.account import examine_account
from callsavvy_async.cli.doctor.finding import CheckVerdict, Finding
from callsavvy_async.cli.doctor.limit_server import examine_limit_server
from callsavvy_async.cli.doctor.network import examine_network
from callsavvy_async.cli.doctor.settings import examine_proxy, examine_settings
from callsavvy_async.cli.doctor.storage import examine_disk, examine_journal
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.journals import DEFAULT_JOURNAL
from callsavvy_async.cli.options import JournalName
from callsavvy_async.cli.output import Result
from callsavvy_async.wording import quantity

_NARROW, _WIDE = 60, 110


def doctor(
    *,
    journal: JournalName = DEFAULT_JOURNAL,
    pacing: Annotated[str | None, Parameter(env_var="CALLSAVVY_PACING", show_default=False)] = None,
) -> ExitCode:
    """Find what is wrong with settings, network, account, disk, journal and limit server, each fault with its fix.

    Makes one or two free requests, and sends no message. Exit codes: 0 nothing is wrong (warnings included), 1 something is.

    Args:
        journal: Journal file or URL.
        pacing: Redis or PostgreSQL through which processes share a rate limit.
    """
    findings = anyio.run(examine, journal, pacing)
    rows = [attrs.asdict(finding) | {"verdict": finding.verdict.value} for finding in findings]
    show(Result(rows, _text(findings), tuple(rows[0])))
    return ExitCode.FAILED if _count(findings, CheckVerdict.WRONG) else ExitCode.DONE


async def examine(journal: str, pacing: str | None) -> list[Finding]:
    """Make every check. A fault hides the checks that need what it breaks, and no others."""
    settings, access, server = examine_settings()
    proxy, proxied = await examine_proxy(server)
    is_down = proxy.verdict is CheckVerdict.WRONG
    network = await examine_network(server, "see proxy" if is_down else "the proxy connects" if proxied else None)
    broken = next((finding for finding in (proxy, *network) if finding.verdict is CheckVerdict.WRONG), None)
    account = await examine_account(access, None if broken is None else f"see {broken.check}")
    return [
        settings,
        proxy,
        *network,
        *account,
        examine_disk(journal),
        await examine_journal(journal),
        await examine_limit_server(pacing),
    ]


def _count(findings: Sequence[Finding], verdict: CheckVerdict) -> int:
    return sum(finding.verdict is verdict for finding in findings)


def _text(findings: Sequence[Finding]) -> str:
    """Return the findings for people. On a narrow terminal, texts stand below the name of their check."""
    width = min(shutil.get_terminal_size().columns, _WIDE)
    lines = [line for finding in findings for line in _lines(finding, width)]
    warnings = quantity(_count(findings, CheckVerdict.WARNING), "warning")
    return "\n".join([*lines, "", f"{_count(findings, CheckVerdict.WRONG)} wrong, {warnings}."])


def _lines(finding: Finding, width: int) -> Iterator[str]:
    head = f"{finding.verdict:<11}  {finding.check:<12}"
    indent = "    " if width < _NARROW else " " * (len(head) + 2)
    if width < _NARROW:
        yield head.rstrip()
        head = ""
    texts = (finding.finding, f"Fix: {finding.fix}" if finding.fix else "")
    for text in filter(None, texts):
        yield from textwrap.wrap(
            _printable(text),
            width,
            initial_indent=head.ljust(len(indent)),
            subsequent_indent=indent,
            break_on_hyphens=False,
            break_long_words=False,  # a path can be copied
        )
        head = ""


def _printable(text: str) -> str:
    """Blank control characters: strangers wrote some of these texts, and a terminal obeys them."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
