"""Options that several commands share, in the groups that ``--help`` shows."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypeAlias

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from callsavvy_async.bulk.phone_parsing import NumberCheck
from callsavvy_async.campaigns import CampaignOptions
from callsavvy_async.campaigns.spec import MAX_FAILURES
from callsavvy_async.campaigns.windows import RECIPIENT, zone_named
from callsavvy_async.cli.converters import read_decimal, read_percent, read_period
from callsavvy_async.cli.journals import DEFAULT_JOURNAL
from callsavvy_async.cli.notify import Notify
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.policy.fixed import parse_rate
from callsavvy_async.transport.shared.settings import SharedPacing


def _check_rate(_: object, rate: str | None) -> None:
    if rate is not None:
        parse_rate(rate)


def _check_report_name(_: object, path: Path | None) -> None:
    if path is None:
        return
    if path.suffix not in {".csv", ".jsonl", ".parquet"}:
        raise ValueError(f'"{path.name}" must end in .csv, .jsonl or .parquet; the ending selects the format.')
    if not path.parent.is_dir() or path.is_dir():
        raise ValueError(
            f'"{path}" cannot be written: it is a directory, or its directory does not exist; name another file.'
        )
    try:
        _try_to_write(path)
    except OSError as error:
        raise ValueError(f'"{path}" cannot be written: {error.strerror}; name another file.') from None


def _try_to_write(path: Path) -> None:
    """Check that a file is writable, before anything is sent. Changes nothing."""
    if path.is_file():
        with path.open("ab"):
            return
    if not path.exists():  # do not open a pipe: its reader would see an end of file
        with tempfile.TemporaryFile(dir=path.parent):
            return


JournalName: TypeAlias = Annotated[
    str,
    Parameter(
        env_var="CALLSAVVY_JOURNAL",
        show_default=False,
        help=(
            "Journal file or postgresql://user@host/database (extra: postgres; default: campaigns.db in the user's state"
            " folder). Contains phone numbers and texts."
        ),
    ),
]
"""File or URL of a journal."""

CampaignName: TypeAlias = Annotated[str, Parameter(help="Name of the campaign.")]
"""Name of an existing campaign."""

Port: TypeAlias = Annotated[int, Parameter(validator=Number(gte=0, lte=65_535))]
"""TCP port; 0 is any free one."""

_AT_LEAST_ONE = Parameter(validator=Number(gte=1))

RecipientsFile: TypeAlias = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""Path, or "-" for standard input."""

ReportFile: TypeAlias = Annotated[Path, Parameter(validator=_check_report_name)]
"""File for one row per recipient."""

Deadline: TypeAlias = Annotated[float | None, Parameter(validator=Number(gt=0))]
"""Seconds after which no more requests start."""

NotWithin: TypeAlias = Annotated[timedelta | None, Parameter(converter=read_period)]
"""Period such as 7d."""

Rate: TypeAlias = Annotated[str | None, Parameter(validator=_check_rate)]
"""Requests per time, such as 10/s."""

Units: TypeAlias = Annotated[Decimal, Parameter(converter=read_decimal)]
"""Decimal number of units."""

ChunkSize: TypeAlias = Annotated[int | None, _AT_LEAST_ONE]
"""Recipients per request."""


