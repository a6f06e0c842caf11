"""Generate pages of the site. `hooks.py` calls this package when mkdocs builds the site.

Each module returns the text of one page, from the package's own registries, so a page cannot disagree with the code.
"""
