"""The pictures of the documents, drawn by code: `PYTHONPATH=docs python -m sitegen.pictures` writes them.

Each picture is plain SVG, the same bytes on every machine. tests/samples/test_site.py draws them again and compares.
"""

from collections.abc import Callable, Mapping

from sitegen.pictures import crash, house, limiter, outcome, send_once

PICTURES: Mapping[str, Callable[[], str]] = {
    "crash": crash.draw,
    "house": house.draw,
    "limiter": limiter.draw,
    "outcome": outcome.draw,
    "send-once": send_once.draw,
}
"""The function that draws a picture, by the name of its file in docs/images/."""