@Parameter(name="*", negative="", group="Recipients")
@attrs.frozen(kw_only=True)
class Audience:
    """Recipients of the message, and how their numbers are read."""

    group: str | None = None
    """Contact group of the account to send to, by name or id, instead of FILE. Needs keys, with --dry-run too."""
    column: tuple[str, ...] = ()
    """Column with the phone number; of several, the first that is not blank (default: detected by name, e.g. phone or mobile)."""
    sheet: str | None = None
    """Sheet of an Excel workbook (default: the only one that is not empty)."""
    encoding: str | None = None
    """Encoding of a text file, e.g. windows-1252 (default: by its byte order mark, else UTF-8)."""
    only: str | None = None
    """Outcomes to pick if the file is the report of an earlier send, e.g. pending,rejected."""
    region: str | None = None
    """Country of national numbers, e.g. NG (extra: phone)."""
    international: bool = False
    """Read numbers without + as international: they begin with a country code."""
    validate: NumberCheck = "shape"
    """How strictly numbers are checked. "possible" and "valid" need the extra phone."""
    limit: Annotated[int | None, Parameter(validator=Number(gte=1))] = None
    """Send to the first N people of the list, and leave the others in the journal for later."""
    suppress: Path | None = None
    """File of numbers that are never sent to."""
    suppress_column: tuple[str, ...] = ()
    """Columns with numbers in the --suppress file; all of them are used."""
    allow_empty: bool = False
    """Accept a list without rows."""


@Parameter(name="*", negative="", group="Rate and cost limits")
@attrs.frozen(kw_only=True)
class Pace:
    """Rate and cost limits."""

    rate: Rate = None
    """Maximum request rate, e.g. 10/s or 600/min (default: measured from the API's responses)."""
    pacing: Annotated[str | None, Parameter(env_var="CALLSAVVY_PACING")] = attrs.field(default=None, repr=False)
    """Share the rate limit with all processes that use the same redis://host or postgresql://user@host/database."""
    burst: Annotated[int, _AT_LEAST_ONE] = 1
    """Maximum requests at once after a pause. Used with --rate."""
    remember: Annotated[str | None, Parameter(env_var="CALLSAVVY_REMEMBER")] = None
    """File that keeps the measured rate limit for the next command, or "no" to keep nothing (default: limits.json in the
    user's state folder). Used without --rate, --pacing and --simulator."""
    max_in_flight: Annotated[int, _AT_LEAST_ONE] = 64
    """Maximum concurrent requests."""
    max_cost: Annotated[Decimal | None, Parameter(converter=read_decimal)] = None
    """Maximum units to spend. Sending stops before it would exceed them."""
    timeout: Annotated[float, Parameter(validator=Number(gt=0))] = 30.0
    """Seconds to wait for the response to a request."""

    def check(self, *, simulator: bool = False) -> None:
        """Check the options that go with --pacing. Not a validator: its error would show the URL and its password.

        Raises:
            InvalidRequestError: An option contradicts --pacing.
            ConfigurationError: The URL is invalid.
        """
        if self.pacing is None:
            return
        SharedPacing(self.pacing)
        if self.rate is not None:
            raise InvalidRequestError(
                f"--rate is {self.rate}, but --pacing (or CALLSAVVY_PACING) measures the limit with other processes;"
                " give one of the two."
            )
        if simulator:
            raise InvalidRequestError(
                "--simulator is an account of this process only, so --pacing (or CALLSAVVY_PACING) cannot share its limit;"
                " give one of the two."
            )


@Parameter(name="*", negative="", group="Mode and output")
@attrs.frozen(kw_only=True)
class Mode:
    """Mode and output."""

    dry_run: bool = False
    """Show the plan and send nothing."""
    yes: bool = False
    """Send without asking."""
    balance: bool = False
    """Compare the cost with the account's balance first; send nothing if the balance is too low (exit code 4)."""
    report: ReportFile | None = None
    """Write one row per recipient to this .csv, .jsonl or .parquet file; with --dry-run only the rows that would be left
    out, and why. Contains phone numbers."""
    notify: Notify = attrs.field(default=None, repr=False)
    simulator: bool = False
    """Send to the embedded simulator instead of the API, and compare the report with its ledger. No keys needed."""


