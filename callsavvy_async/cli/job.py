"""The job of a ``bulk`` or ``estimate`` command: list, message and options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path

import attrs

from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.options import RecipientOptions
from callsavvy_async.bulk.plan import Plan
from callsavvy_async.bulk.recipient_files import read_suppressed
from callsavvy_async.bulk.recipients import Skipped
from callsavvy_async.campaigns.spec import CampaignOptions, plan_campaign
from callsavvy_async.cli.options import Audience
from callsavvy_async.cli.progress import reading
from callsavvy_async.cli.recipients_file import Rows, readable_again
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import Message


@attrs.frozen(kw_only=True)
class Job:
    """A list of recipients and a message."""

    file: str
    """Path, "-" for standard input, or blank for a group."""
    message: Message
    recipients: RecipientOptions = attrs.field(repr=False)
    suppressed: NumberSet
    """Numbers that are never sent to, part of `recipients`."""
    inputs: Mapping[str, Path]
    """Files that the command reads, by their names in error texts."""
    chunk_size: int | None = None
    limit: int | None = None
    """Number of people who get the message now; the others stay pending."""
    group: str | None = None
    """Contact group of the account."""
    sheet: str | None = None
    encoding: str | None = None
    only: tuple[str, ...] | None = None
    allow_empty: bool = False

    def campaign(self, options: CampaignOptions) -> CampaignOptions:
        """Return the options of a campaign that sends this job."""
        if self.limit is not None:
            options = {**options, "canary": self.limit, "after_canary": "stop"}
        return {**options, "chunk_size": self.chunk_size}

    def suppress(self, numbers: Iterable[str]) -> None:
        """Leave more numbers out."""
        for number in numbers:
            self.suppressed.add(number)

    def open(self) -> AbstractContextManager[Rows]:
        """Copy the list, so that it can be read twice.

        Raises:
            InvalidRequestError: The list is empty.
            OSError: The list cannot be read or copied.
        """
        return readable_again(
            self.file,
            group=self.group,
            sheet=self.sheet,
            encoding=self.encoding,
            only=self.only,
            allow_empty=self.allow_empty,
        )

    def plan(
        self,
        rows: Rows,
        options: CampaignOptions,
        *,
        max_cost: Decimal | None,
        on_skipped: Callable[[Skipped], object] | None = None,
        reached: NumberSet | None = None,
    ) -> Plan:
        """Read the whole list and return the plan.

        Args:
            rows: The list.
            options: Options of the campaign.
            max_cost: Maximum units to spend.
            on_skipped: Gets each skipped row.
            reached: Whom other campaigns reached, for --not-within.
        """
        read = rows()
        with reading(read):
            return plan_campaign(
                read,
                self.message,
                self.campaign(options),
                {**self.recipients, "max_recipients": self.limit},
                max_cost=max_cost,
                on_skipped=on_skipped,
                reached=reached,
            )


def make_job(file: str, message: Message, audience: Audience, chunk_size: int | None, message_file: Path | None) -> Job:
    """Build a job from a command's options.

    Raises:
        InvalidRequestError: The suppress list is malformed, or there is not exactly one list.
        OSError: A file cannot be read.
    """
    if bool(file) == (audience.group is not None):
        raise InvalidRequestError("give either a list, FILE, or a contact group of the account, --group.")
    of_files = {"--sheet": audience.sheet, "--encoding": audience.encoding, "--only": audience.only}
    for option in (option for option, value in of_files.items() if value is not None and audience.group is not None):
        raise InvalidRequestError(
            f"{option} is about a file, but --group names a contact group; leave out one of the two."
        )
    recipients: RecipientOptions = {
        "column": audience.column or None,
        "region": audience.region,
        "international": audience.international,
        "validate": audience.validate,
    }
    suppressed = _read_suppressed(audience)
    files = {
        "the list": None if file in {"-", ""} else Path(file),
        "--suppress": audience.suppress,
        "--message-file": message_file,
    }
    return Job(
        file=file,
        message=message,
        recipients={**recipients, "suppress": suppressed},
        suppressed=suppressed,
        inputs={name: path for name, path in files.items() if path is not None},
        chunk_size=chunk_size,
        limit=audience.limit,
        group=audience.group,
        sheet=audience.sheet,
        encoding=audience.encoding,
        only=None if audience.only is None else tuple(map(str.strip, audience.only.split(","))),
        allow_empty=audience.allow_empty,
    )


def _read_suppressed(audience: Audience) -> NumberSet:
    """Read the suppress list. Its errors name the option for its own columns."""
    if audience.suppress is None:
        return NumberSet()
    try:
        return read_suppressed(audience.suppress, column=audience.suppress_column or None, region=audience.region)
    except InvalidRequestError as error:
        raise InvalidRequestError(str(error).replace("column=", "suppress_column=")) from None
