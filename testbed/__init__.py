"""Servers and simulated limits that tests and benchmarks share; it imports neither of them."""
