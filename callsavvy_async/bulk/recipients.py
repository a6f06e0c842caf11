"""Read recipients: normalise their numbers, and skip invalid, duplicate and suppressed ones."""

from __future__ import annotations

import enum
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias, cast

import attrs

from callsavvy_async.bulk.column_detection import NumberColumns, number_columns
from callsavvy_async.bulk.doubtful import Doubtful
from callsavvy_async.bulk.number_set import NumberMemory, NumberSet
from callsavvy_async.bulk.phone_parsing import NumberCheck, number_reader
from callsavvy_async.bulk.plain_rows import plain_numbers, without
from callsavvy_async.bulk.row_fields import field_text, is_missing, plain_fields, read_fields
from callsavvy_async.bulk.suppression import suppression
from callsavvy_async.encodable import encodable
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages.templates import FieldCheck, Template
from callsavvy_async.phone_numbers import lacks_country_code
from callsavvy_async.redaction import mask_number
from callsavvy_async.resources.contacts import Contact

_MOST_SHOWN = 200
"""Most characters of a skipped row's number that are kept."""


def _names_only(fields: Mapping[str, str]) -> str:
    return f"<{', '.join(fields)}>"


def _masked(given: str) -> str:
    return repr(mask_number(given))


@attrs.frozen
class Recipient:
    """One recipient: a number, and the fields for a template.

    Attributes:
        number: the number; after admission in its one form (E.164).
        fields: values for a template, by placeholder.
        row: position in the input, counted from 1; set by `RecipientFilter`.
    """

    number: str = attrs.field(repr=_masked)
    fields: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=_names_only, hash=False)
    row: int = 0


class SkipReason(enum.Enum):
    """Reason for skipping a row."""

    DUPLICATE = "duplicate"
    """An earlier row has the same number."""
    SUPPRESSED = "suppressed"
    """The number is on the suppress list."""
    RECENT = "recent"
    """Another campaign of the journal sent to the number within the campaign's `not_within`, or may have."""
    INVALID = "invalid"
    """The number is not valid, or a field of the template is missing or blank."""
    LIMIT = "over_limit"
    """`max_recipients` were admitted before this row."""


@attrs.frozen
class Skipped:
    """A skipped row."""

    row: int
    """Position in the input, counted from 1."""
    given: str = attrs.field(repr=_masked)
    """The number as given."""
    reason: SkipReason
    detail: str
    """Explanation in one sentence, without personal data."""


RecipientInput: TypeAlias = str | Recipient | Contact | Mapping[str, object]
"""One recipient: a number, a `Recipient`, a contact of the address book, or a row (of CSV, JSON, a data frame)."""


class Admitted(NamedTuple):
    """What became of a block of rows."""

    numbers: array[int]
    """The numbers of the admitted rows, as integers."""
    rows: array[int]
    """Their positions in the input."""
    skipped: Sequence[Skipped]


