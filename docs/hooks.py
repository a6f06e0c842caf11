"""What mkdocs calls while it builds the site: pages that are generated, documents from outside docs/, and llms.txt."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))  # mkdocs takes it away again after the import

from sitegen import commands, errors, faults, links, llms, schemas

GENERATED: Mapping[str, Callable[[], str]] = {
    "reference/cli.md": commands.commands_page,
    "reference/environment.md": commands.environment_page,
    "reference/errors.md": errors.errors_page,
    "reference/exit-codes.md": commands.exit_codes_page,
    "reference/faults.md": faults.faults_page,
    "reference/json-schemas.md": schemas.json_page,
}
_pages: dict[str, str] = {}
_sections: list[tuple[str, list[Page]]] = []


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file of docs/ holds."""
    for place, page in GENERATED.items():
        files.append(File.generated(config, place, content=page()))
    for name, schema in schemas.files():
        files.append(File.generated(config, f"reference/schemas/{name}.json", content=schema))
    pictures: list[str] = []
    for document, place in links.PLACES.items():
        text = (links.ROOT / document).read_text("utf-8")
        files.append(
            File.generated(config, place, content=links.rewritten(text, document=document, picture=pictures.append))
        )
    for picture in pictures:
        files.append(File.generated(config, picture, abs_src_path=str(links.ROOT / picture)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Rewrite the links of a page of docs/."""
    place = page.file.src_uri
    generated = place in GENERATED or place in links.PLACES.values()
    text = markdown if generated else links.rewritten(markdown, document=f"docs/{place}")
    _pages[place] = text
    return text


def on_nav(nav: Navigation, **_: Any) -> None:
    """Keep the order of the pages for llms.txt."""
    _sections[:] = [("Start", [item for item in nav.items if isinstance(item, Page)])]
    _sections.extend((item.title, [*_pages_of(item)]) for item in nav.items if isinstance(item, Section))


def on_post_build(config: MkDocsConfig) -> None:
    """Write llms.txt and llms-full.txt from the pages that were just built."""
    index = [
        (title, [(str(page.title), page.url, _pages[page.file.src_uri]) for page in pages])
        for title, pages in _sections
    ]
    site = Path(config.site_dir)
    (site / "llms.txt").write_text(llms.index(index), "utf-8")
    (site / "llms-full.txt").write_text(llms.full(_pages, config.extra["llms_full"]), "utf-8")


def _pages_of(section: Section) -> Iterator[Page]:
    for item in section.children:
        if isinstance(item, Page):
            yield item
        elif isinstance(item, Section):
            yield from _pages_of(item)
