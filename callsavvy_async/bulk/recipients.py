"""Who gets a message: recipients as users give them, normalised, each number once, nobody who opted out."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias, cast

import attrs

from callsavvy_async.bulk.column_detection import NumberColumns, number_columns
from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.phone_parsing import NumberCheck, number_reader
from callsavvy_async.bulk.row_fields import field_text, is_missing, plain_fields, read_fields
from callsavvy_async.encodable import encodable
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages.templates import FieldCheck, Template
from callsavvy_async.phone_numbers import lacks_country_code
from callsavvy_async.redaction import mask_number
from callsavvy_async.resources.contacts import Contact

_MOST_SHOWN = 200
"""Characters of what was given for a number that is left out."""


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
    """Where it stood in the input, counted from 1; set by `RecipientFilter`."""


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


RecipientInput: TypeAlias = str | Recipient | Contact | Mapping[str, object]
"""What stands for one recipient: a number, a `Recipient`, a contact of the address book, or a row (from CSV, JSON, a data
frame)."""


@attrs.define
class Doubtful:
    """Numbers that were taken to begin with a country code, though they have no ``+`` and no region was given."""

    count: int = 0
    first_row: int | None = None
    first: str = ""
    """The first of them, masked."""

    def note(self, row: int, given: str) -> None:
        """Count one."""
        if self.first_row is None:
            self.first_row, self.first = row, mask_number(given.strip())
        self.count += 1

    def __str__(self) -> str:
        example = f" {self.first!r} in row {self.first_row:,}" if self.first else f" in row {self.first_row:,}"
        return f"{self.count:,} without '+', taken to begin with a country code, the first{example}"


class NumberMemory(Protocol):
    """Remembers numbers; `NumberSet` is one."""

    def add(self, number: str, /) -> bool:
        """Add a normalised number; False if it was there already."""
        ...


class RecipientFilter:
    """Admits recipients one by one: reads the number, checks it, leaves out doubles and who is suppressed.

    It remembers every number that it admitted, in 12 to 24 bytes each unless `number_set` keeps them; nothing else grows.

    Args:
        column: the column of a row that holds the number, or several, of which the first that is not blank does; see
            `callsavvy_async.bulk.column_detection` for None.
        suppress: numbers that must get nothing.
        region: ISO 3166 code of the country whose national numbers are understood (extra ``phone``).
        international: numbers without ``+`` begin with their country code; without it and `region` they count as
            doubtful.
        validate: how far numbers are checked; "possible" and "valid" need the extra ``phone``.
        template: what the recipients get; who lacks one of its fields is left out, and a later row of the same number
            that has them is no double.
        number_set: numbers that count as admitted before; this set grows with those that are admitted.
        doubtful: counts the doubtful numbers.

    Raises:
        ConfigurationError: an option needs an extra that is not installed.
        InvalidRequestError: an option or a suppressed number is bad; who opted out must not be reached by a typing
            error.
    """

    def __init__(
        self,
        *,
        column: str | Sequence[str] | None = None,
        suppress: Iterable[str] | NumberSet = (),
        region: str | None = None,
        international: bool = False,
        validate: NumberCheck = "shape",
        template: Template | None = None,
        number_set: NumberMemory | None = None,
        doubtful: Doubtful | None = None,
    ) -> None:
        self.doubtful = Doubtful() if doubtful is None else doubtful
        self.rules = (
            column if column is None or isinstance(column, str) else tuple(column),
            region,
            international,
            validate,
        )
        """What decides how a row is read."""
        self._asked_column = column
        self._columns: NumberColumns | None = None
        self._read_number = number_reader(region=region, validate=validate)
        self._trusted = international or region is not None
        self._suppressed = suppression(suppress, region=region)
        self._template = template
        self._needed = frozenset(() if template is None else (field.name for field in template.placeholders))
        self._field_check = None if template is None else FieldCheck(template)
        self._seen: NumberMemory = NumberSet() if number_set is None else number_set
        self._began = False

    @property
    def columns(self) -> NumberColumns | None:
        """Where the numbers stand; None before the first row that is a mapping."""
        return self._columns

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
            InvalidRequestError: the input as a whole is misused: it begins with what is no recipient, or with a mapping
                without the column of the number, or a field of the template is in none of the recipients. Bad data of a
                row never raises.
        """
        fields: dict[str, str]
        if type(item) is str:
            given, fields = item, {}
            self._began = True
        elif (
            type(item) is dict
            and self._columns is not None
            and (plain := plain_fields(cast("Mapping[str, object]", item)))
        ):
            given, fields = self._columns.number_of(plain), plain
        else:
            given, fields, fault = self._read(cast("object", item), row)
            if fault is not None:
                return _skipped(row, given, SkipReason.INVALID, fault)
        if self._field_check is not None:
            self._field_check.look(fields)
        try:
            number = self._read_number(given)
            if self._suppressed and number in self._suppressed:
                return _skipped(row, given, SkipReason.SUPPRESSED, "the number is on the suppress list.")
            if self._template is not None:
                self._template.check(fields)
        except InvalidRequestError as error:
            return _skipped(row, given, SkipReason.INVALID, str(error))
        if not self._seen.add(number):
            return _skipped(row, given, SkipReason.DUPLICATE, "an earlier row has the same number.")
        if number is not given and not self._trusted and lacks_country_code(given):
            self.doubtful.note(row, given)
        return Recipient(number, fields, row)

    def _read(self, item: object, row: int) -> tuple[str, dict[str, str], str | None]:
        """Return a row's number as it was given and its fields, or why it cannot be used."""
        try:
            columns, given, fields, faults = self._parts(item, row)
        except InvalidRequestError as error:
            if not self._began:
                raise
            return "", {}, str(error)
        except Exception as error:  # noqa: BLE001 - of a class of somebody's, in one row of many
            return "", {}, f"the row cannot be read ({type(error).__name__})."
        if not faults:
            return given, fields, None
        used = {*self._needed, *columns}
        return given, fields, next((f"the field {name!r} {why}." for name, why in faults.items() if name in used), None)

    def _parts(self, item: object, row: int) -> tuple[tuple[str, ...], str, dict[str, str], Mapping[str, str]]:
        """Return the columns of the number, the number, the fields as text, and what is wrong with some of them."""
        if isinstance(item, Recipient):
            self._began = True
            return (), field_text(item.number), *read_fields(item.fields)
        mapping = item.as_row() if isinstance(item, Contact) else item
        if isinstance(mapping, Mapping):
            fields, faults = read_fields(cast("Mapping[object, object]", mapping))
            if self._columns is None:
                self._columns = number_columns(tuple({**fields, **faults}), self._asked_column)
            self._began = True
            return self._columns.names, self._columns.number_of(fields), fields, faults
        if is_missing(item):
            return (), "", {}, {}
        raise InvalidRequestError(
            f"row {row} is of type {type(item).__name__}; a recipient is a str, a Recipient, a Contact or a mapping of its"
            " fields."
        )


def _skipped(row: int, given: str, reason: SkipReason, detail: str) -> Skipped:
    """Take down a row that is left out; of what was given, no more than anybody will read."""
    return Skipped(row, encodable(given[:_MOST_SHOWN]), reason, detail)


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