class RecipientFilter:
    """Admits recipients one by one: validates the number, and skips duplicate and suppressed ones.

    It remembers each admitted number, in 12 to 24 bytes unless `number_set` stores it. Otherwise its memory is constant.

    Args:
        column: the column of a row that holds the number, or several, of which the first that is not blank counts; see
            `callsavvy_async.bulk.column_detection` for None.
        suppress: numbers that must get nothing.
        region: ISO 3166 code of the country whose national numbers are accepted (extra ``phone``).
        international: whether numbers without ``+`` begin with their country code. If False and `region` is None, they count
            as doubtful.
        validate: check of the numbers; "possible" and "valid" need the extra ``phone``.
        max_recipients: most numbers in `number_set`, those of earlier loads included; later rows are skipped.
        template: the template. A row that lacks one of its fields is skipped; a later complete row of the same number is not
            a duplicate.
        number_set: numbers that were admitted before. Newly admitted numbers are added.
        doubtful: counter of doubtful numbers.

    Raises:
        ConfigurationError: an option needs an extra that is not installed.
        InvalidRequestError: an option breaks a rule, or a suppressed number is not valid.
    """

    def __init__(
        self,
        *,
        column: str | Sequence[str] | None = None,
        suppress: Iterable[str] | NumberSet = (),
        region: str | None = None,
        international: bool = False,
        validate: NumberCheck = "shape",
        max_recipients: int | None = None,
        template: Template | None = None,
        number_set: NumberMemory | None = None,
        doubtful: Doubtful | None = None,
    ) -> None:
        self.doubtful: Doubtful = Doubtful() if doubtful is None else doubtful
        self.rules: tuple[object, ...] = (
            column if column is None or isinstance(column, str) else tuple(column),
            region,
            international,
            validate,
            max_recipients,
        )
        """The options that affect how rows are read."""
        self._asked_column = column
        self._columns: NumberColumns | None = None
        self._read_number = number_reader(region=region, validate=validate)
        self._validates = validate != "shape"
        self._trusted = international or region is not None
        self._suppressed = suppression(suppress, region=region)
        self._template = template
        self._needed = frozenset(() if template is None else (field.name for field in template.placeholders))
        self._field_check = None if template is None else FieldCheck(template)
        self._admitted: NumberMemory = NumberSet() if number_set is None else number_set
        self._most = max_recipients
        self._began = False

    @property
    def columns(self) -> NumberColumns | None:
        """Columns of the numbers; None before the first row that is a mapping."""
        return self._columns

    @property
    def is_looking(self) -> bool:
        """Whether more rows are needed to decide that the template fits the recipients."""
        return self._field_check is not None and self._field_check.is_open

    def close(self) -> None:
        """Finish the input.

        Raises:
            InvalidRequestError: a field of the template is missing in all recipients.
        """
        if self._field_check is not None:
            self._field_check.close()

    def admit(self, item: RecipientInput, row: int) -> Recipient | Skipped:
        """Return the recipient, or the reason for skipping the row.

        The first mapping decides the column of the number. A later mapping without that column has a blank number.

        Args:
            item: the row as the user gave it.
            row: its position in the input, counted from 1.

        Raises:
            InvalidRequestError: the input as a whole is wrong: the first item has a wrong type or lacks the column of the
                number, or a field of the template is missing in all recipients. Bad data of one row does not raise.
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
        return self._decide(given, fields, row)

    def admit_block(self, items: Sequence[RecipientInput], row: int) -> Admitted:
        """Admit rows as `admit` does, without their fields, which must not matter.

        A block in which no row needs a closer look is admitted by functions that take it whole: 1 µs a row in place of 6.

        Args:
            items: the rows; mappings as a `RowBlock`, or they are admitted one by one.
            row: position of the first one.

        Raises:
            InvalidRequestError: as for `admit`.
        """
        numbers = self._plain_numbers(items)
        if numbers is None:
            return _collected([self.admit(item, position) for position, item in enumerate(items, row)])
        self._began = True
        known = self._admitted.add_all(numbers)
        skipped = [_skipped(row + place, f"+{numbers[place]}", *_ADMITTED_BEFORE) for place in known]
        return Admitted(*without(numbers, row, known), skipped)

    def _plain_numbers(self, items: Sequence[RecipientInput]) -> list[int] | None:
        """Return the numbers of rows that `admit` skips only as duplicates, or None if there may be others."""
        if self._template is not None or self._validates:
            return None
        if self._most is not None and len(self._admitted) + len(items) > self._most:
            return None
        numbers = plain_numbers(items, None if self._columns is None else self._columns.only)
        return None if numbers is None or self._suppressed.has_any(numbers) else numbers

    def _decide(self, given: str, fields: dict[str, str], row: int) -> Recipient | Skipped:
        """Admit a row that was read, or skip it."""
        try:
            number = self._read_number(given)
            if self._suppressed and number in self._suppressed:
                return _skipped(row, given, SkipReason.SUPPRESSED, "the number is on the suppress list.")
            if self._template is not None:
                self._template.check(fields)
        except InvalidRequestError as error:
            return _skipped(row, given, SkipReason.INVALID, str(error))
        full = self._most is not None and len(self._admitted) >= self._most
        if full or not self._admitted.add(number):
            reason, detail = _OVER_LIMIT if full else _ADMITTED_BEFORE
            return _skipped(row, given, reason, detail)
        if number is not given and not self._trusted and lacks_country_code(given):
            self.doubtful.note(row, given)
        return Recipient(number, fields, row)

    def _read(self, item: object, row: int) -> tuple[str, dict[str, str], str | None]:
        """Return a row's number as given, its fields, and its fault if it cannot be used."""
        try:
            columns, given, fields, faults = self._parts(item, row)
        except InvalidRequestError as error:
            if not self._began:
                raise
            return "", {}, str(error)
        except Exception as error:  # noqa: BLE001 - raised by foreign classes, in one row of many
            return "", {}, f"the row cannot be read ({type(error).__name__})."
        if not faults:
            return given, fields, None
        used = {*self._needed, *columns}
        return given, fields, next((f"the field {name!r} {why}." for name, why in faults.items() if name in used), None)

    def _parts(self, item: object, row: int) -> tuple[tuple[str, ...], str, dict[str, str], Mapping[str, str]]:
        """Return the columns of the number, the number, the fields as text, and the faulty fields."""
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
            f"row {row} is of type {type(item).__name__}; a recipient is a str, a Recipient, a Contact or a mapping. Convert"
            " the row to one of them."
        )


def _collected(admitted: Sequence[Recipient | Skipped]) -> Admitted:
    recipients = [one for one in admitted if isinstance(one, Recipient)]
    numbers, rows = ([int(one.number) for one in recipients], [one.row for one in recipients])
    return Admitted(array("Q", numbers), array("Q", rows), [one for one in admitted if isinstance(one, Skipped)])


_OVER_LIMIT = SkipReason.LIMIT, "the limit of recipients was reached before this row."
_ADMITTED_BEFORE = SkipReason.DUPLICATE, "an earlier row has the same number."


def _skipped(row: int, given: str, reason: SkipReason, detail: str) -> Skipped:
    """Describe a skipped row, with a readable length of the given number."""
    return Skipped(row, encodable(given[:_MOST_SHOWN]), reason, detail)
