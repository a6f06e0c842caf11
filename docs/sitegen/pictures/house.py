"""The layers of the package, from the contract that the linter checks."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path

from sitegen.pictures.svg import AMBER, BLUE, LINE, SOFT, TEAL, Sheet

ROOT = Path(__file__).parents[3]
FLOORS: Mapping[str, tuple[str, str]] = {
    "__main__": ("What people and frameworks touch", BLUE),
    "client": ("The client, and durable campaigns", TEAL),
    "bulk": ("Messages to many people", TEAL),
    "resources": ("Endpoints, and the way to the API", TEAL),
    "policy": ("Rules and formats: pure, no I/O", AMBER),
    "phone_numbers": ("Small words that everything shares", LINE),
    "simulator": ("The stand-in for the API, which knows nothing of the above", LINE),
}
"""The first layer of each floor, its name and its colour."""


def layers() -> list[str]:
    """Return the layers in the order of the contract, the uppermost first."""
    contract = configparser.ConfigParser()
    contract.read(ROOT / ".importlinter", "utf-8")
    return contract["importlinter:contract:layers"]["layers"].split()


def floors() -> list[tuple[str, str, list[str]]]:
    """Return the name, the colour and the layers of each floor.

    Raises:
        KeyError: The first layer is on no floor.
    """
    found: list[tuple[str, str, list[str]]] = []
    for layer in layers():
        if layer in FLOORS:
            found.append((*FLOORS[layer], []))
        found[-1][2].append(layer)
    return found


def draw() -> str:
    """Draw a floor for each group of layers."""
    rows = floors()
    sheet = Sheet(760, 40 + 72 * len(rows), "The layers of the package: imports point down")
    for number, (name, colour, members) in enumerate(rows):
        y = 16 + number * 72
        sheet.box((40, y), (690, 58), [name, " · ".join(members)], colour=colour, text_size=14)
    bottom = 16 + 72 * len(rows) - 20
    sheet.arrow((20, 24), (20, bottom))
    sheet.text(
        (385, bottom + 32),
        "Imports point down, never up. A module without a floor fails the lint.",
        size=12,
        colour=SOFT,
    )
    return sheet.svg()
