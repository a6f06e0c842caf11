"""The options that several commands share, grouped as ``--help`` shows them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, TypeAlias

import attrs
from cyclopts import Parameter, Token
from cyclopts.validators import Number

from callsavvy_async.bulk.phone_parsing import NumberCheck
from callsavvy_async.campaigns import CampaignOptions
from callsavvy_async.campaigns.windows import RECIPIENT, zone_named
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.policy.fixed import parse_rate
from callsavvy_async.transport.shared.settings import SharedPacing


def _read_decimal(_: object, tokens: Sequence[Token]) -> Decimal:
    try:
        return Decimal(tokens[0].value)
    except InvalidOperation:
        raise ValueError(f'"{tokens[0].value}" is no number.') from None


def _check_rate(_: object, rate: str | None) -> None:
    if rate is not None:
        parse_rate(rate)


def _check_report_name(_: object, path: Path | None) -> None:
    if path is None:
        return
    if path.suffix not in {".csv", ".jsonl", ".parquet"}:
        raise ValueError(f'"{path.name}" must end in .csv, .jsonl or .parquet, which says how it is written.')
    if not path.parent.is_dir() or path.is_dir():
        raise ValueError(f'"{path}" cannot be written: its directory does not exist, or it is one itself.')
    try:
        _try_to_write(path)
    except OSError as error:
        raise ValueError(f'"{path}" cannot be written: {error.strerror}; name another file.') from None


def _try_to_write(path: Path) -> None:
    """Find out before anything is sent: afterwards it would be too late to name another file. Changes nothing."""
    if path.is_file():
        with path.open("ab"):
            return
    if not path.exists():  # a pipe would take the attempt for the report
        with tempfile.TemporaryFile(dir=path.parent):
            return


DEFAULT_JOURNAL = "callsavvy-campaigns.db"
"""Where runs are written down unless told otherwise."""

JournalName: TypeAlias = Annotated[
    str,
    Parameter(
        env_var="CALLSAVVY_JOURNAL",
        help="The journal: a file, or postgresql://user@host/database (extra: postgres). It holds phone numbers and texts.",
    ),
]
"""Where runs are written down."""

_AT_LEAST_ONE = Parameter(validator=Number(gte=1))

RecipientsFile: TypeAlias = Annotated[str, Parameter(allow_leading_hyphen=True)]
"""A path, or "-" for standard input."""

ReportFile: TypeAlias = Annotated[Path, Parameter(validator=_check_report_name)]
"""A file that one row per recipient is written to."""

Deadline: TypeAlias = Annotated[float | None, Parameter(validator=Number(gt=0))]
"""Seconds after which nothing more is sent."""

Units: TypeAlias = Annotated[Decimal, Parameter(converter=_read_decimal)]
"""A decimal number."""

ChunkSize: TypeAlias = Annotated[int | None, _AT_LEAST_ONE]
"""Recipients per request."""


@Parameter(name="*", negative="", group="Recipients")
@attrs.frozen(kw_only=True)
class Audience:
    """Who gets it."""

    column: tuple[str, ...] = ()
    """The column that holds the number; several: the first that is not blank. Unless given, the one with a usual name."""
    region: str | None = None
    """Country of national numbers, as NG (extra: phone)."""
    international: bool = False
    """Numbers without + begin with their country code."""
    validate: NumberCheck = "shape"
    """How far numbers are checked; more than their shape needs the extra phone."""
    suppress: Path | None = None
    """A file of numbers that must get nothing."""
    suppress_column: tuple[str, ...] = ()
    """Its columns that hold the numbers; all of them count."""
    allow_empty: bool = False
    """A list without a row is no mistake."""


@Parameter(name="*", negative="", group="Pace and cost")
@attrs.frozen(kw_only=True)
class Pace:
    """How fast, and how much."""

    rate: Annotated[str | None, Parameter(validator=_check_rate)] = None
    """The most requests per time, as 10/s or 600/min; found by itself unless given."""
    pacing: Annotated[str | None, Parameter(env_var="CALLSAVVY_PACING")] = attrs.field(default=None, repr=False)
    """Find the limit together with all processes that give the same redis://host or postgresql://user@host/database."""
    burst: Annotated[int, _AT_LEAST_ONE] = 1
    """Calls that may start at once after a pause, with --rate."""
    max_in_flight: Annotated[int, _AT_LEAST_ONE] = 64
    """Calls under way at a time."""
    max_cost: Annotated[Decimal | None, Parameter(converter=_read_decimal)] = None
    """Units that may be spent; the run stops before it would pass them."""
    timeout: Annotated[float, Parameter(validator=Number(gt=0))] = 30.0
    """Seconds to wait for the answer to a request."""

    def check(self, *, simulator: bool = False) -> None:
        """Refuse what contradicts a limit that is shared, and a URL that is none: not as it is parsed, that would show it.

        Raises:
            InvalidRequestError: naming the option.
            ConfigurationError: the URL cannot be one.
        """
        if self.pacing is None:
            return
        SharedPacing(self.pacing)
        if self.rate is not None:
            raise InvalidRequestError(
                f"--rate is {self.rate}, but --pacing (or CALLSAVVY_PACING) finds the limit together with other processes;"
                " give one of the two."
            )
        if simulator:
            raise InvalidRequestError(
                "--simulator is an account of this process alone; it has no limit to share by --pacing (or"
                " CALLSAVVY_PACING): give one of the two."
            )


