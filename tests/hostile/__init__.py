"""Hostile servers against every backend, compared with what the servers know."""
