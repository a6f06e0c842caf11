"""Checks that an output file is neither an input file, under any name, nor a device."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from callsavvy_async.cli.journals import place_of
from callsavvy_async.errors import InvalidRequestError

_BESIDE_A_JOURNAL = ("", "-wal", "-shm", "-journal")
"""Endings of the files of a SQLite database."""


def refuse_overwriting(inputs: Mapping[str, Path], *, report: Path | None = None, journal: str | None = None) -> None:
    """Refuse output files that would overwrite an input or each other.

    Args:
        inputs: Input files by their names in error texts.
        report: Report file.
        journal: File or URL of the journal.

    Raises:
        InvalidRequestError: Two of the files are the same, or the report is a device.
    """
    files = dict(_files_of_journal(journal))
    if report is not None:
        _refuse_device(report)
        _refuse_same("--report", report, {**inputs, **files})
    for name, file in files.items():
        _refuse_same(name, file, inputs)


def _files_of_journal(journal: str | None) -> Iterator[tuple[str, Path]]:
    if journal is None or ("://" in journal and not journal.startswith("sqlite:///")):
        return
    file = place_of(journal).removeprefix("sqlite:///")
    for ending in _BESIDE_A_JOURNAL:
        yield f"the journal{f' ({ending})' if ending else ''}", Path(f"{file}{ending}")


def _refuse_same(name: str, output: Path, others: Mapping[str, Path]) -> None:
    for other, path in others.items():
        if _same(output, path):
            raise InvalidRequestError(f"{name} and {other} are the same file, {output}; name another file.")


def _same(one: Path, other: Path) -> bool:
    """Compare the files behind two names, following hard and symbolic links."""
    try:
        return one.samefile(other)
    except OSError:  # one of them does not exist
        return os.path.realpath(one) == os.path.realpath(other)


def _refuse_device(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        raise InvalidRequestError(f"--report leads to a device, {path}; name a regular file.")
