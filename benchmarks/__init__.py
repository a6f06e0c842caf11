"""Benchmarks. Each script prints its table."""
