"""Read a sheet of an Excel workbook (extra ``excel``).

Excel stores a phone number that looks like a number as a floating-point number of 15 digits. A whole one is read as its digits.
One that lost digits stays a number, which `RecipientFilter` refuses with its row.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING

from callsavvy_async.bulk.header_rows import Cell, named_rows
from callsavvy_async.bulk.row_fields import cell_text
from callsavvy_async.errors import ConfigurationError, InvalidRequestError

if TYPE_CHECKING:
    from python_calamine import CalamineSheet


def excel_rows(stream: IO[bytes], name: str, sheet: str | None, notes: list[str]) -> Iterator[str | dict[str, Cell]]:
    """Yield the rows of a sheet as `named_rows` does. The cells of the sheet are in memory, its rows are not.

    Args:
        stream: the workbook.
        name: name of the file, for errors.
        sheet: name of the sheet; None for the only one that is not empty.
        notes: gets the name of the sheet.

    Raises:
        ConfigurationError: the extra is not installed.
        InvalidRequestError: the file is not a readable workbook, the sheet does not exist, or none of several is named.
    """
    chosen = _read_sheet(stream, name, sheet)
    notes.append(f"sheet {chosen.name!r}")
    current = 0

    def fault(rule: str) -> InvalidRequestError:
        return InvalidRequestError(f"{name}, sheet {chosen.name!r}, row {current}: {rule}")

    def filled_rows() -> Iterator[Sequence[Cell]]:
        nonlocal current
        rows = chosen.iter_rows() if chosen.start is not None else ()
        for current, row in enumerate(rows, 1):  # noqa: B007 - for `fault`
            cells = list(map(cell_text, row))
            if any(cells):
                yield cells

    return named_rows(filled_rows(), fault)


def _read_sheet(stream: IO[bytes], name: str, asked: str | None) -> CalamineSheet:
    try:
        import python_calamine as calamine  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigurationError(
            f"{name} is an Excel workbook; to read it, run: pip install 'callsavvy-async[excel]'"
        ) from None
    try:
        workbook = calamine.CalamineWorkbook.from_filelike(io.BytesIO(stream.read()))
        names = [sheet.name for sheet in workbook.sheets_metadata if sheet.typ is calamine.SheetTypeEnum.WorkSheet]
        if asked is not None and asked not in names:
            raise InvalidRequestError(f"{name} has no sheet {asked!r}; its sheets are {_listed(names)}.")
        sheets = [workbook.get_sheet_by_name(one) for one in names if asked in {None, one}]
    except calamine.CalamineError:
        raise InvalidRequestError(
            f"{name} is not a readable Excel workbook; save it again as .xlsx, without a password, or as CSV."
        ) from None
    filled = [sheet for sheet in sheets if sheet.start is not None] or sheets[:1]
    if len(filled) != 1:
        raise InvalidRequestError(
            f"{name} has several sheets: {_listed([sheet.name for sheet in filled])}. Name one: sheet={filled[0].name!r}."
        )
    return filled[0]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
