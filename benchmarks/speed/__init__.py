"""How fast the client is beside what others use: `python -m benchmarks.speed`."""
