"""Adapters for frameworks. Each module needs its framework; the rest of the package imports none of them."""
