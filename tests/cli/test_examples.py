"""The example list."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import phonenumbers

from .harness import EXAMPLES


def test_reproducible(tmp_path: Path) -> None:
    """The committed file is what its script writes."""
    fresh = tmp_path / "recipients.csv"
    subprocess.run([sys.executable, EXAMPLES / "make_recipients.py", fresh], check=True, timeout=30)
    assert fresh.read_bytes() == (EXAMPLES / "recipients.csv").read_bytes()


def test_three_spellings() -> None:
    """Numbers are written in three ways."""
    with (EXAMPLES / "recipients.csv").open(encoding="utf-8", newline="") as file:
        phones = [row["phone"] for row in csv.DictReader(file)]
    assert len(phones) >= 5_000
    for begins in ("00234599", "+234599", "+234 (599)", "+447700900"):
        assert any(phone.startswith(begins) for phone in phones)


def test_fictitious() -> None:
    """No number of the list can belong to anybody."""
    with (EXAMPLES / "recipients.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                number = phonenumbers.parse(re.sub("^00", "+", row["phone"]))
            except phonenumbers.NumberParseException:
                continue
            assert not phonenumbers.is_valid_number(number), row
