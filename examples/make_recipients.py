"""Write recipients.csv: a realistic list with duplicates, bad rows and numbers in three spellings.

Every number is fictitious: +234 599 is unassigned in Nigeria's numbering plan, and Ofcom reserves +44 7700 900000 to
900999 for drama. Every run writes the same file.

    python examples/make_recipients.py            # beside this script
    python examples/make_recipients.py other.csv
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

PEOPLE = 4_812
DUPLICATES = 250
BAD = ("call me", "+234 5", "2.3E+12", "", "+2345990000001,+2345990000002", "+234599ABC0001", "n/a", "12345")
BAD_ROWS = 138

FIRST_NAMES = ("Ada", "Bola", "Chidi", "Dayo", "Efe", "Femi", "Grace", "Hauwa", "Ify", "José", "Kemi", "Lami", "Musa")
CITIES = ("Lagos", "Abuja", "Kano", "Ibadan", "Port Harcourt", "Enugu", "London")

SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda number: f"+{number}",
    lambda number: f"00{number}",
    lambda number: f"+{number[:3]} ({number[3:6]}) {number[6:9]}-{number[9:]}",
)


def make_rows(seed: int = 2_026) -> Iterator[tuple[str, ...]]:
    """Yield the header and all rows."""
    rng = random.Random(seed)
    nigerian = [f"234599{subscriber:07}" for subscriber in rng.sample(range(10**7), PEOPLE - 300)]
    british = [f"447700900{subscriber:03}" for subscriber in rng.sample(range(1_000), 300)]
    numbers = nigerian + british
    phones = [rng.choice(SPELLINGS)(number) for number in numbers]
    phones += [rng.choice(SPELLINGS)(number) for number in rng.sample(numbers, DUPLICATES)]
    phones += [BAD[index % len(BAD)] for index in range(BAD_ROWS)]
    rng.shuffle(phones)
    yield ("first_name", "phone", "city", "order")
    for order, phone in enumerate(phones, 1):
        yield (rng.choice(FIRST_NAMES), phone, rng.choice(CITIES), f"A-{order:05}")


def write(path: Path) -> None:
    """Write the file as UTF-8 with a header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(make_rows())


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("recipients.csv"))
