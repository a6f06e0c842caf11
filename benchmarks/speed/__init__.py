"""The speed of the client, compared with other clients: `python -m benchmarks.speed`."""
