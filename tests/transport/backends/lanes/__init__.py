"""Lanes against servers that keep to no rule."""
