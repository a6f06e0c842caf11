"""A sheet to draw on: boxes with text, arrows and lines, as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

INK, SOFT, PALE, LINE = "#1f2933", "#52606d", "#f3f6f8", "#9aa5b1"
TEAL, RED, AMBER, BLUE = "#0f766e", "#b91c1c", "#b45309", "#1d4ed8"
FILLS = {TEAL: "#d9f2ee", RED: "#fde4e4", AMBER: "#fdeccd", BLUE: "#dfe9fd", LINE: PALE}
"""The pale tone that goes with each colour."""

_FONTS = "system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif"
_ARROW_HEAD = (
    '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    f'<path d="M0 0 8 4 0 8z" fill="{SOFT}"/></marker>'
)

Point = tuple[float, float]


class Sheet:
    """A picture of a fixed size. Coordinates are pixels from the upper left corner."""

    def __init__(self, width: int, height: int, title: str) -> None:
        box = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="{_FONTS}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<defs>{_ARROW_HEAD}</defs>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        ]

    def text(
        self, at: Point, words: str, *, size: float = 13, colour: str = INK, anchor: str = "middle", bold: bool = False
    ) -> None:
        """Write one line; `at` is on its baseline."""
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text x="{_n(at[0])}" y="{_n(at[1])}" font-size="{_n(size)}" fill="{colour}" text-anchor="{anchor}"{weight}>'
            f"{escape(words, quote=False)}</text>"
        )

    def box(self, at: Point, size: Point, lines: Sequence[str], *, colour: str = LINE, text_size: float = 13) -> None:
        """Draw a box with centred lines, the first of them bold if there are several."""
        (x, y), (width, height) = at, size
        self.rectangle(at, size, fill=FILLS[colour], stroke=colour)
        first = y + height / 2 - (len(lines) - 1) * 8.5 + text_size * 0.35
        for number, line in enumerate(lines):
            head = number == 0 and len(lines) > 1
            self.text(
                (x + width / 2, first + number * 17),
                line,
                size=text_size if number == 0 else text_size - 1.5,
                colour=INK if number == 0 else SOFT,
                bold=head,
            )

    def rectangle(self, at: Point, size: Point, *, fill: str, stroke: str = "none", radius: float = 5) -> None:
        """Draw a rectangle."""
        self._parts.append(
            f'<rect x="{_n(at[0])}" y="{_n(at[1])}" width="{_n(size[0])}" height="{_n(size[1])}" rx="{_n(radius)}"'
            f' fill="{fill}" stroke="{stroke}" stroke-width="1.3"/>'
        )

    def line(self, points: Iterable[Point], *, colour: str = LINE, width: float = 1.3, dashed: bool = False) -> None:
        """Draw a line through points."""
        self._parts.append(self._path(points, colour, width, dashed=dashed) + "/>")

    def arrow(self, *points: Point, label: str = "", label_at: Point | None = None, dashed: bool = False) -> None:
        """Draw an arrow through points, with a label."""
        self._parts.append(self._path(points, SOFT, 1.3, dashed=dashed) + ' marker-end="url(#head)"/>')
        if label:
            middle = ((points[0][0] + points[-1][0]) / 2, (points[0][1] + points[-1][1]) / 2 - 6)
            self.text(label_at or middle, label, size=11.5, colour=SOFT)

    def dot(self, at: Point, radius: float, colour: str) -> None:
        """Draw a dot."""
        self._parts.append(f'<circle cx="{_n(at[0])}" cy="{_n(at[1])}" r="{_n(radius)}" fill="{colour}"/>')

    def svg(self) -> str:
        """Return the picture."""
        return "\n".join([*self._parts, "</svg>", ""])

    @staticmethod
    def _path(points: Iterable[Point], colour: str, width: float, *, dashed: bool) -> str:
        way = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        return f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="{_n(width)}"{dash}'


def _n(value: float) -> str:
    """Format a coordinate: rounded, so that it is the same on every machine."""
    return f"{value:.1f}".removesuffix(".0")