@Parameter(name="*", negative="", group="Campaign and schedule")
@attrs.frozen(kw_only=True)
class Durability:
    """Campaign and schedule."""

    campaign: str | None = None
    """Name of the campaign in the journal (default: after the list and the minute). The same command with the name of an
    interrupted campaign continues it."""
    journal: JournalName = DEFAULT_JOURNAL
    no_journal: Annotated[bool, Parameter(negative="")] = False
    """Keep no record. An interrupted send cannot be continued."""
    load_only: Annotated[bool, Parameter(negative="")] = False
    """Load the recipients into the journal and send nothing; `callsavvy campaigns work` sends."""
    send_window: str | None = None
    """Daily hours in which requests may start, e.g. 09:00-18:00. Needs --time-zone."""
    time_zone: str | None = None
    """Time zone of --send-window, e.g. Africa/Lagos, or "recipient" for each number's own (extra: phone)."""
    reconcilable: bool = False
    """Use request sizes (40 to 84 recipients) that `campaigns reconcile` can tell apart by their cost. SMS only."""
    start_at: datetime | None = None
    """Earliest start, e.g. 2026-11-30T09:00+01:00. Without an offset, in --time-zone."""
    canary: Annotated[int | None, Parameter(validator=Number(gte=1))] = None
    """Send to the first N people before everybody else, and stop if too many of them fail."""
    hold: Annotated[bool, Parameter(negative="")] = False
    """After --canary, wait for `callsavvy campaigns continue`."""
    max_failures: Annotated[float | None, Parameter(converter=read_percent)] = None
    """Stop after --canary if more than this share of the responses are failures (default: 20%)."""
    not_within: NotWithin = None
    """Skip people to whom another campaign of the journal sent in this period, or may have, e.g. 7d or 12h."""
    deadline: Deadline = None
    """Seconds after which no more requests start. `campaigns resume` sends the rest."""

    @property
    def failures(self) -> float:
        """Return the share of the canary's responses that may be failures."""
        return MAX_FAILURES if self.max_failures is None else self.max_failures

    @property
    def options(self) -> CampaignOptions:
        """Return the options of the campaign.

        Raises:
            InvalidRequestError: --start-at has no time zone.
        """
        start, zone = self.start_at, self.time_zone
        if start is not None and start.tzinfo is None:
            if self.time_zone in {None, RECIPIENT}:
                raise InvalidRequestError(
                    "--start-at has no offset; write it as 2026-11-30T09:00+01:00, or add --time-zone."
                )
            start = start.replace(tzinfo=zone_named(self.time_zone or ""))
            zone = self.time_zone if self.send_window is not None else None
        return {
            "reconcilable": self.reconcilable,
            "send_window": self.send_window,
            "time_zone": zone,
            "start_at": start,
            "canary": self.canary,
            "after_canary": "continue" if self.canary and not self.hold else "pause",
            "max_failures": self.failures,
            "not_within": self.not_within,
        }

    def check(self) -> None:
        """Refuse options that contradict --no-journal, or that need --canary.

        Raises:
            InvalidRequestError: An option contradicts another one.
        """
        needy = {"--hold": self.hold, "--max-failures": self.max_failures is not None}
        for option in (option for option, is_given in needy.items() if is_given and self.canary is None):
            raise InvalidRequestError(f"{option} needs --canary, the number of people who get the message first.")
        given = {
            "--campaign": self.campaign is not None,
            "--load-only": self.load_only,
            "--hold": self.hold,
            "--not-within": self.not_within is not None,
            "--journal": self.journal not in {DEFAULT_JOURNAL, os.environ.get("CALLSAVVY_JOURNAL")},
        }
        for option in (option for option, is_given in given.items() if is_given and self.no_journal):
            raise InvalidRequestError(f"{option} needs a journal; leave out it or --no-journal.")


def name_and_value(option: str, pair: str) -> tuple[str, str]:
    """Split ``name=value``, given as `option`.

    Raises:
        InvalidRequestError: The name or the equals sign is missing.
    """
    name, equals, value = pair.partition("=")
    if not (name and equals):
        raise InvalidRequestError(f"{option} without a name or '='; write it as name=value.")
    return name, value


DEFAULT_AUDIENCE, DEFAULT_PACE, DEFAULT_MODE, DEFAULT_DURABILITY = Audience(), Pace(), Mode(), Durability()
"""The groups' defaults."""
