"""Who gets a message: recipients as users give them, normalised, each number once, nobody who opted out."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeAlias, cast

import attrs

from callsavvy_async.bulk.columns import field_text, number_column
from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.numbering import NumberCheck, number_reader
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages.templates import FieldCheck, Template
from callsavvy_async.redaction import mask_number


def _names_only(fields: Mapping[str, str]) -> str:
    return f"<{', '.join(fields)}>"


def _masked(given: str) -> str:
    return repr(mask_number(given))


@attrs.frozen
class Recipient:
    """One person to reach: a number, and the fields that a template may use."""

    number: str = attrs.field(repr=_masked)
    fields: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=_names_only, hash=False)
    row: int = 0
    """Where it stood in the input, counted from 1; set by `Intake`."""


class SkipReason(enum.Enum):
    """Why a row gets no message."""

    DUPLICATE = "duplicate"
    """An earlier row has the same number."""
    SUPPRESSED = "suppressed"
    """The number is on the suppress list."""
    INVALID = "invalid"
    """No phone number, or a template's field is missing or blank."""


@attrs.frozen
class Skipped:
    """A row that gets no message, and why."""

    row: int
    given: str = attrs.field(repr=_masked)
    """The number as it was given."""
    reason: SkipReason
    detail: str
    """One sentence for people, without personal data."""


RecipientInput: TypeAlias = str | Recipient | Mapping[str, object]
"""What stands for one recipient: a number, a `Recipient`, or a row (from CSV, JSON, a data frame)."""


class NumberMemory(Protocol):
    """Remembers numbers; `NumberSet` is one."""

    def add(self, number: str, /) -> bool:
        """Add a normalised number; False if it was there already."""
        ...


class Intake:
    """Admits recipients one by one: reads the number, checks it, leaves out doubles and who is suppressed.

    It remembers every number that it admitted, in 12 to 24 bytes each unless `seen` keeps them; nothing else grows.

    Args:
        column: the column of a row that holds the number; guessed from the usual names when None.
        suppress: numbers that must get nothing.
        region: ISO 3166 code of the country whose national numbers are understood (extra ``phone``).
        validate: how far numbers are checked; "possible" and "valid" need the extra ``phone``.
        template: what the recipients get; who lacks one of its fields is left out, and a later row of the same number
            that has them is no double.
        seen: numbers that count as admitted before; this set grows with those that are admitted.

    Raises:
        ConfigurationError: an option needs an extra that is not installed.
        InvalidRequestError: an option or a suppressed number is bad; who opted out must not be reached by a typing
            error.
    """

    def __init__(
        self,
        *,
        column: str | None = None,
        suppress: Iterable[str] | NumberSet = (),
        region: str | None = None,
        validate: NumberCheck = "shape",
        template: Template | None = None,
        seen: NumberMemory | None = None,
    ) -> None:
        self._asked_column = column
        self._column: str | None = None
        self._read_number = number_reader(region=region, validate=validate)
        self._suppressed = suppression(suppress, region=region)
        self._template = template
        self._field_check = None if template is None else FieldCheck(template)
        self._seen: NumberMemory = NumberSet() if seen is None else seen

    @property
    def is_looking(self) -> bool:
        """Whether more recipients have to be read before it is known that the template fits them."""
        return self._field_check is not None and self._field_check.is_open

    def close(self) -> None:
        """Note that there are no more recipients.

        Raises:
            InvalidRequestError: no recipient had a field of the template.
        """
        if self._field_check is not None:
            self._field_check.close()

    def admit(self, item: RecipientInput, row: int) -> Recipient | Skipped:
        """Return the recipient, or why there is none.

        The first mapping settles which column holds the number; a later one without it has a blank number.

        Args:
            item: as the user gave it.
            row: its place in the input, counted from 1.

        Raises:
            InvalidRequestError: the input as a whole is misused: another type, a first mapping without the column
                of the number, or a field of the template that the recipients do not have. Bad data of a row never raises.
        """
        fields: Mapping[str, str]
        if isinstance(item, str):
            given, fields = item, {}
        elif isinstance(item, Recipient):
            given, fields = item.number, item.fields
        else:
            fields = _fields(item, row)
            if self._column is None:
                self._column = number_column(fields, self._asked_column)
            given = fields.get(self._column, "")
        if self._field_check is not None:
            self._field_check.look(fields)
        try:
            number = self._read_number(given)
            if self._suppressed and number in self._suppressed:
                return Skipped(row, given, SkipReason.SUPPRESSED, "the number is on the suppress list.")
            if self._template is not None:
                self._template.check(fields)
        except InvalidRequestError as error:
            return Skipped(row, given, SkipReason.INVALID, str(error))
        if not self._seen.add(number):
            return Skipped(row, given, SkipReason.DUPLICATE, "an earlier row has the same number.")
        return Recipient(number, fields, row)


def suppression(
    numbers: Iterable[str] | NumberSet, *, region: str | None = None, source: str = "the suppress list"
) -> NumberSet:
    """Collect the numbers that must get nothing, read as the recipients' are; a `NumberSet` is taken as it is.

    Raises:
        InvalidRequestError: one of them is no phone number; its position in the source, counted from 1, is named.
    """
    if isinstance(numbers, NumberSet):
        return numbers
    if isinstance(numbers, str):
        raise InvalidRequestError("suppress is one text; give a list of numbers, or read_suppressed(path) for a file.")
    read_number = number_reader(region=region)
    suppressed = NumberSet()
    for position, number in enumerate(numbers, 1):
        try:
            suppressed.add(read_number(number))
        except InvalidRequestError as error:
            raise InvalidRequestError(
                f"entry {position} of {source} cannot be read, so its owner might be sent to: {error}"
            ) from None
    return suppressed


def _fields(item: object, row: int) -> dict[str, str]:
    if not isinstance(item, Mapping):
        raise InvalidRequestError(
            f"row {row} is of type {type(item).__name__}; a recipient is a str, a Recipient or a mapping of its fields."
        )
    columns = cast("Mapping[object, object]", item)
    return {str(name): field_text(value) for name, value in columns.items()}
