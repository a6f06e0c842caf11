"""Adapters for frameworks, one a file, each its own extra; nothing of the package imports them."""
