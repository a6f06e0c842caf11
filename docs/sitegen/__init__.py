"""What makes the pages of the site that nobody writes by hand. `hooks.py` calls it when mkdocs builds the site.

Each module returns the text of one page, from the package's own registries, so a page cannot disagree with the code.
"""
