"""Servers and simulated limits that tests and benchmarks share. This package imports neither of them."""
