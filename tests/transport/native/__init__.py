"""Connections against servers that keep to no rule."""
