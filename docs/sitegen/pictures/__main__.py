"""Write every picture."""

from pathlib import Path

from sitegen.pictures import PICTURES

IMAGES = Path(__file__).parents[2] / "images"

for name, draw in PICTURES.items():
    (IMAGES / f"{name}.svg").write_text(draw(), "utf-8")