@Parameter(name="*", negative="", group="Run")
@attrs.frozen(kw_only=True)
class Mode:
    """How the command goes about it."""

    dry_run: bool = False
    """Show the plan and send nothing."""
    yes: bool = False
    """Send without asking."""
    balance: bool = False
    """Compare the plan with the account's balance; what it does not cover is not sent (exit code 4)."""
    report: ReportFile | None = None
    """Write one row per recipient to this .csv or .jsonl file (.parquet with --campaign). It holds phone numbers."""
    json: bool = False
    """Print the result as one JSON object."""
    simulator: bool = False
    """Send to the embedded simulator instead of the API, and compare the report with its ledger. Needs no keys."""


@Parameter(name="*", negative="", group="Campaign that survives the process")
@attrs.frozen(kw_only=True)
class Durability:
    """How it is written down, and when it may send."""

    campaign: str | None = None
    """Write the campaign into a journal under this name: it survives the process, and the same command continues it."""
    journal: JournalName = DEFAULT_JOURNAL
    load_only: Annotated[bool, Parameter(negative="")] = False
    """Write everybody into the journal and send nothing; `callsavvy campaigns work` sends."""
    send_window: str | None = None
    """When requests may start, every day: 09:00-18:00. Needs --time-zone."""
    time_zone: str | None = None
    """Of the window: a name such as Africa/Lagos, or "recipient" for the zones of each number (extra: phone)."""
    reconcilable: bool = False
    """Cut requests of 40 to 84 recipients that the balance can tell apart, for campaigns reconcile. SMS only."""
    start_at: datetime | None = None
    """The first moment, as 2026-11-30T09:00+01:00; without an offset it is on the clock of --time-zone."""
    deadline: Deadline = None
    """Seconds after which nothing more is sent; with --campaign, campaigns resume sends the rest."""

    @property
    def options(self) -> CampaignOptions:
        """How requests are cut and when they may start, as a campaign takes it.

        Raises:
            InvalidRequestError: the first moment has no zone.
        """
        start, zone = self.start_at, self.time_zone
        if start is not None and start.tzinfo is None:
            if self.time_zone in {None, RECIPIENT}:
                raise InvalidRequestError("--start-at has no offset; write it as 2026-11-30T09:00+01:00.")
            start = start.replace(tzinfo=zone_named(self.time_zone or ""))
            zone = self.time_zone if self.send_window is not None else None
        return {
            "reconcilable": self.reconcilable,
            "send_window": self.send_window,
            "time_zone": zone,
            "start_at": start,
        }

    def check(self) -> None:
        """Refuse what means nothing without a journal.

        Raises:
            InvalidRequestError: naming the option.
        """
        options = ("load_only", "send_window", "time_zone", "reconcilable", "start_at")
        for name in () if self.campaign is not None else options:
            if getattr(self, name) not in {None, False}:
                raise InvalidRequestError(
                    f"--{name.replace('_', '-')} needs --campaign, which writes the send into a journal."
                )


def journal_and_name(where: Sequence[str], journal: str) -> tuple[str, str]:
    """Tell a journal and the name of a campaign from ``[URL] NAME``; `journal` is the one that an option names.

    Raises:
        InvalidRequestError: there is no name, or too much.
    """
    match where:
        case [name]:
            return journal, name
        case [place, name]:
            return place, name
        case _:
            raise InvalidRequestError(
                "give the name of the campaign, and before it the journal's URL if need be: URL NAME."
            )


EVERYBODY, STEADY, DEFAULT_MODE, FLEETING = Audience(), Pace(), Mode(), Durability()
"""The groups with nothing given."""
