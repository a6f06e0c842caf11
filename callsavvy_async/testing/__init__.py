"""Testing helpers: a pytest plugin and virtual time."""
